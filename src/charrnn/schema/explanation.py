"""What `charrnn help` says of a field beside its comment: range, sizes at each scale, the paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from charrnn.help import Entry, entries_on, overview, wrapped
from charrnn.schema.fields import kind_of

SCALES = ("quick", "laptop", "long", "paper")
"""From the smallest to the largest; `smoke` is for tests."""
OF_SCALE = re.compile(r"\$\{scale\.(?P<name>[\w.]+)\}")
"""A default that the scale decides."""
PAPER = {
    "scheme": "Sections 3.4 to 3.7; Figure 9",
    "k1": "Section 4.1, Eq. 8; Figures 9 and 10 compare values",
    "k2": "Section 4.1, Eq. 8; Figure 11 compares values",
    "k3": "Section 5",
    "weighting": "Section 5",
    "backbone.num_layers": "Table 3; Figures 7 and 8 compare 1 and 2",
    "backbone.hidden_size": "Table 3, where it is gamma; Figures 7 and 8 compare 128 and 512",
    "backbone.dense_size": "Table 3",
    "backbone.dropout": "Section 4.3",
    "datamodule.order": "Section 4.1, Eq. 8; Section 4.3",
    "datamodule.batch_size": "Section 4.1, Eq. 8",
    "datamodule.test_size": "Section 4.2",
    "optimizer.lr": "Section 4.3",
    "backbone.peepholes": "Table 3 and Eq. 7",
    "backbone.grad_clip": "Table 3",
}
"""Where the paper speaks of a field."""


def explain(conf: Path, topics: Sequence[str]) -> str:
    """What the words after `charrnn help` ask for; the overview if there are none.

    Raises:
        BadInput: if a word is neither a field nor a group nor an option nor a word of the paper's.
    """
    return "\n\n".join(_explain(conf, topic) for topic in topics) or overview(conf)


def _explain(conf: Path, topic: str) -> str:
    lines: list[str] = []
    for found in entries_on(conf, topic):
        lines.append(str(found))
        if isinstance(found, Entry):
            lines += (wrapped(line, 8, 12) for line in _more(conf, found))
    return "\n".join(lines)


def _more(conf: Path, entry: Entry) -> Iterator[str]:
    """The lines below a field: what it can be, what it is at each scale, and where the paper is."""
    name, equals, default = entry.heading.partition("=")
    kind = kind_of(name)
    if not equals or kind is None:
        return
    yield f"can be: {kind.wanted}"
    if at_scale := OF_SCALE.fullmatch(default):
        sizes = ((scale, _of_scale(conf, scale, at_scale["name"])) for scale in SCALES)
        yield f"default: {', '.join(f'{value} at scale={scale}' for scale, value in sizes)}"
    if name in PAPER:
        yield f"in the paper: {PAPER[name]}"


def _of_scale(conf: Path, scale: str, name: str) -> object:
    value = yaml.safe_load((conf / "scale" / f"{scale}.yaml").read_text())
    for part in name.split("."):
        value = value[part]
    return "null" if value is None else value
