"""The carried state: what is measured of it, and the verdict on hand-made tables."""

from __future__ import annotations

import itertools
import math
import sys

import pandas as pd
import pytest
import torch
from analysis.instability.__main__ import main
from analysis.instability.summary import summarise
from analysis.instability.verdict import verdict
from analysis.results import read_results
from analysis.statistics.counts import Count, chance
from analysis.statistics.effects import against, effect
from omegaconf import OmegaConf
from test_analysis import COMMON, finish, write_grid

from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder
from charrnn.sweeps.cells import compose_cells
from charrnn.training.train_run import train

NUMBERS = itertools.count()


def cells(finals: dict[tuple, float], *names: str) -> pd.DataFrame:
    """Cells with these final perplexities, by the values of the columns ``names`` and the seed."""
    rows = [dict(zip((*names, "seed"), key, strict=True)) for key in finals]
    table = pd.DataFrame(
        [COMMON | {"corpus": "a", "scheme": 1, "run": f"run-{next(NUMBERS)}"} | row for row in rows]
    )
    return table.assign(
        final=list(finals.values()),
        rise=1.0,
        unstable=False,
        rise_at=math.nan,
        since_start=math.nan,
    )


def grid(at_5: float, at_0: float, seeds: int = 2) -> pd.DataFrame:
    """Scheme 3 ends at 10 and 20, and so on by seed, scheme 4 at so many times that."""
    return cells(
        {
            (scheme, bias, seed): 10.0 * (1 + seed) * (times if scheme == 4 else 1)
            for scheme in (3, 4)
            for bias, times in ((0.0, at_0), (5.0, at_5))
            for seed in range(seeds)
        },
        "scheme",
        "forget_bias",
    )


def test_an_effect_is_the_geometric_mean_over_pairs():
    before = cells({(0,): 10.0, (1,): 10.0, (2,): 5.0})
    after = cells({(0,): 20.0, (1,): 80.0, (3,): 7.0})
    found = effect(before, after, "any", "final")
    assert (found.ratio, found.lowest, found.highest) == pytest.approx((4, 2, 8))
    assert found.pairs == 2
    # Logarithms ln 2 and ln 8: mean 2 ln 2, standard deviation sqrt(2) ln 2.
    assert found.size == pytest.approx(math.sqrt(2))
    # Two seeds: 12.7062 standard errors, of ln 2 each.
    low, high = (math.exp(math.log(4) + sign * 12.7062 * math.log(2)) for sign in (-1, 1))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=1e-4)
    assert str(found) == (
        "x 4.00 (2.00 to 8.00 over 2 pairs, d = 1.4; 95 % interval 0.00 to 26730.60 over 2 seeds)"
    )
    one_seed = effect(cells({(0,): 10.0}), cells({(0,): 5.0}), "any", "final")
    assert str(one_seed) == "x 0.50 (1 pair)"
    assert effect(before, cells({(7,): 1.0}), "any", "final") is None
    diverged = cells({(0,): math.nan, (1,): math.inf, (2,): 5.0})
    found = effect(before, diverged, "any", "final")
    assert (found.ratio, found.lowest) == (math.inf, 1)
    assert math.isnan(found.size)


def test_a_pair_is_two_runs_that_differ_in_one_column():
    """Scheme 3 shares its run between two switches, scheme 4 doubles; 3 with 4 is no pair."""
    ends = {(3, "none", 0): 5.0, (3, "resets", 0): 5.0, (4, "none", 0): 7.0, (4, "resets", 0): 14.0}
    table = cells(ends, "scheme", "suspect")
    table.loc[table["scheme"] == 3, "run"] = "the same"
    assert {k: str(v) for k, v in against(table, "suspect", "none", "final").items()} == {
        "resets": "x 2.00 (1 pair)"
    }
    (line,) = [line for line in verdict(pd.DataFrame(), table) if line.startswith("switch resets")]
    assert line.endswith("final perplexity of scheme 4 relative to scheme 3: x 2.80 (1 pair)")


