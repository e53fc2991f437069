"""`charrnn train` and `python src/train.py`, from where Hydra takes over."""

from __future__ import annotations

import itertools
import logging
import os
import sys
import traceback
from collections.abc import Sequence

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from charrnn.config import announce_scale, build, conf_folder, register_resolvers
from charrnn.console import refuse, to_a_pipe
from charrnn.errors import CannotGoOn, CannotWrite, CharRNNError
from charrnn.runs.final import final_perplexities
from charrnn.runs.folder import RunFolder
from charrnn.runs.reuse import recall, report_reuse
from charrnn.schema.check import check_alone, check_fields
from charrnn.schema.refusals import in_one_sentence
from charrnn.sweeps.jobs import describe
from charrnn.sweeps.names import sweep_name
from charrnn.sweeps.next_steps import after_run

log = logging.getLogger(__name__)

WITH_A_VALUE = {
    *("--cfg", "-c", "--info", "-i", "--package", "-p", "--experimental-rerun"),
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
}
"""Flags of Hydra's that the next word belongs to."""


def train() -> None:
    """Train what the command line asks for: one run, or with -m a sweep.

    Raises:
        CharRNNError: if it is refused.
    """
    register_resolvers()
    sys.argv[1:] = flags_first(sys.argv[1:])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra prints its errors itself, and exits with 1
    with in_one_sentence(sys.argv[1:]):
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(job)()


def flags_first(words: Sequence[str]) -> list[str]:
    """The words with Hydra's flags before the settings, among which Hydra does not find them.

    Examples:
        >>> flags_first(["k1=20", "-m", "k2=50", "-cd", "mine", "seed=1"])
        ['-m', '-cd', 'mine', 'k1=20', 'k2=50', 'seed=1']
    """
    flags: list[str] = []
    settings: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in WITH_A_VALUE:
            flags += [word, *itertools.islice(rest, 1)]
        else:
            (flags if word.startswith("-") else settings).append(word)
    return [*flags, *settings]


def job(cfg: DictConfig) -> float | None:
    """Train one run. A single run ends the program on an error; in a sweep Hydra runs the others.

    Args:
        cfg: the run's configuration.

    Returns:
        The final perplexity by the scheme's own sampling procedure, infinite if the run diverged,
        for sweepers that look for the lowest one; None for a plan.

    Raises:
        CharRNNError: in a sweep, for any error.
    """
    os.chdir(HydraConfig.get().runtime.cwd)  # a worker on another machine starts elsewhere
    alone = HydraConfig.get().mode == RunMode.RUN
    try:
        if alone:
            check_fields(cfg)
            check_alone(cfg, HydraConfig.get())
            announce_scale(cfg.scale.name, HydraConfig.get().runtime.choices["scale"])
            sweep_name(cfg.name, HydraConfig.get().runtime.choices["experiment"])
        if cfg.plan:
            _plan(cfg)
            return None
        if not alone:
            return _train_in_a_sweep(cfg)
        folder, procedure = _known(cfg) or _train(cfg)
        with to_a_pipe():
            print(*after_run(folder, cfg, procedure), sep="\n")
        return _final(folder, procedure, cfg.num_batches)
    except Exception as error:
        if alone and isinstance(error, (CharRNNError, OSError)):
            refuse(error)  # no fault of the run
        log.error("failed: %s", describe(error))
        if alone:
            traceback.print_exc()
            sys.exit(1)
        # The error may have to travel between machines, which not every class survives.
        kind = CannotGoOn if isinstance(error, (OSError, CannotWrite)) else CharRNNError
        raise kind(describe(error)) from error


def _plan(cfg: DictConfig) -> None:
    from charrnn.sweeps.cells import Cell, check_all
    from charrnn.sweeps.plan import print_plan

    cells = [Cell([], cfg, "the run")]
    check_all(cells)
    print_plan({"": cells}, cfg)


def _known(cfg: DictConfig) -> tuple[RunFolder, str] | None:
    """A run that was asked for before and is finished, and how its scheme samples."""
    if known := recall(cfg):
        folder, _ = known
        report_reuse(cfg, folder, f"scheme {cfg.scheme}, {build(cfg.data).title}, k1={cfg.k1}")
    return known


def _train(cfg: DictConfig) -> tuple[RunFolder, str]:
    from charrnn.training.build import scheme_class
    from charrnn.training.train_run import train  # imports torch

    return train(cfg), scheme_class(cfg).sampling_procedure


def _train_in_a_sweep(cfg: DictConfig) -> float | None:
    from charrnn.training.build import scheme_class
    from charrnn.training.train_run import Taken, train

    try:
        return _final(train(cfg), scheme_class(cfg).sampling_procedure, cfg.num_batches)
    except Taken as taken:
        log.info("%s", taken)
        return None


def _final(folder: RunFolder, procedure: str, num_batches: int) -> float:
    return final_perplexities(folder, num_batches)[procedure]
