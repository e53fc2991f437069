"""Folders of runs may come from somebody else: what is read from them has limits.

Values are plain, and a class is judged by its name before its module is imported.
"""

from __future__ import annotations

import importlib.machinery
from pathlib import Path
from typing import Any

from charrnn.errors import CharRNNError

LONGEST = 1_000_000
"""Characters of a configuration, at most; the project's own have 4,000."""


def plain_yaml(content: bytes | str) -> Any:
    """The plain values in a YAML text: what would be looked up (`${}`) is still text.

    Aliases are refused, with which a short text can stand for endless values.

    Raises:
        ValueError: if the text is too long, or has aliases.
        Exception: of many kinds, by what else is wrong with the text.
    """
    import yaml
    from omegaconf import OmegaConf

    text = content if isinstance(content, str) else content.decode()
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} characters")
    both = "&" in text and "*" in text  # looking at every token takes a while
    if both and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
        raise ValueError("it has aliases")
    return OmegaConf.to_container(OmegaConf.create(text))


def judge(target: object, run: Path) -> str:
    """The place of a class, unless Python would import it from a run's folder, or from beside it.

    Nothing is imported to find that out.

    Args:
        target: the place, as `_target_` has it.
        run: the folder of the run that names it.

    Raises:
        ValueError: if it is not the place of anything.
        CharRNNError: if the class would come from there.
    """
    parts = str(target).split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"{target} is not the place of a class")
    spec = importlib.machinery.PathFinder.find_spec(parts[0])
    if spec is not None:
        origin = [spec.origin] if spec.origin else []
        for place in map(Path, [*origin, *(spec.submodule_search_locations or [])]):
            inner, folder = place.joinpath(*parts[1:]).resolve(), run.resolve()
            beside = place.resolve().parent == folder.parent and parts[0] != "charrnn"
            if beside or inner.is_relative_to(folder):
                raise CharRNNError(
                    f"{run}: _target_={target} would be imported from {place}, which may have come "
                    "with the run: keep Python modules and folders of runs apart."
                )
    return str(target)
