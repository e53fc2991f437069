"""Figures 7 to 11 as Plotly draws them: hover, zoom, and a legend that hides and shows lines."""

from __future__ import annotations

import itertools
import json
import math
from html import escape
from string import ascii_lowercase
from typing import Any

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.drawing.catalogue import AXES, Figure
from analysis.drawing.colours import Look
from analysis.drawing.lines import arrange
from analysis.drawing.looks import BASELINE_LOOKS, BASELINE_NAMES
from analysis.drawing.names import label
from analysis.results import BASELINES, Results

INK, GRID = "#1b1f24", "#d5dae0"
PANEL_HEIGHT, REST, WIDTH = 300, 110, 1.5
"""Pixels."""
SYMBOLS = {"": "circle", "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "x"}
"""Plotly's name of each of Matplotlib's markers."""
MARKS = {"above": "triangle-up-open", "diverged": "x-thin-open"}
"""What marks each state at the top of a panel."""


def interactive(results: Results, figure: Figure) -> dict[str, Any]:
    """The figure as JSON: `data`, and its `wide` and `narrow` layout, of two columns and of one."""
    wide, narrow = (json.loads(_draw(results, figure, columns).to_json()) for columns in (2, 1))
    return {"data": wide["data"], "wide": wide["layout"], "narrow": narrow["layout"]}


def _draw(results: Results, figure: Figure, columns: int) -> go.Figure:
    arranged = arrange(results, figure)
    panels = arranged.panels
    places = pd.concat([lines[figure.x] for lines in panels.values()])
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    height = rows * PANEL_HEIGHT + REST
    canvas = make_subplots(
        rows,
        columns,
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.04,
        vertical_spacing=0 if rows == 1 else 44 / (rows * PANEL_HEIGHT),
        subplot_titles=[
            f"({ascii_lowercase[n]}) {_html(figure.panel, value)}" for n, value in enumerate(panels)
        ],
    )
    for value, look in arranged.looks.items():  # the legend shows all values, trained or not
        columns_of = [figure.colour, figure.style][: len(value)]
        words = [_html(str(c), one) for c, one in zip(columns_of, value, strict=True)]
        named = {"name": ", ".join(words), "legendgroup": str(value)}
        swatch = {**_stroke(look), "width": 3}
        canvas.add_scatter(x=[None], y=[None], mode="lines", line=swatch, showlegend=True, **named)
    for n, (panel, inside) in enumerate(panels.items()):
        place = {"row": n // columns + 1, "col": n % columns + 1}
        # A panel without a trace would have no axes.
        canvas.add_scatter(x=[None], y=[None], hoverinfo="skip", showlegend=False, **place)
        for trace in _baselines(arranged.baselines[panel], places):
            canvas.add_trace(trace, **place)
        for _, line in inside.groupby("line", sort=False):
            key = line["key"].iloc[0]
            for trace in _traces(line, figure, arranged.looks[key], arranged.top):
                canvas.add_trace(trace.update(legendgroup=str(key)), **place)
    title, scale = AXES[figure.x]
    axis = {"gridcolor": GRID, "linecolor": INK, "ticks": "outside", "zeroline": False}
    canvas.update_xaxes(type=scale, exponentformat="power", dtick=_ticks(places, scale))
    canvas.update_xaxes(rangemode="tozero", **axis)
    canvas.update_xaxes(title_text=title, row=rows)
    span = [arranged.bottom, arranged.top]
    if figure.log_y:
        canvas.update_yaxes(type="log", range=[math.log10(one) for one in span], dtick="D2", **axis)
    else:
        canvas.update_yaxes(range=span, dtick=10, **axis)
    canvas.update_yaxes(title_text="Perplexity", col=1)
    return canvas.update_layout(
        template="none",
        height=height,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={"orientation": "h", "x": 0, "y": 1 + 34 / height, "yanchor": "bottom"},
        margin={"l": 56, "r": 12, "t": 60, "b": 50},
        hovermode="closest",
        hoverlabel={"align": "left"},
    )


def _ticks(x: pd.Series, scale: str) -> int | str | None:
    """Plotly's spacing: decades, or 1, 2 and 5 times them if the axis has less than two."""
    if scale != "log":
        return None
    return "D2" if len(x) and x.max() < 100 * x.min() else 1


def _baselines(known: pd.DataFrame, x: pd.Series) -> list[go.Scatter]:
    """Level lines for the perplexities that need no network, across the axis that ``x`` spans."""
    traces = []
    for row in known.to_dict("records"):
        for name in BASELINES:
            if math.isfinite(row[name]):
                words = f"{row['corpus']}, {BASELINE_NAMES[name]}<br>{_told(row[name])}"
                ends = [float(x.min()), float(x.max())]
                strokes = {**_stroke(BASELINE_LOOKS[name]), "color": row["colour"], "width": 1}
                hover = {"hovertemplate": f"{words}<extra></extra>", "showlegend": False}
                level = [row[name]] * 2
                traces.append(go.Scatter(x=ends, y=level, mode="lines", line=strokes, **hover))
    return traces


def _told(perplexity: float) -> str:
    """A perplexity, and the same in bits; what is infinite has none."""
    bits = f" ({math.log2(perplexity):.2f} bits per token)" if math.isfinite(perplexity) else ""
    return f"perplexity {perplexity:.4g}{bits}"


def _traces(line: pd.DataFrame, figure: Figure, look: Look, top: float) -> list[go.Scatter]:
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
    drawn = {"mode": "lines+markers" if look.marker else "lines", "line": _stroke(look)}
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


def _html(column: str, value: object) -> str:
    """The label in the HTML that Plotly understands, with symbols in italics."""
    symbols = {"$r$": "<i>r</i>", r"$\gamma$": "<i>\N{GREEK SMALL LETTER GAMMA}</i>"}
    text = escape(label(column, value))
    for symbol, markup in symbols.items():
        text = text.replace(symbol, markup)
    return text


def _stroke(look: Look) -> dict[str, Any]:
    """The line of a look, in Plotly's format."""
    dash = ",".join(f"{WIDTH * part:g}px" for part in look.dashes) or "solid"
    return {"color": look.colour, "width": WIDTH, "dash": dash}


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
