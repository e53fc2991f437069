"""Print the verdict on every claim: `python -m analysis.claims --help`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from analysis.claims.catalogue import judge_all, papers
from analysis.claims.evidence import choose_scale, read_evidence
from analysis.claims.verdict import Verdict
from charrnn.console import print_table, refuse
from charrnn.errors import CharRNNError


def main() -> None:
    """Print the verdicts."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.claims",
        description="What the results say about the paper's claims.",
    )
    parser.add_argument("--scale", default="auto", help="auto: the largest that has been started")
    parser.add_argument("--runs", type=Path, default=Path("multirun"), help="folder of all runs")
    arguments = parser.parse_args()
    try:
        verdicts = judge_all(read_evidence(arguments.runs, choose_scale(**vars(arguments))))
    except CharRNNError as error:
        refuse(error)
    print_table(_table("the paper says", papers(verdicts)))
    print()
    print_table(_table("beside the paper", [one for one in verdicts if one.claim.ours]))


def _table(heading: str, verdicts: list[Verdict]) -> Table:
    table = Table("claim", heading, "verdict", "effect", "what is missing; what is known")
    for verdict in verdicts:
        claim, words = verdict.claim, "; ".join(filter(None, (verdict.reason, verdict.extent)))
        table.add_row(claim.id, claim.says, verdict.outcome, verdict.effect, words)
    return table


if __name__ == "__main__":
    main()
