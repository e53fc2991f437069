"""Where training sequences start: the states themselves, in training, and after a checkpoint."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch

from charrnn.backbone.network import Backbone
from charrnn.data.corpora.base import TextFile
from charrnn.datamodule.module import CharDataModule
from charrnn.errors import BadInput
from charrnn.schemes.scheme_2 import Scheme2
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.schemes.starts import fitted, passed
from charrnn.sweeps.cells import compose_cells
from charrnn.training.train_run import train

B, H = 4, 5
SGD = functools.partial(torch.optim.SGD, lr=0.5)


def states(layers=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [tuple(torch.randn(B, H, generator=draw) for _ in "hc") for _ in range(layers)]


def scheme_and_batches(tmp_path, scheme_class=Scheme1, **given):
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), 600)))
    datamodule = CharDataModule(TextFile(str(path)), 3, 5, B, rotation=0, test_size=50, offset=0)
    datamodule.setup()
    torch.manual_seed(0)
    backbone = Backbone(7, num_layers=2, hidden_size=H, dense_size=None)
    return scheme_class(backbone, SGD, 3, 5, **given), itertools.islice(datamodule.batches, 9)


def starts_of(scheme, batches, monkeypatch):
    """The states that batches start from, and those that they reach."""
    found, recur = [], scheme.backbone.recur

    def watched(tokens_TB, state):
        found.append(state)
        return recur(tokens_TB, state)

    monkeypatch.setattr(scheme.backbone, "recur", watched)
    reached = []
    for batch in batches:
        scheme.training_step(batch)
        reached.append(scheme.reached)
    return found, reached


def test_every_sequence_gets_the_whole_state_that_another_one_reached(tmp_path, monkeypatch):
    scheme, batches = scheme_and_batches(tmp_path, start="passed")
    started, reached = starts_of(scheme, batches, monkeypatch)
    assert not any(part.any() for layer in started[0] for part in layer)  # nothing was reached yet
    rolls = set()
    for before, after in zip(reached, started[1:], strict=False):
        ends = torch.cat([part for layer in before for part in layer], dim=1)
        begins = torch.cat([part for layer in after for part in layer], dim=1)
        came_from = [int((ends == row).all(1).nonzero()) for row in begins]
        assert sorted(came_from) == list(range(B))
        assert all(lane != origin for lane, origin in enumerate(came_from))
        rolls.add(tuple(came_from))
    assert len(rolls) > 1


def test_one_sequence_alone_goes_on_from_its_own_end():
    alone = [(torch.ones(1, H), torch.ones(1, H))]
    assert passed([(torch.zeros(1, H),) * 2], alone, 0.0)[0][0].tolist() == [[1.0] * H]


def test_fitted_noise_has_each_units_mean_and_variance():
    torch.manual_seed(0)
    reached = states()
    drawn = [fitted(states(seed=1), reached, 0.0) for _ in range(3000)]
    for layer, part in itertools.product(range(2), range(2)):
        all_of_it = torch.cat([one[layer][part] for one in drawn]).double()
        ends = reached[layer][part].double().numpy()
        assert all_of_it.mean(0).numpy() == pytest.approx(np.mean(ends, axis=0), abs=0.05)
        assert all_of_it.var(0).numpy() == pytest.approx(np.var(ends, axis=0), rel=0.1, abs=1e-3)


def test_noise_lies_around_zero_and_is_new_for_every_batch(tmp_path, monkeypatch):
    scheme, batches = scheme_and_batches(tmp_path, start="noise", noise=2.0)
    started, _ = starts_of(scheme, batches, monkeypatch)
    drawn = torch.stack([part for state in started for layer in state for part in layer])
    assert drawn.mean().item() == pytest.approx(0, abs=0.25)
    assert drawn.std().item() == pytest.approx(2, rel=0.1)
    assert len(drawn.unique()) == drawn.numel()


@pytest.mark.parametrize("start", ["zero", "noise", "fitted-noise", "passed"])
def test_only_a_learned_start_is_learned_and_a_model_is_read_from_zero(tmp_path, start):
    scheme, batches = scheme_and_batches(tmp_path, Scheme2, start=start)
    for batch in batches:
        scheme.training_step(batch).backward()
    for layer in scheme.backbone.initial_state(1):
        assert not any(part.any() or part.requires_grad for part in layer)


def test_resets_let_sequences_start_from_the_initial_state(tmp_path, monkeypatch):
    scheme, batches = scheme_and_batches(tmp_path, start="noise", reset=0.25)
    started, _ = starts_of(scheme, list(batches) * 10, monkeypatch)
    rows = torch.cat([torch.cat([*layer], dim=1) for state in started for layer in state])
    assert 0.15 < (rows == 0).all(1).double().mean() < 0.35
    assert ((rows == 0).all(1) == (rows == 0).any(1)).all()


@pytest.mark.parametrize(
    "start",
    ["passed", *(pytest.param(n, marks=pytest.mark.long) for n in ("fitted-noise", "noise"))],
)
def test_a_run_that_is_continued_has_the_bits_of_one_that_was_not(config, tmp_path, start):
    words = f"schemes.s3.start={start}", "schemes.s3.reset=0.3", "scheme=3", "sampling.length=0"
    train(config(*words, "num_batches=3"))
    continued = train(config(*words, "num_batches=7"))
    at_once = train(config(*words, "num_batches=7", f"output_dir={tmp_path / 'at once'}"))
    assert continued.path.name == at_once.path.name
    kept, expected = continued.read_weights(), at_once.read_weights()
    assert all(torch.equal(kept[name], expected[name]) for name in expected)


def test_a_scheme_that_carries_the_state_has_no_other_start(tmp_path):
    with pytest.raises(BadInput, match=r"start=passed .* one of learned, zero"):
        scheme_and_batches(tmp_path, Scheme4, start="passed")


def test_the_experiment_compares_every_start_in_one_training():
    cells = compose_cells("starts", ["scale=smoke", "corpora=stdlib", "k1=20"])
    assert [(cfg.start, cfg.scheme, cfg.model.start) for cfg in cells] == [
        ("none", 3, "learned"),
        ("zero", 3, "zero"),
        ("noise", 3, "noise"),
        ("fitted_noise", 3, "fitted-noise"),
        ("passed", 3, "passed"),
        ("carried", 4, "zero"),
    ]
