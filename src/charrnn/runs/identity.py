"""What a run is: everything that determines its training, and nothing else.

Two configurations with the same identity train the same model, to the bit on the same machine and
number of threads, and share one run.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from charrnn.data.corpora import Tokens

Identity = dict[str, Any]

TOLD = {"_target_", "k1", "k2", "num_layers", "hidden_size", "seed", "fused"}
"""Settings that are told of a run anyway, or that tell nothing."""
USUAL = {
    "charrnn.datamodule.module.CharDataModule",
    "charrnn.backbone.network.Backbone",
    "torch.optim.Adam",
}
"""Constructors that are not worth telling."""


def run_identity(cfg: DictConfig, corpus: Tokens) -> Identity:
    """The identity of the run that ``cfg`` asks for.

    Schemes are in it by their training procedure. Arguments that have their constructor's default
    are not in it, so that an argument added later, with a default, leaves old identities alone.

    Args:
        cfg: the resolved configuration.
        corpus: its tokens; in the identity by name and content.
    """
    from hydra.utils import get_class

    datamodule = _departures(cfg.datamodule)
    datamodule.pop("k1"), datamodule.pop("k2")
    scheme = _departures(cfg.model)
    del scheme["_target_"]
    scheme_class: Any = get_class(cfg.model._target_)
    if scheme.get("k3") == scheme_class.own_k3(cfg.k1, cfg.k2):
        del scheme["k3"]
    weights = cfg.initial_weights
    return {
        "corpus": {
            "name": corpus.name,
            "sha256": corpus.sha256,
            "tokens": corpus.vocabulary.tokenization.name,
        },
        "training": scheme_class.training_procedure,
        "scheme": scheme,
        "datamodule": datamodule,
        "backbone": _departures(cfg.backbone),
        "optimizer": _departures(cfg.optimizer),
        "initial_weights": weights
        and hashlib.sha256(Path(weights).expanduser().read_bytes()).hexdigest(),
        "num_batches": cfg.num_batches,
        "precision": cfg.precision,
        "seed": cfg.seed,
    }


def run_name(identity: Identity, cfg: DictConfig) -> str:
    """The folder's name: readable, and made unique by the identity's hash."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    readable = "_".join(
        (
            identity["corpus"]["name"].replace(" ", "-"),
            identity["training"],
            f"r{cfg.backbone.num_layers}",
            f"gamma{cfg.backbone.hidden_size}",
            f"k1-{cfg.k1}",
            f"k2-{cfg.k2}",
            f"seed{cfg.seed}",
        )
    )
    return f"{readable}_{digest[:10]}"


def variant(identity: Identity, scale: Mapping[str, Any]) -> Iterable[str]:
    """What sets a run apart from the scheme as it is at its scale: `forget_bias=0`, `k3=10`.

    An identity has no defaults: its parts are all departures.

    Args:
        identity: of the run.
        scale: of its configuration.
    """
    for part in ("scheme", "datamodule", "backbone", "optimizer", "initial_weights", "num_batches"):
        value = identity.get(part)
        if value is None:
            continue
        for name, own in value.items() if isinstance(value, Mapping) else [(part, value)]:
            if name == "_target_" and own not in USUAL:
                yield f"{part}={str(own).rpartition('.')[2]}"
            elif name not in TOLD and own != scale.get(name, ...):
                word = "null" if own is None else str(own)
                yield f"{name}={word}".replace("/", "-")


def _departures(node: DictConfig) -> dict[str, Any]:
    """The target of ``node`` and those of its arguments that are not the constructor's defaults."""
    from hydra.utils import get_class
    from omegaconf import OmegaConf

    parameters = inspect.signature(get_class(node._target_)).parameters
    arguments = OmegaConf.to_container(node, resolve=True)
    assert isinstance(arguments, dict)
    departures = {"_target_": node._target_}
    for name, value in sorted((str(name), value) for name, value in arguments.items()):
        if name.startswith("_"):
            continue
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        default = list(default) if isinstance(default, tuple) else default
        if value != default:
            whole = isinstance(value, float) and value.is_integer()
            departures[name] = int(value) if whole else value
    return departures
