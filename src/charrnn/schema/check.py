"""The check of a whole configuration against the table of fields, before anything slow starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from charrnn.errors import BadInput, CharRNNError, require, require_choice
from charrnn.help import GROUPS
from charrnn.schema.fields import FIELDS, OPTIONAL, WHOLE_SWEEP, kind_of
from charrnn.schema.lightning import check_trainer
from charrnn.schema.names import UnknownField
from charrnn.schema.refusals import in_one_sentence

NOT_THE_CLASSES = {"trainer.matmul_precision"}
"""Fields of a group that its class does not take: torch does."""
HYDRA = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
"""Keys of a group that are Hydra's."""
CHOSEN_BY_NAME = {"experiment", "suspect", "start", "idiom", "debug", "hparams_search"}
"""Groups whose files set fields elsewhere, and that leave none of their own."""
DERIVED = {"scheme_key": "s${scheme}", "model": "${schemes.${scheme_key}}"}
"""Fields that follow from `scheme`, and how."""
OWN = ("charrnn.", "hydra_plugins.", "torch.optim.")
"""Beginnings of targets whose arguments the table describes; others judge theirs themselves."""
NAMES = {name.partition(".")[0] for name in FIELDS} | GROUPS.keys() | DERIVED.keys() | {"hydra"}
"""Names at the top of a configuration."""
HYDRAS_FOLDERS = {
    "run.dir": ".",
    "sweep.dir": ".",
    "sweep.subdir": ".",
    "output_subdir": None,
    "job.chdir": False,
}
"""Fields of Hydra's that would have it write beside the runs, and what they are instead."""
LOCAL = (".LocalLauncher", ".JoblibLauncher")
"""Ends of the targets of launchers whose runs are trained on this machine."""
ALWAYS = {
    *(NAMES - OPTIONAL - CHOSEN_BY_NAME - {"hydra"}),
    *(name for name in FIELDS if name.startswith(("sampling.", "scale.", "job.", "trainer."))),
    *("backbone.num_layers", "backbone.hidden_size", "datamodule.k1", "datamodule.k2"),
    *("model.k1", "model.k2", "model.k3", "model.weighting"),
}
"""What a configuration has to have."""


def check_fields(cfg: DictConfig) -> None:
    """Refuse unknown and missing fields, and values that a field cannot have.

    A group's further fields are arguments of its class, which `check_arguments_of` knows.

    Raises:
        CharRNNError: naming the field, and what would do.
    """
    with in_one_sentence():
        _check_top(cfg)
        found = {}
        for name, value, target in _leaves(cfg):
            found[name] = value
            kind = kind_of(name)
            if kind is None and target is None:
                raise UnknownField(name)
            require(value != "???", name, value, "given: there is no default")
            if kind and (name in ALWAYS or target is None or target.startswith(OWN)):
                kind.check(name, value)
        _require_all(ALWAYS - NAMES, {*found})
        check_trainer(cfg)
        for column in cfg.columns:
            if column not in FIELDS and OmegaConf.select(cfg, column, default=...) is ...:
                raise UnknownField(column)


def check_arguments_of(group: str, node: DictConfig) -> None:
    """Refuse fields of a group that its class does not take; to be called where importing is due.

    Raises:
        CharRNNError: if the class cannot be imported, or does not take a field.
    """
    from hydra.utils import get_class

    target = str(node.get("_target_"))
    try:
        parameters = inspect.signature(get_class(target)).parameters
    except Exception as error:  # of a module of the user's, too
        wanted = "a class that can be imported here"
        raise BadInput(f"{group}._target_", target, wanted) from error
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    for name in map(str, node):
        known = name in parameters or name in HYDRA or f"{group}.{name}" in NOT_THE_CLASSES
        if not known:
            raise UnknownField(f"{group}.{name}", [f"{group}.{each}" for each in parameters])


def check_sweep(cfg: DictConfig) -> None:
    """Refuse a sweep's own fields where they cannot be read; its cells are checked by themselves.

    Raises:
        CharRNNError: naming the field.
    """
    with in_one_sentence():
        _require_all(WHOLE_SWEEP, {*cfg})
        for name, value, _ in _leaves(OmegaConf.masked_copy(cfg, sorted(WHOLE_SWEEP))):
            if kind := kind_of(name):
                kind.check(name, value)


def is_local(cfg: DictConfig) -> bool:
    """Whether runs are trained on this machine, and share its cores and its memory."""
    return str(cfg.launcher._target_).endswith(LOCAL)


def check_hydra(hydra: Any) -> None:
    """Refuse folders of Hydra's own: runs and their configurations go to `output_dir`.

    Args:
        hydra: Hydra's part of a configuration.

    Raises:
        BadInput: naming the field.
    """
    for name, fixed in HYDRAS_FOLDERS.items():
        value = OmegaConf.select(hydra, name, default=fixed)
        left = "left as it is; output_dir= names the folder of all runs"
        require(value == fixed, f"hydra.{name}", value, left)


