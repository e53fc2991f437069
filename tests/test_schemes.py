"""The schemes: what they train, from which state, and that they learn."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
import reference
import torch
from helpers import fit, gradients, model_and_parameters, random_arrays
from torch import nn

from charrnn.backbone.initial_weights import load_arrays
from charrnn.backbone.network import Backbone
from charrnn.data.corpora.base import TextFile
from charrnn.datamodule.batches import Batch
from charrnn.datamodule.module import CharDataModule
from charrnn.errors import BadInput
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.optimizer.adam_lasagne import AdamLasagne
from charrnn.schemes.losses import WEIGHTINGS, weighted_cross_entropy
from charrnn.schemes.scheme_2 import Scheme2
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1, Scheme3
from charrnn.schemes.truncated_bptt import BPTT

SCHEMES = {1: Scheme1, 2: Scheme2, 3: Scheme3, 4: Scheme4, "bptt": BPTT}
CARRIES = (4, "bptt")


class LasagneAdam:
    """Lasagne's formula, term by term, as the protocol gives it."""

    def __init__(self, parameters, lr=0.001, b1=0.9, b2=0.999, eps=1e-8):
        self.parameters, self.lr, self.b1, self.b2, self.eps = parameters, lr, b1, b2, eps
        self.t, self.m, self.v = 0, dict.fromkeys(parameters, 0), dict.fromkeys(parameters, 0)

    def step(self, gradients):
        self.t += 1
        lr = self.lr * (1 - self.b2**self.t) ** 0.5 / (1 - self.b1**self.t)
        for name, g in gradients.items():
            self.m[name] = self.b1 * self.m[name] + (1 - self.b1) * g
            self.v[name] = self.b2 * self.v[name] + (1 - self.b2) * g**2
            self.parameters[name].data -= lr * self.m[name] / (self.v[name] ** 0.5 + self.eps)


