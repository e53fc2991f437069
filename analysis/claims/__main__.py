"""Print the verdict on every claim: `python -m analysis.claims --help`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from analysis.claims.catalogue import judge_all, papers
from analysis.claims.evidence import choose_scale, read_evidence
from analysis.claims.verdict import Verdict, false_verdicts
from charrnn.cli import refusing
from charrnn.console import print_table


def main() -> None:
    """Print the verdicts."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.claims",
        description="What the results say about the paper's claims.",
    )
    parser.add_argument("--scale", default="auto", help="auto: the largest that has been started")
    parser.add_argument("--runs", type=Path, default=Path("multirun"), help="folder of all runs")
    parser.add_argument("--results", default="own", help="own runs, or reference: the project's")
    arguments = parser.parse_args()
    runs, source = arguments.runs, arguments.results
    with refusing():
        scale = choose_scale(arguments.scale, runs, source)
        verdicts = judge_all(read_evidence(runs, scale, source))
        print_table(_table("the paper says", papers(verdicts)))
        print()
        print_table(_table("beside the paper", [one for one in verdicts if one.claim.ours]))
        print()
        print(false_verdicts(verdicts))


def _table(heading: str, verdicts: list[Verdict]) -> Table:
    table = Table("claim", heading, "verdict", "effect", "why; conditions; what it covers")
    for verdict in verdicts:
        claim, why = verdict.claim, (verdict.reason, verdict.conditions, verdict.extent)
        words = "; ".join(filter(None, why))
        table.add_row(claim.id, claim.says, verdict.outcome, verdict.effect, words)
    return table


if __name__ == "__main__":
    main()
