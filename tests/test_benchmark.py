"""The benchmark measures what it says: its floors' products, its ratios, its tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from analysis.speed import growth as benchmark_growth
from torch.utils.flop_counter import FlopCounterMode

from charrnn.benchmark import __main__ as benchmark
from charrnn.benchmark import floors, loops, measure, peers
from charrnn.benchmark.case import Case
from charrnn.benchmark.costs import feed_milliseconds, lightning_milliseconds
from charrnn.benchmark.measure import (
    Effort,
    Entry,
    alternate,
    float32_products,
    imprecision,
    summary,
)
from charrnn.benchmark.memory import peak_memory
from charrnn.evaluation.perplexity import PROCEDURES

TINY = Case(4, num_layers=2, k2=3, vocabulary=7, dense_size=5, batch=2)
# By hand, in multiply-adds: gamma=4, hence 16 gate units, r=2, k2=3, |V|=7, dense 5, batch 2.
RECURRENT, INPUT, DENSE = 4 * 16, 4 * 16, 4 * 5 + 5 * 7
ONE_HOT = 7 * 16
FLOORS = {
    # Of 3 * 2 rows: both layers, the upper one's input and the dense layers; forward, the gradient
    # of what goes in, the gradient of the weights.
    "train_step": (floors.train_step, 3 * 6 * (2 * RECURRENT + INPUT + DENSE)),
    "eval_windowed": (
        lambda case: floors.eval_windowed(case, 4),
        3 * 4 * (2 * RECURRENT + INPUT) + 4 * DENSE,
    ),
    "eval_progressive": (
        lambda case: floors.eval_progressive(case, 9),
        9 * (2 * RECURRENT + INPUT + DENSE),
    ),
    "sampling_windowed": (floors.sampling_windowed, 3 * (2 * RECURRENT + INPUT) + DENSE),
    "sampling_rolling": (floors.sampling_rolling, 3 * (2 * RECURRENT + INPUT) + DENSE),
    "sampling_progressive": (floors.sampling_progressive, 2 * RECURRENT + INPUT + DENSE),
}


def multiply_adds(run) -> int:
    # The counter knows all products but this one by itself.
    in_place = {torch.ops.aten.addmm_: lambda _, a, b, **__: 2 * a[0] * a[1] * b[1]}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        run()
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", FLOORS)
def test_a_floor_is_the_products_that_it_says(name):
    products, expected = FLOORS[name]
    assert multiply_adds(products(TINY)) == expected


def test_eager_training_adds_the_products_with_one_hot_input_to_the_floor():
    tokens_TB = TINY.tokens(4, 2)
    peer = peers.AutogradLoop(TINY)
    found = multiply_adds(lambda: peers.loss(peer, tokens_TB[:-1], tokens_TB[1:]).backward())
    # The first step's zero state asks for no gradient.
    unasked = 2 * 2 * RECURRENT
    assert found == FLOORS["train_step"][1] + 2 * 6 * ONE_HOT - unasked


def test_our_training_step_has_no_product_more_than_the_floor():
    assert multiply_adds(loops.train_step(TINY)["ours"].run) == FLOORS["train_step"][1]


@pytest.mark.parametrize(("loop", "gates"), [("train-step-gru", 3), ("train-step-rnn", 1)])
def test_a_step_of_another_cell_has_its_floors_products(loop, gates):
    # Like the LSTM's, with `gates` matrices in place of four.
    expected = 3 * 6 * (2 * RECURRENT + INPUT) * gates // 4 + 3 * 6 * DENSE
    entries = loops.LOOPS[loop](TINY)
    assert multiply_adds(entries["floor"].run) == expected
    assert multiply_adds(entries["ours"].run) == expected
    # Torch multiplies with the one-hot input, and asks for no gradient of the zero state.
    theirs = multiply_adds(entries[{3: "nn.GRU", 1: "nn.RNN"}[gates]].run)
    assert expected < theirs <= expected + 2 * 6 * ONE_HOT * gates // 4


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize("peer", peers.PEERS.values())
def test_peers_score_what_eq_9_scores(procedure, peer):
    peer, tokens_N = peer(TINY), TINY.tokens(20)
    with torch.no_grad():
        peer.readout[-1].weight.zero_()
    evaluate = peers.PERPLEXITIES[procedure]
    logits_V = peer.readout[-1].bias.detach()
    expected = torch.nn.functional.cross_entropy(logits_V.expand(17, 7), tokens_N[3:]).exp()
    assert evaluate(peer, tokens_N, 3) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("peer", peers.PEERS.values())
def test_peers_read_and_carry_their_state(peer):
    torch.manual_seed(0)
    peer, prompt_N = peer(TINY), TINY.tokens(5)
    for sampler, reads in ((peers.windowed_sampling, 5), (peers.progressive_sampling, None)):
        torch.manual_seed(1)
        tokens = prompt_N.tolist() + list(itertools.islice(sampler(peer, prompt_N), 20))
        torch.manual_seed(1)
        for n in range(5, 25):
            with torch.no_grad():
                start = 0 if reads is None else n - reads
                hidden_TBH, _ = peer(torch.tensor(tokens[start:n])[:, None])
                p_V = peer.readout(hidden_TBH[-1, 0]).softmax(0)
            assert tokens[n] == int(torch.multinomial(p_V, 1))


def test_entries_take_turns_and_ratios_are_of_rounds():
    order = []
    entries = {name: Entry(lambda name=name: order.append(name)) for name in ("ours", "floor")}
    alternate(entries, Effort(0, 2))
    assert order == ["ours", "floor", "ours", "floor", "floor", "ours"]
    assert len(alternate(entries, Effort(0, 2, limit=1e-9))) == 1
    order.clear()
    alternate(entries, Effort(0, 1, warm_ups=2))
    assert order == ["ours", "ours", "floor", "floor", "ours", "floor"]
    # The machine is ten times slower in the last round, and the ratio does not see it.
    times = pd.DataFrame({"ours": [2.0, 3.0, 40.0], "floor": [1.0, 2.0, 20.0]})
    ours, floor = summary("train-step", TINY, times).to_dict("records")
    assert (ours["ms_median"], ours["ms_min"], ours["ms_max"]) == (3, 2, 40)
    assert ours["ratio_to_floor"] == 2
    assert (ours["ratio_to_floor_q1"], ours["ratio_to_floor_q3"]) == (1.75, 2)
    assert floor["ratio_to_ours"] == 0.5
    assert pd.isna(ours["ratio_to_nn_lstm"])
    assert ours["case"] == "gamma=4,r=2,k2=3,V=7,dense=5,batch=2"


def test_products_are_in_the_given_precision_for_as_long():
    def current() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = current()
    with float32_products("highest"):
        assert current() == ("highest", False)
        with float32_products("high"):
            assert current() == ("high", True)
        assert current() == ("highest", False)
    assert current() == before


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the command on tiny cases, one round: what it prints, and its table."""
    monkeypatch.setattr(loops, "PASS", 9)

    def run(*arguments: str) -> tuple[str, pd.DataFrame]:
        command = ["benchmark", "--seconds", "1e-9", "--rounds", "1", "--out", str(tmp_path)]
        monkeypatch.setattr("sys.argv", [*command, *arguments])
        benchmark.main()
        (path,) = tmp_path.glob("*.csv")
        return capsys.readouterr().out, pd.read_csv(path)

    return run


