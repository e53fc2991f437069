"""Corpora by the names that `data=` takes on the command line."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from charrnn.config import build, conf_folder
from charrnn.data.corpora.base import Corpus
from charrnn.errors import require_choice


def corpus(name: str, **arguments: Any) -> Corpus:
    """A corpus by its name; nothing is read before it is used.

    Args:
        name: one of the options of `data=`, see `charrnn help data`.
        **arguments: of the corpus: ``first``, how many tokens are used; ``path`` of a text file.

    Raises:
        CharRNNError: if there is no such corpus, or an argument is missing or unknown.

    Examples:
        >>> from charrnn import corpus
        >>> from pathlib import Path
        >>> _ = Path("hats.txt").write_text("the seat of the hat")
        >>> tokens = corpus("textfile", path="hats.txt").load()
        >>> tokens.name, tokens.tokens.shape
        ('hats', (19,))
        >>> tokens.vocabulary.symbols
        (' ', 'a', 'e', 'f', 'h', 'o', 's', 't')
    """
    folder = conf_folder() / "data"
    require_choice("data", name, sorted(file.stem for file in folder.glob("*.yaml")))
    node = OmegaConf.merge(OmegaConf.load(folder / f"{name}.yaml"), arguments)
    assert isinstance(node, DictConfig)
    return build(node)
