"""How a checkpoint describes the network and the optimizer: class and arguments, as plain values.

A description is a dict with the place of a class, `_target_`, as in the configuration, and its
arguments.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn
from torch.optim import Optimizer

from charrnn.backbone.network import Network
from charrnn.errors import CharRNNError
from charrnn.files import read_file
from charrnn.untrusted import judge, plain_yaml

Description = dict[str, Any]
PLAIN = (bool, int, float, str, type(None))


def describe(made_by: type, arguments: Mapping[str, Any]) -> Description:
    """The class, and those of the arguments that it takes and that are plain values.

    Examples:
        >>> describe(torch.optim.SGD, {"lr": 0.5, "momentum": 0.9, "other": 1})
        {'_target_': 'torch.optim.sgd.SGD', 'lr': 0.5, 'momentum': 0.9}
    """
    taken = inspect.signature(made_by).parameters
    plain = {name: value for name, value in arguments.items() if name in taken and _plain(value)}
    return {"_target_": f"{made_by.__module__}.{made_by.__qualname__}", **plain}


def describe_optimizer(make: Any) -> Description | None:
    """What makes an optimizer, if that is a class, or a partial of one; else None."""
    if isinstance(make, functools.partial) and not make.args and isinstance(make.func, type):
        return describe(make.func, make.keywords)
    return describe(make, {}) if isinstance(make, type) else None


def learning_rate(described: Description | None) -> float | None:
    """The learning rate of a described optimizer: its argument, or its default; else None."""
    if described is None:
        return None
    default = inspect.signature(_class(described, Optimizer)).parameters.get("lr")
    rate = described.get("lr", default.default if default else None)
    return float(rate) if isinstance(rate, int | float) else None


def build_backbone(described: Mapping[str, Any]) -> Network:
    """The network, with initial values.

    Raises:
        CharRNNError: if the class cannot be found or does not take the arguments.
    """
    return _class(described, nn.Module)(**_arguments(described))


def build_optimizer(described: Mapping[str, Any]) -> functools.partial[Optimizer]:
    """A function that makes the optimizer, given the parameters to learn.

    Raises:
        CharRNNError: if the class cannot be found.
    """
    return functools.partial(_class(described, Optimizer), **_arguments(described))


def as_lightnings(file: IO[bytes], folder: Path) -> IO[bytes]:
    """A run's checkpoint as one of Lightning's, with hyperparameters from the run's folder.

    Args:
        file: the checkpoint, of which the first line has been read.
        folder: where it lies.

    Raises:
        CharRNNError: if the run's configuration or vocabulary is not there.
    """
    checkpoint = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
    try:
        cfg = plain_yaml(read_file(folder / "config.yaml"))
        symbols = json.loads(read_file(folder / "vocabulary.json"))["symbols"]
    except OSError as error:
        raise CharRNNError(f"{folder} lacks a part of the run: {error}.") from error
    for part in ("backbone", "optimizer"):
        judge(cfg[part]["_target_"], folder)
    model = {name: value for name, value in cfg["model"].items() if not name.startswith("_")}
    parts = {"backbone": cfg["backbone"] | {"vocabulary_size": len(symbols)}}
    parts |= {"optimizer": cfg["optimizer"], "lr": None}
    checkpoint["hyper_parameters"] = model | parts
    content = io.BytesIO()
    torch.save(checkpoint, content)
    content.seek(0)
    return content


def is_a_runs(path: str | PathLike[str] | IO[bytes]) -> bool:
    """Whether a checkpoint is a run's: it has a line of JSON before Lightning's content."""
    if not isinstance(path, str | PathLike) or not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(1) == b"{"


def _plain(value: Any) -> bool:
    return isinstance(value, PLAIN) or (
        isinstance(value, list | tuple) and all(isinstance(part, PLAIN) for part in value)
    )


def _arguments(described: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments; Hydra's own keys, `_target_` and `_partial_`, are none."""
    return {name: value for name, value in described.items() if not name.startswith("_")}


def _class(described: Mapping[str, Any], kind: type) -> type:
    """The described class, which has to be of a kind: a checkpoint calls nothing else."""
    place = str(described.get("_target_"))
    module, _, name = place.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CharRNNError(
            f"{place} cannot be imported, which the checkpoint names: give load_from_checkpoint "
            "the argument itself, backbone= or optimizer=."
        ) from error
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise CharRNNError(f"{place}, which the checkpoint names, is no {kind.__name__}.")
    return found