def literal_training(p, train, scheme, k1, k2, B, batches, clip):
    """Algorithms 1 to 3 over Eq. 8's batches without rotation, by plain autograd."""
    learned = [n for n in p if scheme not in CARRIES or not n.endswith(("h0", "c0"))]
    adam = LasagneAdam({name: p[name] for name in learned})
    N, i = len(train), 0
    for _ in range(batches):
        starts = [j * (N // B) + i * k1 for j in range(B)]
        tokens = torch.tensor([train[s : s + k2 + 1].tolist() for s in starts]).t()
        if scheme not in CARRIES or i == 0:
            state = reference.initial_state(p, B)
        logits, states = reference.run(p, tokens[:-1], state, clip=clip)
        loss_function = reference.single_loss if scheme == 2 else reference.multi_loss
        scored = k1 if scheme == "bptt" and i > 0 else k2
        loss = loss_function(logits[-scored:], tokens[1:][-scored:])
        gradients = torch.autograd.grad(loss, [p[name] for name in learned])
        adam.step(dict(zip(learned, gradients, strict=True)))
        state = [(h.detach(), c.detach()) for h, c in states[k1 - 1]]
        i += 1
        if N // B * (B - 1) + i * k1 + k2 >= N:
            i = 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_training_equals_the_algorithms_step_by_step(tmp_path, scheme):
    """All parameters after 12 batches, over an epoch's end, with a clip that bites."""
    rng = np.random.default_rng(0)
    path = tmp_path / "random.txt"
    path.write_text("".join(rng.choice(list("abcdefg"), 200)))
    k1, k2, B, clip = 3, 5, 4, 0.01
    datamodule = CharDataModule(TextFile(str(path)), k1, k2, B, rotation=0, test_size=50, offset=0)
    datamodule.setup()
    architecture = {"layers": 2, "hidden": 5, "dense": 6, "peepholes": "lasagne"}
    arrays = random_arrays(vocabulary=7, **architecture)
    backbone = Backbone(7, 2, 5, 6, grad_clip=clip).double()
    load_arrays(backbone, arrays)
    if scheme in CARRIES:
        arrays |= {n: np.zeros_like(a) for n, a in arrays.items() if n.endswith(("h0", "c0"))}
    fit(SCHEMES[scheme](backbone, AdamLasagne, k1, k2), datamodule, batches=15)
    assert datamodule.batches.per_epoch < 15

    p = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    literal_training(p, datamodule.batches.train, scheme, k1, k2, B, 15, clip)
    expected = Backbone(7, 2, 5, 6).double()
    load_arrays(expected, {name: tensor.detach().numpy() for name, tensor in p.items()})
    for (name, found), wanted in zip(
        backbone.named_parameters(), expected.parameters(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10, msg=name)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_short_cyclic_text_is_learned_to_perplexity_1(tmp_path, scheme):
    path = tmp_path / "cycle.txt"
    path.write_text("abcadb" * 500)  # k1 = 5 brings every phase of it to the end of a sequence
    datamodule = CharDataModule(TextFile(str(path)), k1=5, k2=12, batch_size=16, test_size=120)
    datamodule.setup()
    backbone = Backbone(4, hidden_size=16, dense_size=16, forget_bias=1.0)
    model = SCHEMES[scheme](backbone, lambda p: torch.optim.Adam(p, lr=0.03), k1=5, k2=12)

    def own_perplexity():
        measure = PROCEDURES[model.sampling_procedure]
        return measure(backbone, datamodule.test_tokens, 12).value  # there is no dropout

    assert own_perplexity() > 2
    fit(model, datamodule, batches=100)
    assert 1 <= own_perplexity() < 1.05


def test_initial_weights_do_not_depend_on_scheme_k1_or_k2(config):
    from charrnn.training.build import build_scheme

    def weights(*overrides):
        return build_scheme(config(*overrides), vocabulary_size=7).backbone.state_dict()

    base = weights("scheme=1")
    for overrides in (["scheme=2"], ["scheme=3"], ["scheme=4"], ["k1=7"], ["k2=60", "k1=60"]):
        other = weights(*overrides)
        assert all(torch.equal(base[name], other[name]) for name in base), overrides
    assert not torch.equal(base["output.weight"], weights("seed=1")["output.weight"])


def test_weightings_are_the_formulas_of_section_5():
    e = math.e
    expected = {
        "uniform": [0.25] * 4,
        "linear": [0, 1 / 3, 2 / 3, 1],
        "exponential": [e**-3, e**-2, e**-1, 1],
        "linear-normalised": [0, 1 / 6, 2 / 6, 3 / 6],
    }
    total = e**-3 + e**-2 + e**-1 + 1
    expected["exponential-normalised"] = [w / total for w in expected["exponential"]]
    assert expected.keys() == WEIGHTINGS.keys()
    for name, weights in expected.items():
        assert WEIGHTINGS[name](4).tolist() == pytest.approx(weights, rel=1e-15)
        assert WEIGHTINGS[name](1).tolist() == [1]


def test_the_loss_is_the_weighted_sum_over_the_last_k3_positions():
    hidden = torch.randn(4, 3, 5, dtype=torch.float64)
    targets = torch.randint(5, (4, 3))
    weights = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    by_position = [reference.cross_entropy(h, t) for h, t in zip(hidden, targets, strict=True)]
    expected = 0.5 * by_position[1] + 0.2 * by_position[2] + 0.3 * by_position[3]
    found = weighted_cross_entropy(nn.Identity(), hidden, targets, weights)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    scheme = Scheme1(Backbone(5, hidden_size=5), torch.optim.Adam, 1, 4, k3=3, weighting="linear")
    assert scheme.weights_N.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("k3", [1, 3, 6])
def test_k3_goes_from_single_to_multi_loss_gradient_for_gradient(k3):
    """Algorithm 2 at its one end, Algorithm 1 at the other, by plain autograd."""
    backbone, p = model_and_parameters()
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 7, (7, 3)))
    logits, _ = reference.run(p, tokens[:-1], reference.initial_state(p, 3))
    if k3 == 1:
        expected = reference.single_loss(logits, tokens[1:])
    else:
        expected = reference.multi_loss(logits[-k3:], tokens[-k3:])
    scheme = Scheme1(backbone, torch.optim.SGD, 1, 6, k3=k3)
    found = scheme.training_step(Batch(tokens[:-1], tokens[1:], number=0))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    found.backward()
    wanted = dict(zip(p, torch.autograd.grad(expected, list(p.values())), strict=True))
    for name, gradient in gradients(backbone).items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-9, atol=1e-12, msg=name)


def test_the_last_position_alone_trains_as_scheme_2_does_to_the_bit(config):
    from charrnn.training.train_run import train

    last = train(config("scheme=1", "k3=1"))
    single = train(config("scheme=2"))
    assert last.path.name != single.path.name
    first, second = (folder.read_weights() for folder in (last, single))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["output.bias"], torch.zeros(9))


