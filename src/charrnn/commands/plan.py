"""`charrnn plan`: what experiments would train, and how long that takes here."""

from __future__ import annotations

import argparse

from charrnn.commands.output import path_of
from charrnn.errors import CharRNNError, require

DESCRIPTION = """\
The runs that experiments need together, and the time that they take on this machine. Runs that
several experiments share count once. Trains nothing and fetches nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = DESCRIPTION
    parser.add_argument("words", metavar="EXPERIMENT | FIELD=VALUE", nargs="+")
    parser.add_argument(
        "--config-dir", "-cd", type=path_of, metavar="DIR", help="a folder of yours beside conf/"
    )
    parser.set_defaults(command=plan)


def plan(arguments: argparse.Namespace) -> None:
    """Print the plan.

    Raises:
        CharRNNError: if no experiment is named, or a setting cannot be used.
    """
    names = [word for word in arguments.words if "=" not in word]
    if not names:
        raise CharRNNError(
            "charrnn plan needs the name of an experiment, such as fig9: for a run or a sweep of "
            "your own, add plan=true to its command."
        )
    from charrnn.data.fetching.packages import no_fetching
    from charrnn.sweeps.cells import cells_of, check_all
    from charrnn.sweeps.plan import print_plan

    overrides = [word for word in arguments.words if "=" in word]
    if (own := arguments.config_dir) is not None:
        require(own.is_dir(), "--config-dir", own, "an existing folder")
        overrides.insert(0, f"hydra.searchpath=['file://{own.resolve()}']")
    with no_fetching():
        experiments = {name: cells_of(name, overrides) for name in names}
        for cells in experiments.values():
            check_all(cells)
        print_plan(experiments, experiments[names[-1]][0].cfg)
