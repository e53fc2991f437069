"""Names of fields: which there are, and which one was meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from charrnn.config import conf_folder
from charrnn.errors import CharRNNError
from charrnn.help import field_names, options_with

SHOWN = 3
"""Names that are proposed, at most."""


class UnknownField(CharRNNError):
    """A name that no field has where it stands.

    Args:
        name: as the user wrote it.
        known: further names that would do, beside those in the configuration's files.

    Examples:
        >>> print(UnknownField("lr"))
        lr is no field: did you mean optimizer.lr?
        >>> print(UnknownField("num_batchs"))
        num_batchs is no field: did you mean num_batches?
        >>> print(UnknownField("launcher.partition"))
        launcher.partition is no field here: only launcher=slurm has it.
    """

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        names = [*dict.fromkeys([*field_names(conf_folder()), *known])]
        if name.partition(".")[0] == "hydra":
            hint = ": --hydra-help shows what Hydra has."
        elif having := options_with(conf_folder(), name):
            hint = f" here: only {having} has it."
        elif meant := " or ".join(nearest(name, names)):
            hint = f": did you mean {meant}?"
        else:
            hint = (
                ": charrnn help all lists the fields; names of your own, for interpolations, go "
                "under own."
            )
        super().__init__(f"{name} is no field{hint}")


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """The names that are nearest to ``name``: with the same last part, or with one like it.

    If some of them stand where ``name`` stands, the others are left out. If there are none, it is
    the field that ``name`` takes for a group.
    """
    parent, _, last = name.rpartition(".")
    found = [each for each in names if _last(each) == last]
    if not found:
        known = {_last(each): None for each in names}
        alike = get_close_matches(last, known, n=SHOWN, cutoff=0.5 if len(last) < 4 else 0.7)
        found = [each for word in alike for each in names if _last(each) == word]
    beside = [each for each in found if each.rpartition(".")[0] == parent]
    return (beside or found or [each for each in names if each == parent])[:SHOWN]


def _last(name: str) -> str:
    return name.rpartition(".")[2]
