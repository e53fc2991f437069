"""A trained run, ready for use: its network and vocabulary, from its folder alone if possible."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from charrnn.backbone.lstm_autograd import prepare_cpu
from charrnn.backbone.network import Network
from charrnn.config import build
from charrnn.data.corpora.base import Corpus
from charrnn.data.vocabulary import Vocabulary
from charrnn.datamodule.module import CharDataModule
from charrnn.errors import CharRNNError, require, require_whole
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import Identity
from charrnn.runs.sealed import MARK, DamagedRun
from charrnn.schemes.base import Scheme
from charrnn.training.build import DTYPES, build_datamodule
from charrnn.untrusted import judge, plain_yaml

CONFIG, IDENTITY = "config.yaml", "identity.json"
PARTS = {"backbone": Network, "data": Corpus, "datamodule": CharDataModule, "model": Scheme}
"""What is made of the nodes of a run's configuration."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: of the run.
        cfg: the configuration that trained it.
        identity: everything that determines its training.
        scheme: as configured; other schemes with the same training share the run.
        perplexity: final, of the test split, by each sampling procedure that the run records.
    """

    folder: RunFolder
    cfg: DictConfig
    identity: Identity
    scheme: type[Scheme]
    perplexity: dict[str, float]

    @property
    def k2(self) -> int:
        """Tokens in its training sequences."""
        return self.cfg.k2

    def __str__(self) -> str:
        return self.folder.path.name

    def scheme_called(self, name: str) -> type[Scheme] | None:
        """The class of a scheme of its configuration, which may not be the run's own.

        Raises:
            CharRNNError: if it is not a scheme.
        """
        schemes = OmegaConf.to_container(self.cfg.schemes)
        assert isinstance(schemes, dict)
        field = f"s{name}"
        if field not in schemes:
            return None
        return _class(self.folder.path / CONFIG, f"schemes.{field}", schemes[field], Scheme)

    @property
    def evaluations(self) -> pd.DataFrame:
        """Perplexities during training; columns as in charrnn.runs.files.Evaluation.

        Raises:
            DamagedRun: if the table was changed after the run finished.
        """
        return self.folder.read_table()

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens that it was trained on.

        Raises:
            DamagedRun: if they were changed after the run finished.
        """
        return self.folder.read_vocabulary()

    @cached_property
    def backbone(self) -> Network:
        """The trained network, in evaluation mode, on the GPU if there is one.

        Raises:
            DamagedRun: if the weights cannot be read, or do not fit the configuration.
        """
        prepare_cpu()
        backbone: Network = build(self.cfg.backbone, vocabulary_size=len(self.vocabulary))
        backbone.to(DTYPES[self.cfg.precision])
        try:
            backbone.load_state_dict(self.folder.read_weights())
        except (RuntimeError, TypeError) as error:
            raise DamagedRun(self.folder.path / "weights.pt") from error
        return backbone.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def datamodule(self) -> CharDataModule:
        """Its corpus, split as it was for training.

        Raises:
            CharRNNError: if the corpus is not available, or has changed.
        """
        datamodule = build_datamodule(self.cfg)
        if datamodule.tokens.sha256 != self.identity["corpus"]["sha256"]:
            raise CharRNNError(
                f"{self} was trained on a different text from the one that "
                f"{datamodule.tokens.name} is on this machine now: give a text of your own."
            )
        datamodule.setup()
        return datamodule


def open_run(folder: RunFolder) -> TrainedRun:
    """The run in a finished folder.

    A folder may come from somebody else. A part of its configuration is built only if its class is
    of the expected kind, and only from plain values. To see the kind, Python imports the module
    that is named, which may be one of your own, but not one that lies in or beside the folder.

    Raises:
        CharRNNError: if the folder does not hold a run, or the run is not finished, is damaged, or
            names classes of other kinds or values that would be called or looked up.
    """
    if not (folder.path / CONFIG).exists():
        raise CharRNNError(f"{folder.path} is not a run's folder: it has no {CONFIG}.")
    folder.prove()
    perplexity = _final_perplexity(folder)
    values = _mapping(folder, CONFIG, plain_yaml)
    identity = _mapping(folder, IDENTITY, json.loads)
    _require_identity(folder.path / IDENTITY, identity)
    _require_settings(folder.path / CONFIG, values)
    _require_plain_values(folder.path / CONFIG, values)
    classes = {
        name: _class(folder.path / CONFIG, name, values.get(name), kind)
        for name, kind in PARTS.items()
    }
    return TrainedRun(folder, OmegaConf.create(values), identity, classes["model"], perplexity)


def _final_perplexity(folder: RunFolder) -> dict[str, float]:
    """What `finished.json` says about the known procedures."""
    mark = folder.mark()
    if mark is not None:
        if not mark["perplexity"].keys() <= {*SAMPLING_PROCEDURES}:
            raise DamagedRun(folder.path / MARK)
        return mark["perplexity"]
    raise CharRNNError(f"{folder.path} is not finished: train it to its end first.")


def _mapping(folder: RunFolder, name: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    """The content of a file that maps names to values."""
    content = folder.read(name)
    try:
        found = parse(content.decode())
    except Exception as error:  # its type depends on what is wrong with the text
        raise DamagedRun(folder.path / name) from error
    if not isinstance(found, dict):
        raise DamagedRun(folder.path / name)
    return found


def _require_identity(path: Path, identity: Identity) -> None:
    """Refuse an identity that lacks what a run is chosen and described by."""
    match identity:
        case {
            "corpus": {"name": str(), "sha256": str()},
            "training": str(),
            "scheme": dict(),
            "backbone": dict(),
        }:
            return
    raise DamagedRun(path)


def _require_settings(path: Path, values: dict[str, Any]) -> None:
    """Refuse a configuration whose values outside its parts cannot be used."""
    for name in ("k1", "k2"):
        require_whole(f"{path}: {name}", values.get(name), 1, "token")
    precision, schemes, scale = (values.get(name) for name in ("precision", "schemes", "scale"))
    known = isinstance(precision, int | str) and precision in DTYPES
    require(known, f"{path}: precision", precision, " or ".join(map(str, DTYPES)))
    require(isinstance(schemes, dict), f"{path}: schemes", schemes, "schemes by name")
    require(isinstance(scale, dict), f"{path}: scale", scale, "a scale with its values")


def _class(path: Path, name: str, node: Any, kind: type[Any]) -> type[Any]:
    """The class of node ``name`` in the configuration at ``path``."""
    target: Any = node.get("_target_") if isinstance(node, dict) else None
    try:
        found = get_class(judge(target, path.parent))
        fits = issubclass(found, kind)
    except CharRNNError:
        raise
    except Exception:  # its type depends on what is wrong with the name
        fits = False
    if not fits:
        wanted = f"a {kind.__name__} that can be imported here"
        raise CharRNNError(f"{path}: {name}._target_={target} is not {wanted}.")
    return found


def _require_plain_values(path: Path, values: dict[str, Any]) -> None:
    for field in (field for part in PARTS for field in _live(part, values.get(part))):
        raise CharRNNError(
            f"{path}: {field} would be called or looked up: the parts of a run may have plain "
            "values only."
        )


def _live(field: str, value: Any) -> Iterator[str]:
    """The fields in a part that Hydra's instantiate would call (_target_) or look up (${})."""
    if isinstance(value, dict) and "_target_" in value and field not in PARTS:
        yield field
    if isinstance(value, str) and "${" in value:
        yield field
    inside = enumerate(value) if isinstance(value, list) else ()
    for name, inner in value.items() if isinstance(value, dict) else inside:
        yield from _live(f"{field}.{name}", inner)
