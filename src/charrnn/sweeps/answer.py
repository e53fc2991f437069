"""What a sweep prints at its end: the table of its final perplexities. Light to import."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from charrnn.console import print_table
from charrnn.help import WORDS
from charrnn.runs.final import in_bits, in_words
from charrnn.sweeps.ranking import Row, best_of_each

SHOWN = 20
"""Rows, at most."""


def print_ranking(title: str, rows: Sequence[Row], show_all: str) -> None:
    """Print the final perplexities of a sweep, best first.

    Args:
        title: what the table is of.
        rows: see charrnn.sweeps.ranking.
        show_all: the command that shows all of them.
    """
    several = any(len(row.outcomes) > 1 for row in rows)
    corpora = len({row.corpus for row in rows})
    words = ["final perplexity of the test split, best first"]
    words += ["the geometric mean over replicates, which differ in their seed"] if several else []
    words += ["each corpus by itself: perplexities of two corpora do not compare"] * (corpora > 1)
    print(f"\n{title}: {'; '.join(words)}.")
    shown = best_of_each(rows, SHOWN)
    headings = {head for row in shown for head in row.values}
    if explained := "; ".join(f"{word}: {WORDS[word]}" for word in WORDS if word in headings):
        print(f"{explained}.")
    print_table(_table(shown, several))
    if len(shown) < len(rows):
        print(f"and {len(rows) - len(shown)} more rows: {show_all} shows every cell.")


def _table(rows: Sequence[Row], several: bool) -> Table:
    headings = list(dict.fromkeys(head for row in rows for head in row.values))
    table = Table(*headings)
    spread = ("lowest", "highest", "replicates") if several else ()
    for heading in ("perplexity", *spread, "bits per token", "batches"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("run")
    for row in rows:
        numbers = [in_words(row.mean), in_bits(row.mean)] if row.mean is not None else ["-", "-"]
        if several:
            ends = [in_words(row.known[n]) if row.known else "-" for n in (0, -1)]
            of = f" of {len(row.outcomes)}" if len(row.known) < len(row.outcomes) else ""
            numbers[1:1] = [*ends, f"{len(row.known)}{of}"]
        values = [row.values.get(head, "") for head in headings]
        table.add_row(*values, *numbers, f"{row.num_batches:,}", row.state)
    return table
