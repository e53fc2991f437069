"""What a run is: everything that determines its training, and nothing else.

Two configurations with the same identity train the same model, to the bit on the same machine and
number of threads, and share one run. The identity does not include how long it is trained: a run of
12,800 batches contains the one of 1,600.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from charrnn.data.corpora.tokens import Tokens

from charrnn.errors import CharRNNError
from charrnn.files import read_file

FORMAT = 1
"""Number of the format of identities; another format would give every run another name."""

Identity = dict[str, Any]

EXACT = "highest"
"""The precision of matrix products that identities leave out."""
NO_CHANGE = {
    *("accelerator", "devices", "profiler", "detect_anomaly", "inference_mode"),
    *("default_root_dir", "enable_model_summary", "enable_autolog_hparams"),
}
"""Arguments of the Trainer that do not change the training."""
ONLY_WATCH = {"DeviceStatsMonitor", "LearningRateMonitor", "ModelSummary", "RichModelSummary"}
"""Callbacks of Lightning's that do not change the training."""

LONGEST = 100
"""Bytes of a corpus's name in a run's name, at most: file systems allow 255 in all."""

COMMON = {"name", "k1", "k2", "num_layers", "hidden_size", "seed", "fused"}
"""Settings that stand beside a run's name anyway, or that say nothing about it."""
STANDARD = {"datamodule": "eq8", "backbone": "lstm", "optimizer": "adam"}
"""The paper's data module, backbone and optimizer, which `variant` leaves out."""


def run_identity(cfg: DictConfig, corpus: Tokens) -> Identity:
    """The identity of the run that ``cfg`` asks for.

    It holds names that the code declares (`multi-loss`, `lstm`, `adam`), never the place of a
    class: moving a class leaves runs their names. Schemes appear by their training procedure.
    Arguments that have their constructor's default are left out, so an argument that is added
    later, with a default, leaves earlier identities as they are.

    Args:
        cfg: the resolved configuration.
        corpus: its tokens, which the identity holds by name and content.

    Raises:
        CharRNNError: if a class declares no name.
    """
    from hydra.utils import get_class

    datamodule, scheme = _departures(cfg.datamodule), _departures(cfg.model)
    del datamodule["k1"], datamodule["k2"]
    scheme_class: Any = get_class(cfg.model._target_)
    if scheme.get("k3") == scheme_class.own_k3(cfg.k1, cfg.k2):
        del scheme["k3"]
    weights = cfg.initial_weights
    further = {"trainer": _trainer(cfg), "callbacks": _callbacks(cfg)}
    return {
        "format": FORMAT,
        "corpus": {
            "name": corpus.name,
            "sha256": corpus.sha256,
            "tokens": corpus.vocabulary.tokenization.name,
        },
        "training": scheme_class.training_procedure,
        "scheme": scheme,
        "datamodule": {"name": declared_name(cfg.datamodule._target_), **datamodule},
        "backbone": {"name": declared_name(cfg.backbone._target_), **_departures(cfg.backbone)},
        "optimizer": {"name": declared_name(cfg.optimizer._target_), **_departures(cfg.optimizer)},
        "initial_weights": weights
        and hashlib.sha256(read_file(Path(weights).expanduser())).hexdigest(),
        "precision": cfg.precision,
        "seed": cfg.seed,
        **{name: departures for name, departures in further.items() if departures},
    }


def run_name(identity: Identity, cfg: DictConfig) -> str:
    """The folder's name: readable, and made unique by the identity's hash."""
    corpus = identity["corpus"]["name"].replace(" ", "-")
    network = re.sub(r"[^\w.-]", "-", identity["backbone"]["name"])
    readable = "_".join(
        (
            shortened_to(LONGEST, corpus),
            identity["training"],
            *([] if network == STANDARD["backbone"] else [network]),
            f"r{cfg.backbone.num_layers}",
            f"gamma{cfg.backbone.hidden_size}",
            f"k1-{cfg.k1}",
            f"k2-{cfg.k2}",
            f"seed{cfg.seed}",
        )
    )
    return f"{readable}_{digest_of(identity)}"


def digest_in(name: str) -> str:
    """The digest at the end of a run's name."""
    return name.rpartition("_")[2]


def digest_of(identity: Identity) -> str:
    """The ten hexadecimal digits with which a run's name ends."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]


def shortened_to(size: int, name: str) -> str:
    """The beginning of a name that takes at most ``size`` bytes as a file's name."""
    return name.encode()[:size].decode(errors="ignore")


