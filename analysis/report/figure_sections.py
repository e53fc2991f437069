"""The figures of the page: those of the user's own sweeps, then the paper's and further ones."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from analysis.baselines import with_baselines
from analysis.claims.evidence import Evidence
from analysis.claims.verdict import to_train
from analysis.drawing.any_sweep import figure_of_sweep, with_settings
from analysis.drawing.canvas import render
from analysis.drawing.caption import caption
from analysis.drawing.catalogue import FIGURES, Figure
from analysis.instability.figure import draw
from analysis.instability.summary import tables
from analysis.instability.verdict import verdict
from analysis.report.final_perplexities import best, finals, lowest_mean
from analysis.report.plotly_figures import interactive
from analysis.results import Results

ON_STABILITY = ("readings", "carry", "suspects")
"""Experiments on stability: what they say together stands below the first that was started."""


def figure_sections(evidence: Evidence, folder: Path) -> Iterable[dict[str, Any]]:
    """Name, title, caption and plot of each figure that has been started: own sweeps come first."""
    for name, results in evidence.sweeps.items():
        if name not in FIGURES:
            results = with_settings(results)
            figure = figure_of_sweep(name, results)
            named = {"name": f"sweep-{name}", "short": figure.title, "title": figure.title}
            yield {**named, "own": True, **_shown(results, figure, folder)}
    first = next((one for one in ON_STABILITY if one in evidence.sweeps), None)
    for name, figure in FIGURES.items():
        if name in evidence.sweeps:
            title, _, where = figure.title.removesuffix(")").rpartition(" (")
            named = {"name": name, "short": title, "title": figure.title}
            if where.startswith("Figure"):
                named |= {"short": where, "title": f"{where}: {title}"}
            shown = {**named, "own": False, **_shown(evidence.sweeps[name], figure, folder)}
            yield shown | (_on_stability(evidence, folder) if name == first else {})


def _shown(results: Results, figure: Figure, folder: Path) -> dict[str, Any]:
    """A figure's caption, its plot, and the numbers that its lines end with."""
    results = with_baselines(figure.select(results), folder)
    rows = finals(results, figure)
    return {
        "caption": caption(results, figure, right_axis=False),
        "plot": interactive(results, figure),
        "limit": figure.limit,
        "log_y": figure.log_y,
        "finals": rows,
        "best": best(rows),
        "lines": len(results.curves["run"].unique()),
        "findings": [],
        "image": None,
    }


def answers(sections: Iterable[Mapping[str, Any]]) -> list[str]:
    """What each of the user's own sweeps has found, in a sentence."""
    return [
        f"Lowest final perplexity in {section['title']}: {found}."
        for section in sections
        if section["own"] and (found := lowest_mean(section["finals"]))
    ]


def not_started(evidence: Evidence) -> str:
    """The figures that nothing has been trained of, and the commands that start them."""
    names = [name for name in FIGURES if name not in evidence.sweeps]
    if not names:
        return ""
    commands = to_train(names, evidence.scale).removeprefix("not started: ")
    return f"Not started: {', '.join(names)}: {commands}."


def _on_stability(evidence: Evidence, folder: Path) -> dict[str, Any]:
    """What makes training unstable, in sentences, and its figure as SVG in base64."""
    carry, suspects = tables(evidence.sweeps, folder)
    findings = verdict(carry, suspects)
    image = render(draw(carry, suspects, findings[0], folder), "svg")
    return {"findings": findings, "image": base64.b64encode(image).decode()}
