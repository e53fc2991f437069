"""How models of a sweep read on: measured on real runs, summed up from numbers by hand, drawn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from analysis.reading_on.figure import draw
from analysis.reading_on.measure import COLUMNS, MIDDLES, by_bin, measured
from analysis.reading_on.summary import costs, in_words
from analysis.results import Results

from charrnn.commands.trained_run import open_run
from charrnn.evaluation.reading_on import read_on
from charrnn.training.train_run import train

CELL = {"corpus": "shakespeare", "scheme": 3, "num_layers": 1, "hidden_size": 128, "k2": 100}
CELL |= {"k1": 100, "scale": "laptop", "num_batches": 401, "state": "finished"}


def results(cells):
    """Runs whose perplexity is 10 up to k2, and from there on what each cell says."""
    rows = []
    for n, cell in enumerate(cells):
        beyond = cell.pop("beyond")
        row = dict.fromkeys(COLUMNS, math.nan) | CELL | {"run": str(n)} | cell
        row |= {f"perplexity {n}": 10.0 if at < 1 else beyond for n, at in enumerate(MIDDLES)}
        rows.append(row)
    table = pd.DataFrame(rows)
    return Results(table.drop(columns=[*COLUMNS]), table)


def test_the_cost_is_the_mean_over_replicates_of_far_over_near():
    cells = [{"seed": n, "beyond": value, "forget_bias": 5.0} for n, value in enumerate((20, 40))]
    cells += [{"seed": n, "beyond": 10.0 * 1.1**n, "forget_bias": 0.0} for n in range(3)]
    table = costs(results(cells)).set_index("forget_bias")
    assert table.loc[5.0, "cost"] == pytest.approx(math.sqrt(8))
    assert math.isnan(table.loc[5.0, "low"])  # an interval takes three
    assert table.loc[0.0, "cost"] == pytest.approx(1.1)
    half = 4.302652729911275 * math.log(1.1) / math.sqrt(3)  # Student's, 2 degrees of freedom
    assert table.loc[0.0, "high"] == pytest.approx(1.1 * math.exp(half))
    assert table["runs"].tolist() == [2, 3]
    assert table["perplexity"].tolist() == pytest.approx([10, 10])
    lines = [*in_words(costs(results([dict(c, beyond=20.0, seed=0) for c in ({},)])))]
    assert lines[-1] == "| shakespeare | multi-loss | 10.00 | x 2.00, 1 runs |"


def test_lines_are_coloured_by_the_start_where_a_sweep_varies_it():
    cells = [{"start": start, "seed": 0, "beyond": 12.0} for start in ("none", "passed")]
    canvas = draw(results(cells))
    axes = canvas.axes[0]
    words = [text.get_text() for text in canvas.legends[0].get_texts()]
    assert words == ["none", "passed"]
    drawn = [line for line in axes.lines if len(line.get_xdata()) == len(MIDDLES)]
    assert len({line.get_color() for line in drawn}) == 2
    assert drawn[0].get_ydata()[-1] == pytest.approx(12)


def test_a_runs_bins_hold_what_its_readers_found(config, text_file):
    letters = np.random.default_rng(0).choice(list("abcd"), size=20_000)
    text_file.write_text("".join(letters))
    folder = train(config("scheme=1", "k1=5", "k2=20", "num_batches=2", "sampling.length=0"))
    cell = CELL | {"run": folder.path.name, "k2": 20, "seed": 0}
    cells = pd.DataFrame([cell | {"num_batches": n} for n in (1, 2)])
    table = by_bin(measured(Results(cells, cells.copy()), folder.path.parent))
    run = open_run(folder)
    losses = read_on(run.backbone, run.datamodule().test_tokens, 1999).losses_T.tolist()
    # From 20 to 29.4 tokens: positions 20 to 29, and bins of less than a token are empty.
    k2 = table[np.isclose(table["read"], 10 ** (1 / 12))].iloc[0]
    assert k2["perplexity"] == pytest.approx(math.exp(np.mean(losses[19:29])))
    assert table["perplexity"].isna().tolist() == [True] * 4 + [False] + [True] + [False] * 18
    assert table["cell"].iloc[-1] > 0
    assert len(pd.read_csv(folder.path.parent / "reading-on.csv")) == 1
