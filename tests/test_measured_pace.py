"""Paces that were measured on purpose stand before those of the runs."""

from __future__ import annotations

import math
import sys

import pandas as pd
import pytest
from analysis.pace import seconds_per_batch, table_of_paces, with_measured_paces
from analysis.results import Results
from analysis.speed.pace import main, paces

from charrnn.sweeps.cells import compose_cells


def curves(**columns: object) -> pd.DataFrame:
    """Two evaluations of a run of scheme 1, a second per batch apart."""
    row = {"run": "a", "scheme": 1, "num_layers": 1, "hidden_size": 128, "k2": 100, **columns}
    return pd.DataFrame([row | {"batches": n, "train_seconds": float(n)} for n in (10, 20)])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, 0.25),
        ({"scheme": 3}, 0.25),  # the same training
        ({"scheme": 4}, 1.0),  # not in the table
        ({"k2": 20}, 1.0),
        ({"settings": ""}, 0.25),
        ({"settings": "precision=64"}, 1.0),  # the table says nothing about it
        ({"k3": math.nan}, 0.25),
        ({"k3": 10}, 1.0),
    ],
)
def test_a_configuration_goes_by_its_measured_pace_if_there_is_one(tmp_path, columns, expected):
    measured = {"training": "multi-loss", "num_layers": 1, "hidden_size": 128, "k2": 100}
    table = pd.DataFrame([measured | {"seconds": 0.25}])
    table.to_csv(table_of_paces(tmp_path, "laptop"), index=False)
    known = with_measured_paces(Results(pd.DataFrame(), curves(**columns)), tmp_path, "laptop")
    assert seconds_per_batch(known.curves).tolist() == [expected] * 2
    other = Results(pd.DataFrame(), curves(**columns))
    assert with_measured_paces(other, tmp_path, "quick") is other


def test_every_configuration_of_an_experiment_is_timed_once_a_round():
    words = ["scale=smoke", "data=stdlib", "seed=0,1", "k1=20", "scheme=1,3,2"]
    table = paces(compose_cells("fig9", words), rounds=2)
    assert table["training"].tolist() == ["multi-loss", "single-loss"]
    assert table[["num_layers", "hidden_size", "k2"]].drop_duplicates().to_numpy().tolist() == [
        [1, 16, 100]
    ]
    assert (table["lower"] <= table["seconds"]).all()
    assert (table["seconds"] <= table["upper"]).all()
    assert (table["seconds"] > 0).all()


def test_the_command_times_other_values_than_the_experiments_own(tmp_path, monkeypatch, capsys):
    words = ["pace", "fig11", "--scale", "smoke", "--rounds", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*words, "--set", "k2=20,40", "scheme=1"])
    main()
    table = pd.read_csv(table_of_paces(tmp_path, "smoke"))
    assert table["k2"].tolist() == [20, 40]
    assert str(table_of_paces(tmp_path, "smoke")) in capsys.readouterr().out
