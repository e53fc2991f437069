"""The carried state: what is measured of it, and the verdict on hand-made tables."""

from __future__ import annotations

import math
import sys

import pandas as pd
import pytest
import torch
from analysis.carry import carrying, main, summarise, verdict
from analysis.cells import compose_cells
from analysis.effects import effect
from analysis.tables import read_results
from omegaconf import OmegaConf
from test_analysis import COMMON, finish, write_grid

from charrnn.runs import RunFolder
from charrnn.train import train


def cells(finals: dict[tuple, float], *names: str) -> pd.DataFrame:
    """Cells with these final perplexities, by the values of the columns ``names`` and the seed."""
    rows = [dict(zip((*names, "seed"), key, strict=True)) for key in finals]
    table = pd.DataFrame([COMMON | {"corpus": "a"} | row for row in rows])
    return table.assign(final=list(finals.values()), rise=1.0, unstable=False)


def grid(at_5: float, at_0: float) -> pd.DataFrame:
    """Two seeds; scheme 3 ends at 10 and 20, scheme 4 at so many times that."""
    return cells(
        {
            (scheme, bias, seed): three * (times if scheme == 4 else 1)
            for scheme in (3, 4)
            for bias, times in ((0.0, at_0), (5.0, at_5))
            for seed, three in ((0, 10.0), (1, 20.0))
        },
        "scheme",
        "forget_bias",
    )


def test_an_effect_is_the_geometric_mean_over_pairs():
    before = cells({(0,): 10.0, (1,): 10.0, (2,): 5.0})
    after = cells({(0,): 20.0, (1,): 80.0, (3,): 7.0})
    found = effect(before, after, "final")
    assert (found.ratio, found.lowest, found.highest) == pytest.approx((4, 2, 8))
    assert found.pairs == 2
    # Logarithms ln 2 and ln 8: mean 2 ln 2, standard deviation sqrt(2) ln 2.
    assert found.size == pytest.approx(math.sqrt(2))
    assert str(found) == "x 4.00 (2.00 to 8.00 over 2 pairs, d = 1.4)"
    assert effect(before, cells({(7,): 1.0}), "final") is None
    diverged = cells({(0,): math.nan, (1,): math.inf, (2,): 5.0})
    found = effect(before, diverged, "final")
    assert (found.ratio, found.lowest) == (math.inf, 1)
    assert math.isnan(found.size)


@pytest.mark.parametrize(
    ("at_5", "at_0", "said"),
    [
        (4.0, 1.0, "The hypothesis holds: carrying does no harm at 0, and does at forget bias 5, "),
        (4.0, 1.04, "The hypothesis holds: "),
        (4.0, 1.06, "The hypothesis fails: carrying does harm at every forget bias; "),
        (math.inf, 1.0, "The hypothesis holds: "),
        (1.04, 1.0, "Nothing to explain: carrying does no harm at forget bias 5, "),
    ],
)
def test_the_verdict_follows_the_numbers(at_5, at_0, said):
    carry = grid(at_5, at_0)
    assert verdict(carry, pd.DataFrame())[0].startswith(said)
    assert carrying(carry, "forget_bias")[0.0].final.ratio == pytest.approx(at_0)
    alone = (
        "scheme 3 with forget bias 0, over 5: final perplexity x 1.00 (1.00 to 1.00 over 2 pairs"
    )
    assert any(line.startswith(alone) for line in verdict(carry, pd.DataFrame()))
    without = carry[carry["forget_bias"] == 5]
    assert verdict(without, pd.DataFrame())[0].startswith("The hypothesis is open")


def test_a_cell_that_is_unstable_on_its_way_does_harm_though_it_ends_well():
    carry = grid(1.0, 1.0)
    first = carry.index[(carry["scheme"] == 4) & (carry["forget_bias"] == 5)][0]
    carry.loc[first, ["unstable", "rise"]] = True, 3.5
    assert verdict(carry, pd.DataFrame())[0] == (
        "The hypothesis holds, on the strength of a single cell: carrying does no harm at 0, and "
        "does at forget bias 5, unstable cells: 1 of 2 of scheme 4, 0 of 2 of scheme 3 (largest "
        "rises x 3.50 and x 1.00); final perplexity of 4 over 3 x 1.00 (1.00 to 1.00 over 2 pairs)."
    )
    carry.loc[carry["scheme"] == 3, "unstable"] = True  # it is not for carrying, then
    assert verdict(carry, pd.DataFrame())[0].startswith("Nothing to explain: ")