def check_alone(cfg: DictConfig, hydra: Any) -> None:
    """Refuse fields of a sweep in a single run, where they have no effect.

    Args:
        cfg: the run's configuration.
        hydra: Hydra's part of it.

    Raises:
        BadInput: naming the field.
    """
    has_no_effect: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "jobs": (cfg.jobs, ("auto", 1)),
        "fail_fast": (cfg.fail_fast, (False,)),
        "corpora": (cfg.corpora, ("auto",)),
        "launcher": (hydra.runtime.choices.launcher, ("local",)),
        "hydra.sweeper.params": (hydra.sweeper.get("params"), (None, {})),
    }
    check_hydra(hydra)
    for name, (value, without) in has_no_effect.items():
        does = " or ".join(str(each) for each in without[:1] if each is not None) or "left out"
        require(value in without, name, value, f"{does} in a single run; -m makes it a sweep")


def check_same(cells: Sequence[DictConfig], sweep: Mapping[str, Any]) -> None:
    """Refuse a sweep of fields that are read once for the whole sweep.

    Args:
        cells: the configurations of all cells.
        sweep: what these fields are in the sweep's own configuration; see `read_once`.

    Raises:
        BadInput: naming the field.
    """
    same = "the same in all cells of a sweep, which reads it once: give a command for each"
    example = """'corpora="shakespeare,chorales"'"""
    quoted = f"{same}, or put the list in both kinds of quotes, such as {example}"
    for cell in cells:
        own = read_once(cell)
        for name in {**sweep, **own}:
            value = own.get(name, "null")
            wanted = quoted if name == "corpora" else same
            require(value == sweep.get(name, "null"), name, value, wanted)


def read_once(cfg: DictConfig) -> dict[str, Any]:
    """The fields that are read once for a whole sweep, and what a sweep's files sweep."""
    nodes = {name: cfg[name] for name in sorted(WHOLE_SWEEP)}
    nodes["hydra.sweeper.params"] = cfg.hydra.sweeper.get("params") or OmegaConf.create()
    found: dict[str, Any] = {}
    for name, node in nodes.items():
        if OmegaConf.is_dict(node):
            inner = OmegaConf.to_container(node, resolve=name in WHOLE_SWEEP)
            assert isinstance(inner, dict)
            found |= {f"{name}.{key!s}": value for key, value in inner.items()}
        else:
            found[name] = node
    return found


def _check_top(cfg: DictConfig) -> None:
    """The names at the top, and what the rest is read by."""
    for name in map(str, cfg):
        if name not in NAMES:
            raise UnknownField(name)
    _require_all(ALWAYS & NAMES, {*cfg})
    for group in sorted(GROUPS.keys() & set(cfg) - CHOSEN_BY_NAME):
        _require_group(group, cfg[group])
    for name, node in cfg.schemes.items():
        _require_group(f"schemes.{name}", node)
    FIELDS["scheme"].check("scheme", _plain(cfg, "scheme"))
    names = [str(name).removeprefix("s") for name in cfg.schemes]
    require_choice("scheme", str(cfg.scheme), names)
    for name, source in DERIVED.items():
        value = cfg._get_node(name)._value()  # type: ignore[union-attr]
        # In a configuration whose interpolations are resolved, it is what they stood for.
        same = value == source or _plain(cfg, name) == _followed(cfg)[name]
        require(same, name, value, "left as it is; scheme= chooses it")


def _followed(cfg: DictConfig) -> dict[str, Any]:
    """What the fields in DERIVED stand for."""
    key = f"s{cfg.scheme}"
    return {"scheme_key": key, "model": _plain(cfg, "schemes")[key]}


def _require_group(name: str, node: object) -> None:
    given = OmegaConf.is_dict(node)
    require(given, name, node, "a group of fields, which have names of their own")


def _require_all(names: set[str], given: set[Any]) -> None:
    for name in sorted(names - given):
        raise CharRNNError(f"{name} is missing: every run needs it, so it cannot be removed.")


def _leaves(cfg: DictConfig) -> Iterator[tuple[str, Any, str | None]]:
    """Full name and value of every field, and the target that takes it as an argument, if any."""
    for name in map(str, cfg):
        if name != "hydra":
            yield from _leaves_of(name, _plain(cfg, name), None)


def _leaves_of(name: str, value: Any, target: str | None) -> Iterator[tuple[str, Any, str | None]]:
    if name not in FIELDS and isinstance(value, dict):
        target = str(value["_target_"]) if "_target_" in value else target
        for key, inner in value.items():
            if key not in HYDRA:
                yield from _leaves_of(f"{name}.{key}", inner, target)
    elif name not in DERIVED:
        yield name, value, target


def _plain(cfg: DictConfig, name: str) -> Any:
    """A value with its interpolations resolved, in lists and dicts of Python's."""
    if OmegaConf.is_missing(cfg, name):
        return "???"
    node = cfg._get_node(name)
    if OmegaConf.is_config(node) and not OmegaConf.is_interpolation(cfg, name):
        return OmegaConf.to_container(node, resolve=True)  # with what is missing
    value = cfg[name]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