def test_the_quick_benchmark_has_every_loop_with_its_floor_and_peers(run, monkeypatch):
    monkeypatch.setattr(benchmark, "QUICK", [(loop, TINY) for loop in loops.LOOPS])
    printed, table = run("--quick")
    for loop in loops.LOOPS:
        rows = table[table["loop"] == loop].set_index("implementation")
        peer = {"train-step-gru": "nn.GRU", "train-step-rnn": "nn.RNN"}.get(loop, "nn.LSTM")
        assert {"ours", "floor", peer} <= set(rows.index)
        other = loop == "sampling-rolling" or peer != "nn.LSTM"
        assert "autograd-loop" in rows.index or other
        columns = ["ms_median", "ms_min", "ms_max", "ratio_to_floor", "ratio_to_ours"]
        assert (rows[columns] > 0).all(axis=None)
        assert rows.loc["floor", "ratio_to_floor"] == rows.loc["ours", "ratio_to_ours"] == 1
        if peer == "nn.LSTM":
            assert rows.loc[peer, "ratio_to_nn_lstm"] == 1
        # One round, hence one ratio: that of the times.
        assert rows.loc["ours", "ratio_to_floor"] == pytest.approx(
            rows.loc["ours", "ms_median"] / rows.loc["floor", "ms_median"]
        )
        assert (table["threads"] == 1).all()
        assert loop in printed
    assert "torch " + torch.__version__ in printed
    assert not any("TF32" in name for name in table["implementation"])  # which CPUs do not have