@pytest.mark.parametrize(("k1", "k2", "layers"), [(2, 3, 1), (3, 7, 2), (4, 4, 1)])
def test_bptt_is_section_2_1_gradient_for_gradient(k1, k2, layers):
    """The first case is Figure 2."""
    backbone, p = model_and_parameters(layers=layers)
    scheme = BPTT(backbone, torch.optim.SGD, k1, k2)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 7, (k2 + 4 * k1 + 1, 3)))
    expected = reference.truncated_bptt(p, tokens, k1, k2)
    assert len(expected) == 5
    for i, wanted in enumerate(expected):
        window = tokens[i * k1 : i * k1 + k2 + 1]
        scheme.zero_grad()
        scheme.training_step(Batch(window[:-1], window[1:], number=i)).backward()
        found = gradients(backbone)
        for name, gradient in wanted.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12, msg=name)
    assert not any(found[f"lstm0.{name}"] is not None for name in ("h0", "c0"))


def test_in_bptt_each_token_of_an_epoch_is_counted_once(tmp_path):
    """Except for the last few, which do not fill a sequence."""
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), 200)))
    datamodule = CharDataModule(TextFile(str(path)), 3, 7, 4, rotation=0, test_size=50, offset=0)
    datamodule.setup()
    seen = []
    backbone = Backbone(7, hidden_size=4, dense_size=5)
    backbone.dense.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0]) // 4))
    fit(BPTT(backbone, torch.optim.SGD, 3, 7), datamodule, datamodule.batches.per_epoch + 2)
    epoch = datamodule.batches.per_epoch
    starts = [i * 3 for i in range(epoch)]
    # Targets that have a loss, from the start of a lane: tokens 1 to 7, then three more each time.
    targets = [
        s + 7 - back for s, scored in zip(starts, seen, strict=False) for back in range(scored)
    ]
    assert sorted(targets) == list(range(1, starts[-1] + 7 + 1))
    assert seen[epoch:] == [7, 3]  # the next epoch starts from its own beginning


def carrying(tmp_path, batches=4, **switches):
    """Scheme 4 on a random text, trained for some batches with a large step, and its batches."""
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), 600)))
    datamodule = CharDataModule(TextFile(str(path)), 3, 5, 4, rotation=0, test_size=50, offset=0)
    datamodule.setup()
    backbone, _ = model_and_parameters()
    sgd = functools.partial(torch.optim.SGD, lr=0.5)
    scheme = Scheme4(backbone, sgd, 3, 5, **switches)
    fit(scheme, datamodule, batches)
    return scheme, list(itertools.islice(datamodule.batches, batches))


def test_a_carried_state_can_be_recomputed_with_the_new_weights(tmp_path):
    one, batches = carrying(tmp_path, batches=1, recompute=True)
    zero = [(torch.zeros(4, 5).double(), torch.zeros(4, 5).double())]
    with torch.no_grad():
        _, trajectory = one.backbone.recur(batches[0].inputs_TB[:3], zero)  # trained by now
    torch.testing.assert_close(one.carried[0][1], trajectory[0][1][-1], rtol=1e-12, atol=0)
    stale, _ = carrying(tmp_path, batches=1)
    assert not torch.allclose(stale.carried[0][1], one.carried[0][1])


def test_resets_start_sequences_from_the_initial_state_and_a_learned_start_learns(tmp_path):
    scheme, batches = carrying(tmp_path, reset=1.0, start="learned")
    initial = scheme.backbone.initial_state(4)
    assert initial[0][1].abs().max() > 0
    torch.testing.assert_close(scheme._state_before(batches[3]), initial)
    scheme, batches = carrying(tmp_path, reset=0.5)
    before = torch.cat([scheme._state_before(batches[3])[0][1] for _ in range(100)])
    resets = (before == 0).all(1).double().mean()
    assert 0.35 < resets < 0.65
    kept = before[(before != 0).any(1)]
    assert all((row == scheme.carried[0][1]).all(1).any() for row in kept)


def test_without_a_restart_an_epoch_starts_from_the_state_at_the_end_of_the_last_one(tmp_path):
    scheme, batches = carrying(tmp_path, restart=False)
    first = batches[0]
    assert first.number == 0
    assert scheme._state_before(first) is scheme.carried
    restarted, _ = carrying(tmp_path)
    assert not any(part.any() for part in restarted._state_before(first)[0])
    # The very first batch has nothing to go on from, and both have seen one epoch.
    torch.testing.assert_close(scheme.carried, restarted.carried, rtol=0, atol=0)


