"""Training finished runs further with another start: the weights they begin with, and the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from analysis.reading_on.measure import COLUMNS, MIDDLES
from analysis.reading_on.post_training import against_control, with_before
from analysis.reading_on.summary import AT_K2, FAR
from analysis.results import Results

from charrnn.errors import CharRNNError
from charrnn.training.build import build_scheme
from charrnn.training.train_run import prepare, train


def grid_of(cfg, runs):
    """A sweep's table, written as by hand: only the columns that are read."""
    path = runs / "grids" / "before-smoke.csv"
    path.parent.mkdir(exist_ok=True)
    rows = [f"{one.k1},{one.k2},{one.seed},{folder.path.name}" for one, folder in cfg]
    path.write_text("\n".join(["k1,k2,seed,run", *rows, ""]))


def test_every_cell_begins_with_the_weights_of_its_replicate(config, tmp_path):
    first = [config("scheme=1", "num_batches=2", f"seed={seed}") for seed in (0, 1)]
    runs = [train(cfg) for cfg in first]
    grid_of(list(zip(first, runs, strict=True)), runs[0].path.parent)
    words = ("experiment=post_training", "num_batches=2", "scale.name=smoke")
    for seed, run in enumerate(runs):
        for start, learned in (("none", True), ("passed", False), ("carried", True)):
            cfg = config(*words, f"seed={seed}", f"start={start}")
            assert prepare(cfg).identity["initial_weights"] is not None
            backbone = build_scheme(cfg, vocabulary_size=9).backbone
            kept = run.read_weights()
            assert all(torch.equal(v, kept[n]) for n, v in backbone.state_dict().items())
            h0_H = backbone.layers[0].h0_H
            assert h0_H.any()  # it is read from the state that was learned before
            assert h0_H.requires_grad is learned


def test_a_sweep_that_has_no_such_run_is_refused_in_one_sentence(config):
    cfg = config("experiment=post_training", "scale.name=smoke", "before=nothing")
    with pytest.raises(CharRNNError, match=r"nothing-smoke\.csv is not the readable table of a "):
        prepare(cfg)
    run = train(config("scheme=1", "num_batches=1"))
    grid_of([(config(), run)], run.path.parent)
    cfg = config("experiment=post_training", "scale.name=smoke", "seed=7")
    with pytest.raises(CharRNNError, match=r"csv has 0 runs with k1=20, k2=100, seed=7: take a "):
        prepare(cfg)
    grid = run.path.parent / "grids" / "before-smoke.csv"
    grid.write_bytes(grid.read_bytes()[:-1])
    with pytest.raises(CharRNNError, match=r"before-smoke\.csv is not the readable table of a "):
        prepare(cfg)


def results(starts, num_batches):
    """Runs that have one perplexity up to k2 and another one beyond."""
    rows = []
    for start, ends in starts.items():
        for seed, (near, far) in enumerate(ends):
            values = dict.fromkeys(COLUMNS, 1.0)
            values |= {f"perplexity {n}": far if n in FAR else near for n in range(len(MIDDLES))}
            cell = {"corpus": "a", "scheme": 3, "k1": 60, "k2": 100, "num_layers": 1}
            cell |= {"hidden_size": 8, "seed": seed, "num_batches": num_batches, "start": start}
            rows.append(cell | {"run": f"{start}{seed}", "batches": num_batches} | values)
    table = pd.DataFrame(rows)
    return Results(table.drop(columns=[*COLUMNS, "batches"]), table)


def test_the_table_compares_replicates_with_the_control():
    assert AT_K2 not in FAR
    before = results({"lstm": [(8, 16), (8, 32), (8, 64)]}, 1600)
    after = results({"none": [(4, 8), (4, 8), (4, 8)], "passed": [(5, 4), (5, 4), (5, 4)]}, 400)
    head, _, *rows = against_control(with_before(after, before))
    assert head.count("|") == 7
    # ln 2 apart, the logarithms have a standard error of ln 2 / sqrt 3; Student's t is 4.303.
    width = np.exp(4.302653 * np.log(2) / np.sqrt(3))
    interval = f"x 4.00 ({4 / width:.2f} to {4 * width:.2f})"
    assert rows[0] == f"| before | 8.00 | 32.00 | {interval} | x 2.00 (2.00 to 2.00) | {interval} |"
    assert rows[1].split(" | ")[:4] == ["| `none`", "4.00", "8.00", "x 2.00 (2.00 to 2.00)"]
    assert rows[2].split(" | ")[3:] == [
        "x 0.80 (0.80 to 0.80)",
        "x 1.25 (1.25 to 1.25)",
        "x 0.50 (0.50 to 0.50) |",
    ]
