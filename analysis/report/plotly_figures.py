"""Figures 7 to 11 as Plotly draws them: hover, zoom, and a legend that hides and shows lines."""

from __future__ import annotations

import itertools
import json
from html import escape
from string import ascii_lowercase
from typing import Any

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.drawing.catalogue import AXES, Figure
from analysis.drawing.colours import DASHES
from analysis.drawing.lines import arrange, label
from analysis.results import Results

INK, GRID = "#1b1f24", "#d5dae0"
PANEL_HEIGHT, REST, WIDTH = 300, 110, 1.5
"""Pixels."""


def interactive(results: Results, figure: Figure) -> dict[str, Any]:
    """The figure as JSON: `data`, and its `wide` and `narrow` layout, of two columns and of one."""
    wide, narrow = (json.loads(_draw(results, figure, columns).to_json()) for columns in (2, 1))
    return {"data": wide["data"], "wide": wide["layout"], "narrow": narrow["layout"]}


def _draw(results: Results, figure: Figure, columns: int) -> go.Figure:
    panels, colours = arrange(results, figure)
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
    for value, colour in colours.items():  # the legend shows all values, trained or not
        named = {"name": _html(figure.colour, value), "legendgroup": str(value)}
        swatch = {"color": colour, "width": 3, "dash": _dash(colour)}
        canvas.add_scatter(x=[None], y=[None], mode="lines", line=swatch, showlegend=True, **named)
    for n, inside in enumerate(panels.values()):
        place = {"row": n // columns + 1, "col": n % columns + 1}
        # A panel without a trace would have no axes.
        canvas.add_scatter(x=[None], y=[None], hoverinfo="skip", showlegend=False, **place)
        for (value, *_), line in inside.groupby([figure.colour, "line"], sort=False):
            for trace in _traces(line, figure, colours[value]):
                canvas.add_trace(trace.update(legendgroup=str(value)), **place)
    title, scale = AXES[figure.x]
    axis = {"gridcolor": GRID, "linecolor": INK, "ticks": "outside", "zeroline": False}
    canvas.update_xaxes(type=scale, exponentformat="power", dtick=_ticks(results, figure.x, scale))
    canvas.update_xaxes(rangemode="tozero", **axis)
    canvas.update_xaxes(title_text=title, row=rows)
    canvas.update_yaxes(range=[0, figure.limit], dtick=10, **axis)
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


def _ticks(results: Results, x: str, scale: str) -> int | str | None:
    """Plotly's spacing: decades, or 1, 2 and 5 times them if the axis has less than two."""
    if scale != "log":
        return None
    values = results.curves[x]
    return "D2" if len(values) and values.max() < 100 * values.min() else 1


def _traces(line: pd.DataFrame, figure: Figure, colour: str) -> list[go.Scatter]:
    """A cell's line, the band over its seeds, and crosses for values above the axis."""
    first, above = line.iloc[0], line["above"].to_numpy()
    hover: dict[str, Any] = {
        "customdata": [
            [f"{row['perplexity']:.4g}", f"{row['batches']:,}", _lines(row["runs"])]
            for row in line.to_dict("records")
        ],
        "hovertemplate": (
            f"{escape(_cell(first, figure.colour))}<br>perplexity %{{customdata[0]}}"
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
    strokes = {"color": colour, "width": WIDTH, "dash": _dash(colour)}
    traces.append(go.Scatter(x=x, y=line["mean"].tolist(), mode="lines", line=strokes, **hover))
    if above.any():
        hover["customdata"] = list(itertools.compress(hover["customdata"], above))
        marks = {"color": colour, "symbol": "x-thin-open", "size": 9, "line": {"width": 2}}
        traces.append(
            go.Scatter(
                x=line.loc[above, figure.x].tolist(),
                y=[figure.limit] * int(above.sum()),
                mode="markers",
                marker=marks,
                cliponaxis=False,
                **hover,
            )
        )
    return traces


def _lines(names: str) -> str:
    """Names of runs, one per line, in the HTML that Plotly understands."""
    return "<br>".join(map(escape, names.split(", ")))


def _cell(line: pd.Series, colour: str) -> str:
    named = ("corpus", "scheme", "architecture", "k2")
    words = [
        f"{line['corpus']}, scheme {line['scheme']}, r={line['num_layers']},"
        f" \N{GREEK SMALL LETTER GAMMA}={line['hidden_size']}, k1={line['k1']}, k2={line['k2']}",
        "" if colour in named else label(colour, line[colour]),
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


def _dash(colour: str) -> str:
    """The dashes of a colour, in Plotly's format."""
    return ",".join(f"{WIDTH * part:g}px" for part in DASHES[colour]) or "solid"


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