def test_a_scheme_3_that_diverges_alone_is_no_harm_of_carrying():
    carry = grid(1.0, 1.0)
    carry.loc[carry["scheme"] == 3, "final"] = math.inf
    assert verdict(carry, pd.DataFrame())[0].startswith("Nothing to explain: ")


def test_the_recipe_is_the_safe_switch_with_which_scheme_4_ends_lowest():
    """Without a switch 4 ends at twice what 3 does; low_lr, the lowest, hurts 3 less than 4."""
    ends = {
        "none": (10.0, 20.0), "resets": (10.0, 10.2), "recompute": (10.0, 9.5),
        "low_lr": (4.0, 9.0), "zero_start": (30.0, 20.0),
    }  # fmt: skip
    finals = {
        (name, scheme, seed): end * (1 + seed)
        for name, pair in ends.items()
        for scheme, end in zip((3, 4), pair, strict=True)
        for seed in (0, 1)
    }
    table = cells(finals, "suspect", "scheme")
    assert list(carrying(table, "suspect")) == list(ends)
    lines = verdict(grid(2, 1), table)
    assert "scheme 4 with resets, over scheme 4: final perplexity x 0.51" in "\n".join(lines)
    assert any(line.startswith("Recipe: recompute; ") for line in lines)
    worse = table[table["suspect"].isin(["none", "low_lr", "zero_start"])]
    assert "Recipe: none of the switches makes carrying safe." in verdict(grid(2, 1), worse)
    harmless = table.assign(final=table["final"].where(table["suspect"] != "none", 10))
    assert any(line.startswith("Recipe: none is needed") for line in verdict(grid(2, 1), harmless))


def test_a_cell_is_summarised_by_its_end_and_its_largest_rise(tmp_path, monkeypatch):
    monkeypatch.setattr("test_analysis.BATCHES", (1, 60))
    for run, values in (("falls", [80.0, 20.0]), ("rises", [10.0, 40.0]), ("ends", [9, math.nan])):
        finish(RunFolder(tmp_path / run), progressive=values)
    row = {"corpus": "a", "scheme": 4, "procedure": "progressive"}
    listed = [
        row | {"run": run, "forget_bias": bias}
        for bias, run in enumerate(("falls", "rises", "ends", "missing"))
    ]
    table = summarise(read_results(write_grid(tmp_path, listed)), tmp_path)
    assert table["final"].tolist() == [20, 40, math.inf]
    assert table["rise"].tolist() == pytest.approx([0.25, 4, 1000 / 9])  # infinity counts as 1000
    assert table["unstable"].tolist() == [False, True, True]


def test_diagnostics_are_those_of_the_last_batch(config):
    """With one batch in all: its state from the initial weights, and its gradient."""
    cfg = config("scheme=4", "num_batches=1", "precision=64", "optimizer.lr=0")
    folder = train(cfg)
    (row,) = folder.read_diagnostics().to_dict("records")
    from charrnn.experiment import build_scheme
    from charrnn.train import prepare

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


def test_the_verdict_is_drawn_from_runs(config, monkeypatch, capsys, tmp_path):
    def cell(scheme, **own):
        bias = own.get("forget_bias", 5.0)
        settings = (f"scheme={scheme}", f"backbone.forget_bias={bias}", "num_batches=2")
        folder = train(config(*settings, "evaluate_at=[]", "sampling.length=0"))
        row = {"corpus": "text", "scheme": scheme, "procedure": "progressive"}
        return row | {"run": folder.path.name} | own

    runs = tmp_path / "runs"
    listed = [cell(scheme, forget_bias=bias) for scheme in (3, 4) for bias in (0.0, 5.0)]
    write_grid(runs, listed).rename(runs / "grids" / "carry-smoke.csv")
    listed = [cell(scheme, suspect="none") for scheme in (3, 4)]
    write_grid(runs, listed).rename(runs / "grids" / "suspects-smoke.csv")
    words = ["carry", "--scale", "smoke", "--runs", str(runs)]
    monkeypatch.setattr(sys, "argv", words)
    main()
    said = capsys.readouterr().out
    assert "forget bias 0: unstable cells: 0 of 1 of scheme 4, 0 of 1 of scheme 3" in said
    assert "scheme 3, forget bias 5, at the end: mean |c| " in said
    out = runs / "figures"
    assert (out / "instability-smoke.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(out / "instability-smoke.csv")
    assert len(table) == 4 + 2
    assert table["mean_abs_cell"].notna().all()
