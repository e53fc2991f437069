"""How a model reads on: against a literal reading of one token after the other."""

from __future__ import annotations

import csv
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from charrnn.backbone.network import Backbone
from charrnn.commands.trained_run import open_run
from charrnn.evaluation.reading_on import effective_remembrance, read_on
from charrnn.training.train_run import train

N, V = 70, 6


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    backbone = Backbone(V, num_layers=2, hidden_size=5, dense_size=7).double().eval()
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return backbone


@pytest.fixture
def text():
    return torch.from_numpy(np.random.default_rng(0).integers(V, size=N))


def literal(backbone, tokens):
    """The distribution of the next token, and the state, after each of some tokens."""
    state, found = backbone.initial_state(1), []
    with torch.no_grad():
        for token in tokens:
            hidden, trajectory = backbone.recur(token.view(1, 1), state)
            state = [tuple(part[0] for part in layer) for layer in trajectory]
            found.append((backbone.readout(hidden[0])[0].softmax(0), state))
    return found


@pytest.mark.parametrize("length", [50, 150])  # less than the text, and twice round the circle
def test_readers_start_all_over_the_text_and_read_in_a_circle(backbone, text, length):
    found = read_on(backbone, text, length, readers=4)
    read = []
    for start in (0, 17, 35, 52):  # a quarter of the text apart
        round_and_round = torch.cat([text] * 4)[start : start + length + 1]
        each = literal(backbone, round_and_round[:-1])
        losses = [-p[y].log() for (p, _), y in zip(each, round_and_round[1:], strict=True)]
        read.append((losses, [state for _, state in each]))
    expected = np.mean([losses for losses, _ in read], axis=0)
    np.testing.assert_allclose(found.losses_T, expected, rtol=1e-12)
    for part in range(2):
        sizes = np.abs([[[x[part].numpy() for x in s] for s in states] for _, states in read])
        np.testing.assert_allclose(found.sizes_PT[part], sizes.mean((0, 2, 3, 4)), rtol=1e-12)
        np.testing.assert_allclose(found.largest_PT[part], sizes.max((0, 2, 3, 4)), rtol=1e-12)


def test_a_short_text_has_a_reader_at_every_token(backbone, text):
    assert read_on(backbone, text[:9], 5).losses_T.isfinite().all()


def test_remembrance_is_the_distance_of_two_predictions(backbone, text):
    kept, samples = [1, 3, 20], 6
    found = effective_remembrance(backbone, text, kept, samples)
    whole = literal(backbone, text)
    ends = [20, 30, 40, 50, 60, 70]
    for t, distance in zip(kept, found, strict=True):
        apart = [
            0.5 * (whole[e - 1][0] - literal(backbone, text[e - t : e])[-1][0]).abs().sum()
            for e in ends
        ]
        assert distance == pytest.approx(np.mean(apart), rel=1e-12)
    assert found[0] > found[2] > 0


def test_eval_by_position_prints_and_writes_what_it_measured(config, charrnn, tmp_path):
    folder = train(config("num_batches=3", "k1=5", "k2=10", "sampling.length=0"))
    words = ("eval", folder.path, "--by-position", "--positions", "30", "--out", "here.png")
    status, out, _ = charrnn(*words)
    assert status == 0
    assert (tmp_path / "here.png").read_bytes().startswith(b"\x89PNG")
    rows = [*csv.DictReader((tmp_path / "here.csv").read_text().splitlines())]
    edges = [(int(row["first"]), int(row["last"])) for row in rows]
    assert edges[0][0] == 1
    assert edges[-1][1] == 30
    assert all(one[1] + 1 == two[0] for one, two in pairwise(edges))
    run = open_run(folder)
    found = read_on(run.backbone, run.datamodule().test_tokens, 30)
    first, last = edges[-1]
    expected = math.exp(found.losses_T[first - 1 : last].mean())
    assert float(rows[-1]["perplexity"]) == pytest.approx(expected, rel=1e-12)
    assert f"{first} to {last}" in out
    assert "remembrance: total variation distance" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--positions", "9"), "--positions=9 cannot be used: it has to be given with --by-posi"),
        (
            ("--by-position", "--positions", "1"),
            "--positions=1 cannot be used: it has to be at lea",
        ),
        (("--by-position", "--out", "x.pdf"), "it has to be the name of a .png, such as x.pdf.png"),
    ],
)
def test_what_cannot_be_read_is_refused(charrnn, words, sentence):
    status, _, err = charrnn("eval", "none", *words)
    assert status != 0
    assert sentence in err
