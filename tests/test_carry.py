"""The carried state: what is measured of it, its experiments, and its command."""

from __future__ import annotations

import itertools
import math
import sys

import pandas as pd
import pytest
import torch
from analysis.instability.__main__ import main
from analysis.statistics.effects import against, effect
from omegaconf import OmegaConf
from test_analysis import COMMON, write_grid

from charrnn.sweeps.cells import compose_cells
from charrnn.training.train_run import train

NUMBERS = itertools.count()


def cells(finals: dict[tuple, float], *names: str) -> pd.DataFrame:
    """Cells with these final perplexities, by the values of the columns ``names`` and the seed."""
    rows = [dict(zip((*names, "seed"), key, strict=True)) for key in finals]
    table = pd.DataFrame(
        [COMMON | {"corpus": "a", "scheme": 1, "run": f"run-{next(NUMBERS)}"} | row for row in rows]
    )
    return table.assign(final=list(finals.values()))


def test_an_effect_is_the_geometric_mean_over_pairs():
    before = cells({(0,): 10.0, (1,): 10.0, (2,): 5.0})
    after = cells({(0,): 20.0, (1,): 80.0, (3,): 7.0})
    found = effect(before, after, "any", "final")
    assert (found.ratio, found.lowest, found.highest) == pytest.approx((4, 2, 8))
    assert found.pairs == 2
    assert found.interval is None  # two seeds
    assert str(found) == "x 4.00 (2.00 to 8.00 over 2 pairs, 2 seeds)"
    one_seed = effect(cells({(0,): 10.0}), cells({(0,): 5.0}), "any", "final")
    assert str(one_seed) == "x 0.50 (1 pair, 1 seed)"
    assert effect(before, cells({(7,): 1.0}), "any", "final") is None
    diverged = cells({(0,): math.nan, (1,): math.inf, (2,): 5.0})
    found = effect(before, diverged, "any", "final")
    assert (found.ratio, found.lowest) == (math.inf, 1)


def test_a_pair_is_two_runs_that_differ_in_one_column():
    """Scheme 3 shares its run between two switches, scheme 4 doubles; 3 with 4 is no pair."""
    ends = {(3, "none", 0): 5.0, (3, "resets", 0): 5.0, (4, "none", 0): 7.0, (4, "resets", 0): 14.0}
    table = cells(ends, "scheme", "suspect")
    table.loc[table["scheme"] == 3, "run"] = "the same"
    assert {k: str(v) for k, v in against(table, "suspect", "none", "final").items()} == {
        "resets": "x 2.00 (1 pair, 1 seed)"
    }


def test_diagnostics_are_those_of_the_last_batch(config):
    """With one batch in all: its state from the initial weights, and its gradient."""
    cfg = config("scheme=4", "num_batches=1", "precision=64", "optimizer.lr=0")
    folder = train(cfg)
    (row,) = folder.read_diagnostics().to_dict("records")
    from charrnn.training.build import build_scheme
    from charrnn.training.train_run import prepare

    datamodule = prepare(cfg).datamodule
    scheme = build_scheme(cfg, 9)
    batch = next(iter(datamodule.train_dataloader()))
    scheme.training_step(batch).backward()
    _, ((_, c_TBH),) = scheme.backbone.recur(batch.inputs_TB, scheme.backbone.initial_state(64))
    gradients = [p.grad.flatten() for p in scheme.parameters() if p.grad is not None]
    assert row["gradient_norm"] == pytest.approx(torch.cat(gradients).norm().item(), rel=1e-9)
    assert row["mean_abs_cell"] == pytest.approx(c_TBH[-1].abs().mean().item(), rel=1e-9)
    assert row["max_abs_cell"] == pytest.approx(c_TBH[-1].abs().max().item(), rel=1e-9)
    saturated = (c_TBH[-1].abs() >= math.atanh(0.99)).double().mean().item()
    assert 0 < saturated < 1
    assert row["saturated_share"] == pytest.approx(saturated, rel=1e-9)
    assert (row["batches"], row["train_sequences"]) == (1, 64)


