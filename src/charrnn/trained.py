"""A trained run, ready for use: its network and vocabulary, from its folder alone if possible."""

from __future__ import annotations

import json
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
from charrnn.experiment import DTYPES, build, build_datamodule, scheme_class
from charrnn.identity import Identity
from charrnn.runs import RunFolder
from charrnn.schemes import Scheme
from charrnn.sealed import DamagedRun


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: of the run.
        cfg: the configuration that trained it.
        identity: what the run is.
        scheme: as configured; others of the same training share the run.
    """

    folder: RunFolder
    cfg: DictConfig
    identity: Identity
    scheme: type[Scheme]

    @property
    def k2(self) -> int:
        """Tokens in its training sequences."""
        return self.cfg.k2

    def __str__(self) -> str:
        return self.folder.path.name

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

    Raises:
        CharRNNError: if it is not finished, damaged, or of classes that are no charrnn ones.
    """
    if not folder.is_finished:
        raise CharRNNError(f"{folder.path} is not finished: train it to its end first.")
    cfg = OmegaConf.create(folder.read("config.yaml").decode())
    assert isinstance(cfg, DictConfig)
    # A folder may come from elsewhere: what it names is built only if it is what it should be.
    for node, kind in (
        (cfg.backbone, Backbone),
        (cfg.data, Corpus),
        (cfg.datamodule, CharDataModule),
    ):
        _require_kind(folder, node._target_, kind)
    _require_kind(folder, cfg.model._target_, Scheme)
    identity = json.loads(folder.read("identity.json"))
    return TrainedRun(folder, cfg, identity, scheme_class(cfg))


def _require_kind(folder: RunFolder, target: str, kind: type[Any]) -> None:
    try:
        fits = issubclass(get_class(target), kind)
    except Exception:  # of many kinds, by what is wrong with the name
        fits = False
    if not fits:
        raise CharRNNError(f"{folder.path}: {target} is no {kind.__name__} that can be had here.")
