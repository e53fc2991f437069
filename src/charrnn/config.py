"""Where the configuration is, and the resolvers that its files use."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn import devices
from charrnn.errors import CharRNNError, require
from charrnn.files import read_file
from charrnn.seals import Damaged, unsealed_table

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

OF_A_GPU = "paper"
"""The scale that `scale=auto` stands for on a machine with a GPU."""


def conf_folder() -> Path:
    """The folder `conf`: the checkout's, or in an installed package the one that came with it."""
    package = Path(__file__).parent
    checkout = package.parent.parent / "conf"
    return checkout if (checkout / "train.yaml").exists() else package / "conf"


def scale_for_this_machine() -> str:
    """The scale that `scale=auto` stands for on this machine."""
    return OF_A_GPU if devices.has_gpu() else "quick"


def k2_times(share: str | float, _root_: DictConfig) -> int:
    """A share of the configuration's k2, such as 2/3, rounded to the nearest token.

    On the command line: `-m k2=30,60 'k1=${k2},${charrnn.k2_times:2/3}'`.
    """
    return math.floor(Fraction(str(share)) * _root_.k2 + Fraction(1, 2))


def tokens_for_batches(batches: int, _root_: DictConfig) -> int:
    """The tokens of a corpus of which an epoch has so many batches (Eq. 8), test split included."""
    lane = _root_.k2 + _root_.k1 * (batches - 1) + 1
    return _root_.datamodule.test_size + _root_.datamodule.batch_size * lane


def weights_in(grid: str, _root_: DictConfig) -> str:
    """The weights of the run that a finished sweep has for this configuration's k1, k2 and seed.

    Args:
        grid: the sweep's table, `multirun/grids/NAME-SCALE.csv`. Other columns are not compared.

    Raises:
        CharRNNError: if the table cannot be read or is damaged, or has no such run, or several.
    """
    wanted = {name: str(_root_[name]) for name in ("k1", "k2", "seed")}
    try:
        table = unsealed_table(read_file(Path(grid)))
        fits = (table[[*wanted]] == [*wanted.values()]).all(axis=1)
        runs = {*table["run"][fits]}
    except (OSError, Damaged, KeyError) as error:
        raise CharRNNError(f"{grid} is not the readable table of a sweep: {error}.") from error
    words = ", ".join(f"{name}={value}" for name, value in wanted.items())
    if len(runs) != 1:
        raise CharRNNError(f"{grid} has {len(runs)} runs with {words}: take a sweep that has one.")
    return str(Path(grid).parent.parent / runs.pop() / "weights.pt")


def register_resolvers() -> None:
    """Make the project's resolvers known; to be called before a configuration is composed."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver(
        "charrnn.scale_for_this_machine", scale_for_this_machine, replace=True
    )
    OmegaConf.register_new_resolver("charrnn.k2_times", k2_times, replace=True)
    OmegaConf.register_new_resolver("charrnn.tokens_for_batches", tokens_for_batches, replace=True)
    OmegaConf.register_new_resolver("charrnn.weights_in", weights_in, replace=True)


def resolve(cfg: DictConfig) -> None:
    """Replace every interpolation by the value that it stands for.

    OmegaConf parses an interpolation anew whenever somebody reads it, hundreds of times in a run.
    What has no value stays as it is, for `check_fields` to say so; and so does Hydra's own part,
    which only Hydra can resolve.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for name in [str(key) for key in cfg if key != "hydra"]:
        with suppress(OmegaConfBaseException):
            if OmegaConf.is_interpolation(cfg, name):
                cfg[name] = cfg[name]
            if OmegaConf.is_config(cfg[name]):
                OmegaConf.resolve(cfg[name])


def announce_scale(name: str, choice: str) -> None:
    """Say which scale is used, why, and how to take another one.

    Args:
        name: of the scale.
        choice: what was chosen, which may be `auto`.
    """
    reason = "as asked for"
    if choice == "auto":
        reason = "a GPU was found here" if name == OF_A_GPU else "no GPU was found here"
    log.info("scale=%s (%s); to change it: scale=paper, long, laptop, quick or smoke", name, reason)


def build(node: DictConfig, **arguments: Any) -> Any:
    """The object that ``node`` describes, with further arguments that are not configured.

    Raises:
        CharRNNError: if an argument is out of its range, missing or unknown.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    missing = sorted(OmegaConf.missing_keys(node))
    require(not missing, ", ".join(missing), "???", "given: there is no default")
    make = instantiate(node, _partial_=True, _convert_="all")
    try:
        return make(**arguments)
    except TypeError as error:
        raise CharRNNError(f"the settings do not fit {node._target_}: {error}.") from error