def test_growth_is_measured_and_drawn(run, monkeypatch, tmp_path):
    cases = [TINY, Case(4, 2, 6, 7, 5, 2), Case(8, 2, 3, 7, 5, 2), Case(4, 3, 3, 7, 5, 2)]
    monkeypatch.setattr(benchmark, "GROWTH", [("train-step", case) for case in cases])
    _, table = run("--growth")
    assert sorted(table["implementation"].unique()) == ["floor", "nn.LSTM", "ours"]
    k2, gamma, r, vocabulary = benchmark_growth.draw(table).axes
    for axes, column, grown in ((k2, "k2", 6), (gamma, "gamma", 8), (r, "r", 3)):
        base = table[column].min()
        for line in axes.get_lines():
            own = table[table["implementation"] == line.get_label()].set_index(column)
            milliseconds = own["ms_median"]
            x, seconds = line.get_data()
            assert list(x) == [base, grown]
            assert 1000 * seconds[1] == pytest.approx(milliseconds[grown])
    assert [len(line.get_xdata()) for line in vocabulary.get_lines()] == [1, 1, 1]
    monkeypatch.setattr("sys.argv", ["growth", "--table", str(tmp_path / "growth.csv")])
    benchmark_growth.main()
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "growth.svg").read_text()


@pytest.mark.long
def test_costs_are_taken_from_real_runs():
    assert feed_milliseconds(batches=3) > 0
    assert math.isfinite(lightning_milliseconds(steps=20, rounds=1))  # a difference, of any sign
    # Text, Python and torch alone take this much; the unit is bytes.
    small = peak_memory(TINY, tokens=20_000)
    assert 1e8 < small < 1.5e9


def test_the_error_of_a_median_ratio_shrinks_with_the_root_of_the_rounds():
    ratios = np.random.default_rng(0).normal(2, 0.1, size=4000)
    times = pd.DataFrame({"ours": 1.0, "other": ratios})
    for rounds in (100, 400, 4000):
        # Relative standard deviation 0.05; of a median 1.253 times that over the root.
        expected = 1.96 * 1.253 * 0.05 / rounds**0.5
        assert imprecision(times[:rounds]) == pytest.approx(expected, rel=0.25)


def test_rounds_go_on_until_a_ratio_is_known_well_enough(monkeypatch):
    drawn = np.random.default_rng(0).normal(1, 0.2, size=10**5)
    clock = iter(np.abs(drawn))
    monkeypatch.setattr(measure, "seconds", lambda _: next(clock))
    entries = {"a": Entry(lambda: None), "b": Entry(lambda: None)}
    few = alternate(entries, Effort(0, 5))
    assert len(few) == 5
    wanted = imprecision(few) / 3
    many = alternate(entries, Effort(0, 5, precision=wanted))
    assert imprecision(many) <= wanted < imprecision(many[:-1])
    assert len(many) > 5
