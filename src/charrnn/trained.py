"""A trained run, ready for use: its network and vocabulary, from its folder alone if possible."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from charrnn.backbone import Backbone
from charrnn.data.corpora import Corpus
from charrnn.data.module import CharDataModule
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CharRNNError
from charrnn.experiment import DTYPES, build, build_datamodule
from charrnn.identity import Identity
from charrnn.runs import RunFolder
from charrnn.schemes import Scheme
from charrnn.sealed import DamagedRun

CONFIG = "config.yaml"
PARTS = {"backbone": Backbone, "data": Corpus, "datamodule": CharDataModule, "model": Scheme}
"""What is made of the nodes of a run's configuration."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: of the run.
        cfg: the configuration that trained it.
        identity: what the run is.
        scheme: as configured; others of the same training share the run.
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
            CharRNNError: if it is no scheme.
        """
        node = f"schemes.s{name}"
        known = OmegaConf.select(self.cfg, node) is not None
        return _class(self.folder, self.cfg, node, Scheme) if known else None

    def vocabulary(self) -> Vocabulary:
        """The tokens that it was trained on; of an old run, which did not keep them, the corpus's.

        Raises:
            CharRNNError: if the corpus is needed, and cannot be had or is another one by now.
        """
        kept = self.folder.read_vocabulary()
        return kept if kept is not None else self.datamodule().tokens.vocabulary

    def backbone(self, vocabulary_size: int) -> Backbone:
        """The trained network, in evaluation mode, on the GPU if there is one.

        Raises:
            DamagedRun: if the weights cannot be read, or do not fit the configuration.
        """
        backbone: Backbone = build(self.cfg.backbone, vocabulary_size=vocabulary_size)
        backbone.to(DTYPES[self.cfg.precision])
        try:
            backbone.load_state_dict(self.folder.read_weights())
        except RuntimeError as error:
            raise DamagedRun(self.folder.path / "weights.pt") from error
        return backbone.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def datamodule(self) -> CharDataModule:
        """Its corpus, split as it was for the training.

        Raises:
            CharRNNError: if the corpus cannot be had, or is another one by now.
        """
        datamodule = build_datamodule(self.cfg)
        if datamodule.tokens.sha256 != self.identity["corpus"]["sha256"]:
            raise CharRNNError(
                f"{self} was trained on another text than {datamodule.tokens.name} is on this "
                "machine by now: give a text of your own."
            )
        datamodule.setup()
        return datamodule


def open_run(folder: RunFolder) -> TrainedRun:
    """The run of a finished folder.

    A folder may come from elsewhere. What its configuration describes is built only if it is of the
    kind that it should be, and out of plain values. To see the kind, Python imports the module that
    is named, which may be one of your own: have no folder of runs in PYTHONPATH.

    Raises:
        CharRNNError: if it is no run's, not finished, damaged, of classes that are none of
            charrnn's kinds, or if a value in it would be called or looked up.
    """
    if not (folder.path / CONFIG).exists():
        raise CharRNNError(f"{folder.path} is no run's folder: it has no {CONFIG}.")
    mark = folder.mark()
    if mark is None:
        raise CharRNNError(f"{folder.path} is not finished: train it to its end first.")
    cfg = OmegaConf.create(folder.read(CONFIG).decode())
    assert isinstance(cfg, DictConfig)
    _require_plain_values(folder, cfg)
    classes = {name: _class(folder, cfg, name, kind) for name, kind in PARTS.items()}
    identity = json.loads(folder.read("identity.json"))
    return TrainedRun(folder, cfg, identity, classes["model"], mark["perplexity"])


def _class(folder: RunFolder, cfg: DictConfig, name: str, kind: type[Any]) -> type[Any]:
    """The class that node ``name`` is of."""
    target = OmegaConf.select(cfg, f"{name}._target_")
    try:
        found = get_class(target)
        fits = issubclass(found, kind)
    except Exception:  # of many kinds, by what is wrong with the name
        fits = False
    if not fits:
        wanted = f"{kind.__name__} that can be had here"
        raise CharRNNError(f"{folder.path / CONFIG}: {name}._target_={target} is no {wanted}.")
    return found


def _require_plain_values(folder: RunFolder, cfg: DictConfig) -> None:
    values = OmegaConf.to_container(cfg)
    assert isinstance(values, dict)
    for field in (field for part in PARTS for field in _live(part, values.get(part))):
        raise CharRNNError(
            f"{folder.path / CONFIG}: {field} would be called or looked up: the parts of a run "
            "that is used have plain values only."
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