def unstable(carry: pd.DataFrame, **shaken: int) -> pd.DataFrame:
    """The first cells of each group, such as ``four_at_5``, made unstable: so many of them."""
    for name, number in shaken.items():
        scheme, bias = {"three": 3, "four": 4}[name.split("_")[0]], float(name.split("_")[2])
        group = carry.index[(carry["scheme"] == scheme) & (carry["forget_bias"] == bias)]
        carry.loc[group[:number], ["unstable", "rise", "rise_at", "since_start"]] = (
            True,
            3.5,
            206,
            6,
        )
    return carry


NOTHING = "Nothing to explain: no cell is unstable."
BIAS = "The hypothesis holds: it is the forget bias, not the carried state."
BOTH = "The hypothesis holds in part: it is both the forget bias and the carried state."
CARRIED = "The hypothesis fails: it is the carried state, not the forget bias."
OPEN = "The hypothesis is open: so few cells could differ by chance."


@pytest.mark.parametrize(
    ("shaken", "said"),
    [
        ({}, NOTHING),
        ({"four_at_5": 8, "three_at_5": 8}, BIAS),
        ({"four_at_5": 2, "three_at_5": 6}, BIAS),  # 8 of 16 and none: p = 0.002
        ({"four_at_5": 8}, BOTH),  # 8 of 16 and none, either way
        ({"four_at_5": 8, "three_at_5": 7}, BIAS),
        ({"four_at_5": 8, "four_at_0": 8}, CARRIED),
        ({"four_at_5": 5, "four_at_0": 6, "three_at_5": 1}, CARRIED),
        ({"four_at_0": 8, "three_at_0": 8}, OPEN),  # a bias that steadies
        ({"four_at_5": 1}, OPEN),
        ({"four_at_5": 2, "three_at_5": 2}, OPEN),  # 4 of 16 and none: p = 0.10
    ],
)
def test_the_verdict_follows_the_unstable_cells(shaken, said):
    """Eight seeds of each scheme with each bias."""
    carry = unstable(grid(1.0, 1.0, seeds=8), **shaken)
    names = ("four_at_5", "four_at_0", "three_at_5", "three_at_0")
    of = {name: f"{shaken.get(name, 0)} of 8" for name in names}
    assert verdict(carry, pd.DataFrame())[0].startswith(
        f"{said} In scheme 4, {of['four_at_5']} cells are unstable at forget bias 5 and "
        f"{of['four_at_0']} at 0; in scheme 3, which carries nothing, {of['three_at_5']} and "
        f"{of['three_at_0']} (bias: p = "
    )
    for without in (carry[carry["forget_bias"] == 5], carry[carry["scheme"] == 3], carry.iloc[:0]):
        assert verdict(without, pd.DataFrame())[0].startswith("The hypothesis is open: the cells")


def test_chance_is_fishers():
    # All of the first and none of the second kind of 3 each: 2 of the 20 ways to choose 3 of 6.
    assert chance(Count(3, 3), Count(0, 3)) == pytest.approx(2 / 20)
    assert chance(Count(1, 3), Count(0, 3)) == pytest.approx(1)
    assert math.isnan(Count(0, 0).share)


def test_the_effect_of_the_bias_and_the_time_of_the_rises_are_told():
    lines = verdict(unstable(grid(4.0, 1.0), four_at_5=1), pd.DataFrame())
    for start in (
        "scheme 3, forget bias 0 relative to 5: final perplexity x 1.00 (1.00 to 1.00",
        "scheme 4, forget bias 0 relative to 5: final perplexity x 0.25 (0.25 to 0.25",
        "scheme 4, forget bias 5, each cell's largest rise, its batch, and at most how many "
        "batches after an epoch started from the zero state: x 3.50 at 206 (6)",
    ):
        assert any(line.startswith(start) for line in lines), start
    lines = verdict(grid(4.0, 1.1), pd.DataFrame())
    for bias, times in ((0, "1.10"), (5, "4.00")):
        (line,) = [line for line in lines if line.startswith(f"forget bias {bias}: ")]
        assert f"final perplexity of scheme 4 relative to scheme 3: x {times} (" in line