def test_scheme_3_with_a_zero_start_learns_none():
    backbone, _ = model_and_parameters()
    scheme = Scheme3(backbone, torch.optim.SGD, 3, 3, start="zero")
    assert not backbone.initial_state(2)[0][0].any()
    learned = {id(p) for g in scheme.configure_optimizers().param_groups for p in g["params"]}
    assert id(backbone.layers[0].h0_H) not in learned


def test_single_loss_pays_for_the_dense_layers_at_one_position():
    seen = []
    backbone = Backbone(7, hidden_size=4, dense_size=5)
    backbone.dense.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].numel() // 4))
    tokens = torch.randint(7, (10, 3))
    batch = Batch(tokens[:-1], tokens[1:], number=0)
    Scheme2(backbone, torch.optim.Adam, k1=1, k2=9).training_step(batch)
    Scheme1(backbone, torch.optim.Adam, k1=1, k2=9).training_step(batch)
    assert seen == [3, 27]


def test_scheme_4_learns_no_initial_state_and_refuses_k1_above_k2():
    backbone = Backbone(7, num_layers=2, hidden_size=4)
    scheme = Scheme4(backbone, torch.optim.SGD, k1=3, k2=3)
    learned = {
        id(p) for group in scheme.configure_optimizers().param_groups for p in group["params"]
    }
    for layer in backbone.layers:
        assert id(layer.h0_H) not in learned
        assert id(layer.c0_H) not in learned
        assert id(layer.W_hid_HG) in learned
    with pytest.raises(BadInput, match=r"k1=4 cannot be used: it has to be at most k2=3"):
        Scheme4(Backbone(7, hidden_size=4), torch.optim.SGD, k1=4, k2=3)


def test_adam_lasagne_is_its_formula():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(6, 5)) * 1e-7  # eps matters
    ours = nn.Parameter(torch.tensor(start))
    optimizer = AdamLasagne([ours], lr=0.01)
    theirs = {"x": torch.tensor(start)}
    adam = LasagneAdam(theirs, lr=0.01)
    for gradient in gradients:
        ours.grad = torch.tensor(gradient)
        optimizer.step()
        adam.step({"x": torch.tensor(gradient)})
    torch.testing.assert_close(ours.data, theirs["x"], rtol=1e-12, atol=0)


def test_dropout_is_on_in_training_and_off_in_evaluation():
    backbone = Backbone(7, hidden_size=8, dense_size=8, dropout=0.5)
    hidden = torch.randn(50, 8)
    assert not torch.equal(backbone.readout(hidden), backbone.readout(hidden))
    backbone.eval()
    assert torch.equal(backbone.readout(hidden), backbone.readout(hidden))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("lstm0.b"), r"initial_weights=missing lstm0.b"),
        (lambda a: a.update(extra=np.zeros(1)), r"initial_weights=unknown extra"),
        (lambda a: a.update({"output.b": np.zeros(3)}), r"initial_weights\[output.b\].*\(7,\)"),
        (lambda a: a.update({"output.b": np.full(7, np.nan)}), r"finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_nothing_is_set(change, message):
    architecture = {"layers": 1, "hidden": 5, "dense": 6, "peepholes": "none"}
    arrays = random_arrays(vocabulary=7, **architecture)
    change(arrays)
    backbone = Backbone(7, 1, 5, 6, "none")
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(BadInput, match=message):
        load_arrays(backbone, arrays)
    assert all(torch.equal(value, before[n]) for n, value in backbone.state_dict().items())


def test_a_scheme_that_trains_differently_has_to_name_its_training():
    step = {"training_step": lambda self, batch: None}
    with pytest.raises(TypeError, match="Other changes training_step and has to name its own"):
        type("Other", (Scheme1,), step)
    own = {**step, "training_procedure": "other"}
    assert type("Other", (Scheme1,), own).training_procedure == "other"


def test_scheme_4_starts_from_zero_even_if_another_state_was_loaded():
    backbone = Backbone(7, hidden_size=4)
    with torch.no_grad():
        backbone.layers[0].h0_H.fill_(1)
    Scheme4(backbone, torch.optim.SGD, k1=3, k2=3)
    assert not backbone.initial_state(2)[0][0].any()