def declared_name(target: str) -> str:
    """The name that a class has in identities: its own `identity_name`, or torch's optimizers'.

    Examples:
        >>> declared_name("charrnn.backbone.network.Backbone"), declared_name("torch.optim.RMSprop")
        ('lstm', 'rmsprop')

    Args:
        target: the class, as `_target_` has it.

    Raises:
        CharRNNError: if the class declares none; one that it inherits would be another class's.
    """
    from hydra.utils import get_class

    found = get_class(target)
    if name := vars(found).get("identity_name"):
        return str(name)
    if found.__module__.startswith("torch.optim."):
        return found.__name__.lower()
    raise CharRNNError(
        f"{target} has no name for the identity of a run: give the class an attribute, such as "
        f"identity_name = '{found.__name__.lower()}' (a callback that changes no training: None)."
    )


def variant(
    identity: Identity, scale: Mapping[str, Any], num_batches: int | None = None
) -> Iterable[str]:
    """How a run departs from the standard one at its scale: `forget_bias=0`, `k3=10`.

    An identity leaves out defaults, so everything in it is a departure.

    Args:
        identity: of the run.
        scale: the scale of its configuration.
        num_batches: how long it was trained; None leaves that out.
    """
    if num_batches not in (None, scale.get("num_batches")):
        yield f"num_batches={num_batches}"
    for part in ("scheme", "datamodule", "backbone", "optimizer"):
        settings = identity.get(part) or {}
        if (name := settings.get("name", STANDARD.get(part))) != STANDARD.get(part):
            yield f"{part}={name}"
        for field, value in settings.items():
            if field not in COMMON and value != scale.get(field, ...):
                yield f"{field}={_word(value)}"
        own_seed = settings.get("seed", 0)  # the default
        if part in ("datamodule", "backbone") and own_seed != identity.get("seed"):
            yield f"{part}.seed={own_seed}"
    if weights := identity.get("initial_weights"):
        yield f"initial_weights={weights[:10]}"
    if (precision := identity.get("precision", 32)) != 32:
        yield f"precision={precision}"
    for field, value in (identity.get("trainer") or {}).items():
        yield f"{field}={_word(value)}"
    for name, settings in (identity.get("callbacks") or {}).items():
        yield name
        yield from (f"{field}={_word(value)}" for field, value in settings.items())


def _trainer(cfg: DictConfig) -> dict[str, Any]:
    """What the Trainer, and torch's matrix products, do otherwise than usual in the training."""
    node = cfg.get("trainer")
    departures = _departures(node) if node else {}
    if departures.get("matmul_precision") == EXACT:
        del departures["matmul_precision"]
    return {name: value for name, value in departures.items() if name not in NO_CHANGE}


def _callbacks(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """The callbacks that may change the training, by their names, with what is not usual in them.

    Raises:
        CharRNNError: if a class of the user's does not say whether it does.
    """
    from hydra.utils import get_class

    found: dict[str, dict[str, Any]] = {}
    for node in (cfg.get("callbacks") or {}).values():
        callback = get_class(node._target_)
        lightnings = callback.__module__.startswith("pytorch_lightning.")
        if lightnings and callback.__name__ not in ONLY_WATCH:
            found[callback.__name__] = _departures(node)
        elif not lightnings:
            missing = "identity_name" not in vars(callback)
            name = declared_name(node._target_) if missing else vars(callback)["identity_name"]
            if name is not None:
                found[str(name)] = _departures(node)
    return found


def _word(value: object) -> str:
    return "null" if value is None else str(value).replace("/", "-")


def _departures(node: DictConfig) -> dict[str, Any]:
    """The arguments in ``node`` that are not the constructor's defaults."""
    from hydra.utils import get_class
    from omegaconf import OmegaConf

    parameters = inspect.signature(get_class(node._target_)).parameters
    arguments = OmegaConf.to_container(node, resolve=True)
    assert isinstance(arguments, dict)
    departures = {}
    for name, value in sorted((str(name), value) for name, value in arguments.items()):
        if name.startswith("_"):
            continue
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        default = list(default) if isinstance(default, tuple) else default
        if value != default:
            whole = isinstance(value, float) and value.is_integer()
            departures[name] = int(value) if whole else value
    return departures