def test_the_recipe_is_the_stable_switch_with_which_scheme_4_ends_lowest():
    """Without a switch 4 is unstable, and with low_lr, the lowest; zero_start is none of its."""
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
    shaky = (table["scheme"] == 4) & table["suspect"].isin(["none", "low_lr", "zero_start"])
    table = table.assign(unstable=shaky)
    lines = verdict(grid(2, 1), table)
    switches = [line.split(":")[0] for line in lines if line.startswith("switch ")]
    assert switches == [f"switch {name}" for name in ends]
    assert (
        "scheme 4 with resets, relative to scheme 4 without: final perplexity x 0.51"
        in "\n".join(lines)
    )
    assert any(line.endswith("; 2 of 2 cells unstable, 2 of 2 without") for line in lines)
    assert any(line.startswith("Recipe: recompute, which ends lowest ") for line in lines)
    worse = table[table["suspect"].isin(["none", "low_lr", "zero_start"])]
    assert "Recipe: no switch makes scheme 4 stable." in verdict(grid(2, 1), worse)
    harmless = table.assign(unstable=False)
    assert any(line.startswith("Recipe: none is needed") for line in verdict(grid(2, 1), harmless))


def test_a_cell_is_summarised_by_its_end_and_its_largest_rise(tmp_path, monkeypatch):
    monkeypatch.setattr("test_analysis.BATCHES", (1, 60))
    for run, values in (("falls", [80.0, 20.0]), ("rises", [10.0, 40.0]), ("ends", [9, math.nan])):
        finish(RunFolder(tmp_path / run), progressive=values)
    row = {"corpus": "a", "scheme": 4, "procedure": "progressive", "num_batches": 60}
    listed = [
        row | {"run": run, "forget_bias": bias}
        for bias, run in enumerate(("falls", "rises", "ends", "missing"))
    ]
    table = summarise(read_results(write_grid(tmp_path, listed)), tmp_path)
    assert table["final"].tolist() == [20, 40, math.inf]
    assert table["rise"].tolist() == pytest.approx([0.25, 4, 1000 / 9])  # infinity counts as 1000
    assert table["unstable"].tolist() == [False, True, True]
    assert table["rise_at"].tolist() == [60, 60, 60]
    assert table["since_start"].isna().all()  # there is one epoch


def test_the_time_of_a_rise_and_the_same_run_read_windowed_are_summarised(tmp_path):
    """Epochs of 100 batches: the cell rises most in the third one, at most 110 after batch 190."""
    run = RunFolder(tmp_path / "run")
    run.start(100, "", {}, {})
    counts = (60, 110, 190, 210, 300)
    own, control = (50.0, 40.0, 44.0, 41.0, 60.0), (50.0, 40.0, 30.0, 30.3, 20.0)
    run.write_table(
        Evaluation(batches, 64 * batches, (batches - 1) // 100, 1.0, procedure, perplexity, 200)
        for procedure, values in (("progressive", own), ("windowed", control))
        for batches, perplexity in zip(counts, values, strict=True)
    )
    run.finish({})
    row = {"corpus": "a", "scheme": 3, "procedure": "progressive", "run": "run", "forget_bias": 5.0}
    row["num_batches"] = 300
    (cell,) = summarise(read_results(write_grid(tmp_path, [row])), tmp_path).to_dict("records")
    assert (cell["rise"], cell["rise_at"], cell["since_start"]) == pytest.approx((1.5, 300, 110))
    assert cell["unstable"]
    assert cell["windowed_rise"] == pytest.approx(1.01)
    assert not cell["windowed_unstable"]


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
    words = ["carry", "--scale", "smoke", "--runs", str(runs)]
    monkeypatch.setattr(sys, "argv", words)
    main()
    said = capsys.readouterr().out
    assert "forget bias 0: unstable cells: 0 of 1 in scheme 4, 0 of 1 in scheme 3" in said
    assert "scheme 3, forget bias 5, medians of cells at the end: mean |c| " in said
    out = runs / "figures"
    assert (out / "instability-smoke.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(out / "instability-smoke.csv")
    assert len(table) == 4 + 2
    assert table["mean_abs_cell"].notna().all()
