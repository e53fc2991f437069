"""Figures 7 to 11 as Plotly draws them: hover, zoom, and a legend that hides and shows lines."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from string import ascii_lowercase
from typing import Any

import pandas as pd
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from analysis.drawing.catalogue import AXES, Figure
from analysis.drawing.lines import arrange
from analysis.drawing.looks import BASELINE_LOOKS, BASELINE_NAMES
from analysis.report.plotly_lines import html, level_lines, stroke, traces_of
from analysis.results import BASELINES, Results

INK, GRID = "#1b1f24", "#d5dae0"
PANEL_HEIGHT, REST = 300, 110
"""Pixels."""


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
            f"({ascii_lowercase[n]}) {html(figure.panel, value)}" for n, value in enumerate(panels)
        ],
    )
    for value, look in arranged.looks.items():  # the legend shows all values, trained or not
        named = {"name": _name(figure, value), "legendgroup": _name(figure, value)}
        swatch = {**stroke(look), "width": 3}
        canvas.add_scatter(x=[None], y=[None], mode="lines", line=swatch, showlegend=True, **named)
    for name in BASELINES:
        if BASELINE_NAMES[name] in arranged.legend:
            named = {"name": BASELINE_NAMES[name], "legendgroup": name}
            swatch = {**stroke(BASELINE_LOOKS[name]), "width": 2}
            canvas.add_scatter(
                x=[None], y=[None], mode="lines", line=swatch, showlegend=True, **named
            )
    for n, (panel, inside) in enumerate(panels.items()):
        place = {"row": n // columns + 1, "col": n % columns + 1}
        # A panel without a trace would have no axes.
        canvas.add_scatter(x=[None], y=[None], hoverinfo="skip", showlegend=False, **place)
        for trace in level_lines(arranged.baselines[panel], places):
            canvas.add_trace(trace, **place)
        for _, line in inside.groupby("line", sort=False):
            key = line["key"].iloc[0]
            for trace in traces_of(line, figure, arranged.looks[key], arranged.top):
                canvas.add_trace(trace.update(legendgroup=_name(figure, key)), **place)
    title, scale = AXES[figure.x]
    axis = {"gridcolor": GRID, "linecolor": INK, "ticks": "outside", "zeroline": False}
    canvas.update_xaxes(type=scale, exponentformat="power", dtick=_ticks(places, scale))
    canvas.update_xaxes(rangemode="tozero", **axis)
    canvas.update_xaxes(title_text=title, row=rows)
    span = [arranged.bottom, arranged.top]
    if figure.log_y:
        # Plotly's own labels would be 2, 5, 10, 2, 5, 100.
        ticks = [digit * 10**n for n in range(3) for digit in (1, 2, 5)]
        ends = [math.log10(one) for one in span]
        canvas.update_yaxes(type="log", range=ends, tickvals=ticks, ticktext=ticks, **axis)
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


def _name(figure: Figure, key: tuple[Hashable, ...]) -> str:
    """What the legend calls the lines with these values of the figure's colour and style."""
    columns = [figure.colour, figure.style][: len(key)]
    return ", ".join(html(str(column), one) for column, one in zip(columns, key, strict=True))


def _ticks(x: pd.Series, scale: str) -> int | str | None:
    """Plotly's spacing: decades, or 1, 2 and 5 times them if the axis has less than two."""
    if scale != "log":
        return None
    return "D2" if len(x) and x.max() < 100 * x.min() else 1
