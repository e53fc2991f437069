"""The page as one file: its template, style and script, and Plotly's script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from analysis.speed.table4 import digits
from charrnn.help import WORDS

HERE = Path(__file__).parent


def render(variables: Mapping[str, Any]) -> str:
    """The page as HTML that loads nothing else; all text from runs is escaped.

    Args:
        variables: see analysis.report.content.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    drawn = any(figure["plot"] for figure in variables["figures"])
    # Only the page's own files and Plotly's are not escaped.
    return environment.get_template("page.html.j2").render(
        **variables,
        known={run.name for run in variables["runs"]},
        words=WORDS,
        digits=digits,
        infinity=math.inf,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        plotly=Markup(get_plotlyjs()) if drawn else "",
    )
