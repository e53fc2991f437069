"""`charrnn help`: fields, groups of fields and their options."""

from __future__ import annotations

import argparse

from charrnn.config import conf_folder
from charrnn.schema.explanation import explain as explained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Explain fields, groups and options, from the comments in conf/."
    parser.add_argument(
        "topics", metavar="FIELD | GROUP | OPTION | all", nargs="*", help="none: the overview"
    )
    parser.set_defaults(command=explain)


def explain(arguments: argparse.Namespace) -> None:
    """Print what is asked for.

    Raises:
        BadInput: if there is no such field, group or option.
    """
    print(explained(conf_folder(), arguments.topics))