def test_every_suspect_is_one_switch_and_the_carry_grid_is_complete():
    words = ["scale=laptop", "corpora=stdlib", "k1=20"]
    all_cells = compose_cells("suspects", words)
    swept = {cfg.suspect: cfg for cfg in all_cells if cfg.scheme == 4}
    of_three = {cfg.suspect: cfg.model for cfg in all_cells if cfg.scheme == 3}
    assert of_three.keys() == swept.keys()
    unlike = [name for name, model in of_three.items() if model != of_three["none"]]
    assert unlike == ["zero_start"]
    assert of_three["zero_start"] == {**of_three["none"], "start": "zero"}
    base = OmegaConf.to_container(swept["none"], resolve=True)
    changed = {
        name: {
            part: {key: value for key, value in own.items() if value != base[part][key]}
            for part, own in OmegaConf.to_container(cfg, resolve=True).items()
            if part in ("model", "backbone", "optimizer") and own != base[part]
        }
        for name, cfg in swept.items()
    }
    assert changed == {
        "none": {},
        "zero_start": {},
        "bias_0": {"backbone": {"forget_bias": 0.0}},
        "learned_start": {"model": {"start": "learned"}},
        "resets": {"model": {"reset": 0.1}},
        "recompute": {"model": {"recompute": True}},
        "no_restart": {"model": {"restart": False}},
        "low_lr": {"optimizer": {"lr": 0.0001}},
        "no_clip": {"backbone": {"grad_clip": None}},
        "no_peepholes": {"backbone": {"peepholes": "none"}},
    }
    grid = [(cfg.scheme, cfg.backbone.forget_bias) for cfg in compose_cells("carry", words)]
    assert grid == [(scheme, bias) for scheme in (3, 4) for bias in (0, 1, 2, 5)]


@pytest.mark.slow
def test_the_verdict_is_drawn_from_runs(config, monkeypatch, capsys, tmp_path):
    def cell(scheme, **own):
        bias = own.get("forget_bias", 5.0)
        settings = (f"scheme={scheme}", f"backbone.forget_bias={bias}", "num_batches=2")
        folder = train(config(*settings, "evaluate_at=[]", "sampling.length=0"))
        row = {"corpus": "text", "scheme": scheme, "procedure": "progressive"}
        return row | {"run": folder.path.name, "num_batches": 2} | own

    runs = tmp_path / "runs"
    listed = [cell(scheme, forget_bias=bias) for scheme in (3, 4) for bias in (0.0, 5.0)]
    write_grid(runs, listed).rename(runs / "grids" / "carry-smoke.csv")
    listed = [cell(scheme, suspect="none") for scheme in (3, 4)]
    write_grid(runs, listed).rename(runs / "grids" / "suspects-smoke.csv")
    words = ["instability", "--scale", "smoke", "--runs", str(runs)]
    monkeypatch.setattr(sys, "argv", words)
    main()
    said = capsys.readouterr().out
    assert "forget bias 5, scheme 4 instead of 3: reading gap " in said
    assert "scheme 3, forget bias 5, medians of 1 cell at the end: mean |c| " in said
    assert "1 pair of 1 replicate, too few for an interval." in said
    out = runs / "figures"
    assert (out / "instability-smoke.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(out / "instability-smoke.csv")
    assert len(table) == 4 + 2
    assert table["mean_abs_cell"].notna().all()
    assert set(pd.read_csv(out / "instability-smoke-effects.csv")["change"]) == {"bias", "carrying"}
    monkeypatch.setattr(sys, "argv", [*words, "--results", "own", "--threshold", "carry"])
    main()
    assert capsys.readouterr().out == "No cell of schemes 1 and 2 is finished.\n"
    (runs / "grids" / "carry-smoke.csv").write_text("damaged")
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        main()
