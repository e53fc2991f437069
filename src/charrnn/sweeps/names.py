"""The name of a sweep, which its table of cells and its figure are written under."""

from __future__ import annotations

import re

from charrnn.config import conf_folder
from charrnn.errors import require

UNNAMED = "sweep"
"""The name of a sweep that has neither a name nor an experiment."""
FIGURES = ("reading-gap", "aggregate", "instability", "all")
"""Names that figures have, beside those of the experiments."""
LONGEST = 100
"""Characters: file systems allow 255 in all."""


def sweep_name(given: object, experiment: str | None) -> str:
    """The name of a sweep.

    Args:
        given: the field `name`; None takes the experiment's.
        experiment: the experiment that was chosen, if one was.

    Raises:
        BadInput: if a file cannot have that name, or another experiment or figure has it.
    """
    if given is None:
        return experiment or UNNAMED
    name = str(given)
    fits = re.fullmatch(rf"[A-Za-z0-9_-]{{1,{LONGEST}}}", name) is not None
    require(fits, "name", name, f"made of letters, digits, - and _, at most {LONGEST} of them")
    free = name == experiment or name not in {*_experiments(), *FIGURES}
    require(free, "name", name, "one that no experiment and no figure of the project has")
    return name


def _experiments() -> set[str]:
    return {path.stem for path in (conf_folder() / "experiment").glob("*.yaml")}
