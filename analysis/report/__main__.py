"""The report: `python -m analysis.report --help`."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.claims.evidence import choose_scale, read_evidence
from analysis.report.content import content
from analysis.report.page import render
from charrnn.cli import refusing
from charrnn.files import write_atomically


def main() -> None:
    """Write the page for one scale, and print its path."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.report",
        description="Write the results of all runs at one scale as an HTML page, finished or not.",
    )
    parser.add_argument(
        "--scale", default="auto", help="auto: the largest scale that has been started"
    )
    parser.add_argument("--runs", type=Path, default=Path("multirun"), help="folder of all runs")
    parser.add_argument("--results", default="own", help="own runs, or reference: the project's")
    parser.add_argument("--out", type=Path, help="the page (default: RUNS/report.html)")
    arguments = parser.parse_args()
    out = arguments.out or arguments.runs / "report.html"
    with refusing():
        scale = choose_scale(arguments.scale, arguments.runs, arguments.results)
        evidence = read_evidence(arguments.runs, scale, arguments.results)
        page = render(content(evidence, arguments.runs))
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, page)
        print(out)


if __name__ == "__main__":
    main()
