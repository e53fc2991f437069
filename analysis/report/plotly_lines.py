"""The lines of a figure as traces of Plotly: what is drawn, and what is told on hovering."""

from __future__ import annotations

import itertools
import math
from html import escape
from typing import Any

import pandas as pd
from plotly import graph_objects as go

from analysis.drawing.catalogue import Figure
from analysis.drawing.colours import Look
from analysis.drawing.looks import BASELINE_LOOKS, BASELINE_NAMES
from analysis.drawing.names import label
from analysis.results import BASELINES

WIDTH = 1.5
"""Pixels."""
SYMBOLS = {"": "circle", "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "x"}
"""Plotly's name of each of Matplotlib's markers."""
MARKS = {"above": "triangle-up-open", "diverged": "x-thin-open"}
"""What marks each state at the top of a panel."""


def level_lines(known: pd.DataFrame, x: pd.Series) -> list[go.Scatter]:
    """Level lines for the perplexities that need no network, across the axis that ``x`` spans."""
    traces = []
    for row in known.to_dict("records"):
        for name in BASELINES:
            if math.isfinite(row[name]):
                words = f"{row['corpus']}, {BASELINE_NAMES[name]}<br>{_told(row[name])}"
                ends = [float(x.min()), float(x.max())]
                strokes = {**stroke(BASELINE_LOOKS[name]), "color": row["colour"], "width": 1}
                hover = {"hovertemplate": f"{words}<extra></extra>", "showlegend": False}
                hover["legendgroup"], level = name, [row[name]] * 2
                traces.append(go.Scatter(x=ends, y=level, mode="lines", line=strokes, **hover))
    return traces


def _told(perplexity: float) -> str:
    """A perplexity, and the same in bits; what is infinite has none."""
    bits = f" ({math.log2(perplexity):.2f} bits per token)" if math.isfinite(perplexity) else ""
    return f"perplexity {perplexity:.4g}{bits}"


def traces_of(line: pd.DataFrame, figure: Figure, look: Look, top: float) -> list[go.Scatter]:
    """A cell's line, the band over its seeds, and marks for values that are above the axis."""
    first, colour = line.iloc[0], look.colour
    values = line["mean"].mask(line["diverged"], math.inf)
    hover: dict[str, Any] = {
        "customdata": [
            [_told(value), f"{row['batches']:,}", _lines(row["runs"])]
            for value, row in zip(values, line.to_dict("records"), strict=True)
        ],
        "hovertemplate": (
            f"{escape(_cell(first, figure.colour))}<br>%{{customdata[0]}}"
            " after %{customdata[1]} batches<br>%{customdata[2]}<extra></extra>"
        ),
        "showlegend": False,
    }
    x = line[figure.x].tolist()
    traces = []
    if (line["num_seeds"] > 1).any():
        edge = {"x": x, "mode": "lines", "hoverinfo": "skip", "showlegend": False}
        edge["line"] = {"width": 0, "color": colour}
        fill = {"fill": "tonexty", "fillcolor": _pale(colour)}
        traces += [go.Scatter(y=line["lowest"].tolist(), **edge)]
        traces += [go.Scatter(y=line["highest"].tolist(), **edge, **fill)]
    drawn = {"mode": "lines+markers" if look.marker else "lines", "line": stroke(look)}
    drawn["marker"] = {"symbol": SYMBOLS[look.marker], "size": 5}
    traces.append(go.Scatter(x=x, y=line["mean"].tolist(), **drawn, **hover))
    for state, symbol in MARKS.items():
        if not line[state].any():
            continue
        there = line[state].to_numpy()
        told = {**hover, "customdata": list(itertools.compress(hover["customdata"], there))}
        marks = {"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2}}
        traces.append(
            go.Scatter(
                x=line.loc[there, figure.x].tolist(),
                y=[top] * int(there.sum()),
                mode="markers",
                marker=marks,
                cliponaxis=False,
                **told,
            )
        )
    return traces


def _lines(names: str) -> str:
    """Names of runs, one per line, in the HTML that Plotly understands."""
    return "<br>".join(map(escape, names.split(", ")))


def _cell(line: pd.Series, colour: str) -> str:
    named = ("corpus", "scheme", "architecture", "k2", "training")
    how = f"scheme {line['scheme']}" if "scheme" in line else f"{line['training']} training"
    words = [
        f"{line['corpus']}, {how}, r={line['num_layers']},"
        f" \N{GREEK SMALL LETTER GAMMA}={line['hidden_size']}, k1={line['k1']}, k2={line['k2']}",
        "" if colour in named else label(colour, line[colour]),
        label("reading", line["reading"]) if "reading" in line else "",
        line.get("settings", ""),
    ]
    return ", ".join(filter(None, words))


def html(column: str, value: object) -> str:
    """The label in the HTML that Plotly understands, with symbols in italics."""
    symbols = {"$r$": "<i>r</i>", r"$\gamma$": "<i>\N{GREEK SMALL LETTER GAMMA}</i>"}
    text = escape(label(column, value))
    for symbol, markup in symbols.items():
        text = text.replace(symbol, markup)
    return text


def stroke(look: Look) -> dict[str, Any]:
    """The line of a look, in Plotly's format."""
    dash = ",".join(f"{WIDTH * part:g}px" for part in look.dashes) or "solid"
    return {"color": look.colour, "width": WIDTH, "dash": dash}


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
