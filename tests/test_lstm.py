"""The recurrent layer and the backbone against the plain reference, in double precision."""

from __future__ import annotations

import pytest
import reference
import torch
from helpers import gradients, model_and_parameters

from charrnn.backbone.lstm import PeepholeLSTM
from charrnn.backbone.lstm_eager import FEW
from charrnn.backbone.network import Backbone
from charrnn.backbone.state import state_after
from charrnn.schemes.scheme_2 import Scheme2
from charrnn.schemes.schemes_1_and_3 import Scheme1

pytestmark = pytest.mark.usefixtures("passes")

K2, BATCH = 9, 4
TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}


# Small enough to clip many of these models' gradients at the gates.
BITING_CLIP = 0.002


def tokens(seed: int = 0, length: int = K2 + 1) -> torch.Tensor:
    return torch.randint(7, (length, BATCH), generator=torch.Generator().manual_seed(seed))


def assert_same(found: torch.Tensor, expected: torch.Tensor, name: str) -> None:
    torch.testing.assert_close(found, expected, **TOLERANCE, msg=lambda m: f"{name}: {m}")


@pytest.mark.parametrize("grad_clip", [None, BITING_CLIP])
@pytest.mark.parametrize("peepholes", ["lasagne", "paper", "none"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("scheme_class", [Scheme1, Scheme2])
def test_outputs_loss_and_gradients_equal_the_reference(scheme_class, layers, peepholes, grad_clip):
    backbone, p = model_and_parameters(layers=layers, peepholes=peepholes, grad_clip=grad_clip)
    scheme = scheme_class(backbone, torch.optim.Adam, k1=3, k2=K2)
    x, y = tokens()[:-1], tokens()[1:]
    hidden, _ = backbone.recur(x, backbone.initial_state(BATCH))
    loss = scheme.loss(hidden, y)
    loss.backward()

    logits, _ = reference.run(p, x, reference.initial_state(p, BATCH), peepholes, grad_clip)
    expected = {Scheme1: reference.multi_loss, Scheme2: reference.single_loss}[scheme_class]
    expected_loss = expected(logits, y)
    expected_loss.backward()

    torch.testing.assert_close(backbone.readout(hidden), logits, **TOLERANCE)
    torch.testing.assert_close(loss, expected_loss, **TOLERANCE)
    found = gradients(backbone)
    assert found.keys() == p.keys()
    for name, parameter in p.items():
        assert_same(found[name], parameter.grad, name)


def test_the_biting_clip_does_bite():
    per_clip = []
    for grad_clip in (None, BITING_CLIP):
        backbone, _ = model_and_parameters(grad_clip=grad_clip)
        hidden, _ = backbone.recur(tokens()[:-1], backbone.initial_state(BATCH))
        Scheme1(backbone, torch.optim.Adam, 3, K2).loss(hidden, tokens()[1:]).backward()
        per_clip.append(gradients(backbone)["lstm0.b"])
    free, clipped = per_clip
    assert (free - clipped).abs().max() > 0.01 * free.abs().max()


@pytest.mark.parametrize("grad_clip", [None, BITING_CLIP])
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_through_a_state_that_is_carried_on(layers, grad_clip):
    """Two sequences, the second from the first one's state at k1-1; gradients flow through it."""
    backbone, p = model_and_parameters(layers=layers, grad_clip=grad_clip)
    first, second, k1 = tokens(1), tokens(2), 4

    _, trajectory = backbone.recur(first[:-1], backbone.initial_state(BATCH))
    carried = [(h[k1 - 1], c[k1 - 1]) for h, c in trajectory]
    hidden, _ = backbone.recur(second[:-1], carried)
    Scheme1(backbone, torch.optim.Adam, k1, K2).loss(hidden, second[1:]).backward()

    start = reference.initial_state(p, BATCH)
    _, states = reference.run(p, first[:-1], start, clip=grad_clip)
    logits, _ = reference.run(p, second[:-1], states[k1 - 1], clip=grad_clip)
    reference.multi_loss(logits, second[1:]).backward()

    for name, gradient in gradients(backbone).items():
        assert_same(gradient, p[name].grad, name)


def test_state_after_is_the_references_state_and_detached():
    backbone, p = model_and_parameters(layers=2)
    x = tokens()[:-1]
    _, trajectory = backbone.recur(x, backbone.initial_state(BATCH))
    _, states = reference.run(p, x, reference.initial_state(p, BATCH))
    for (h, c), (expected_h, expected_c) in zip(state_after(trajectory, 3), states[3], strict=True):
        torch.testing.assert_close(h, expected_h.detach(), **TOLERANCE)
        torch.testing.assert_close(c, expected_c.detach(), **TOLERANCE)
        assert not h.requires_grad
        assert not c.requires_grad


@pytest.mark.parametrize("is_tokens", [True, False])
@pytest.mark.parametrize("peepholes", ["lasagne", "paper", "none"])
def test_gradcheck_where_clipping_is_inactive(peepholes, is_tokens):
    torch.manual_seed(0)
    layer = PeepholeLSTM(4, 3, peepholes, grad_clip=1e6).double()
    layer.reset_parameters(torch.Generator().manual_seed(0))
    x = (
        torch.randint(4, (3, 2))
        if is_tokens
        else torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    )
    state = tuple(torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(h, c, x, *parameters):
        return torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (x, (h, c))
        )

    assert torch.autograd.gradcheck(run, (*state, x, *values))


@pytest.mark.parametrize("sequences", [1, FEW, FEW + 1])
def test_without_gradients_the_states_are_the_same(sequences):
    backbone, _ = model_and_parameters(layers=2)
    x = torch.cat([tokens(seed)[:-1] for seed in range(sequences)], dim=1)[:, :sequences]
    with_grad = backbone.recur(x, backbone.initial_state(sequences))[1]
    with torch.no_grad():
        without = backbone.recur(x, backbone.initial_state(sequences))[1]
    for pair, expected in zip(without, with_grad, strict=True):
        torch.testing.assert_close(pair, expected, **TOLERANCE)


def test_backward_twice_through_one_graph_gives_the_same_gradients():
    backbone, _ = model_and_parameters()
    hidden, _ = backbone.recur(tokens()[:-1], backbone.initial_state(BATCH))
    loss = backbone.readout(hidden).square().sum()
    loss.backward(retain_graph=True)
    once = {name: gradient.clone() for name, gradient in gradients(backbone).items()}
    backbone.zero_grad()
    loss.backward()
    for name, gradient in gradients(backbone).items():
        assert torch.equal(gradient, once[name]), name


def test_initial_values_follow_table_3():
    backbone = Backbone(90, num_layers=2, hidden_size=32, dense_size=64, forget_bias=5.0, seed=3)
    for layer in backbone.layers:
        for gate in (*layer.W_in_IG.chunk(4, 1), *layer.W_hid_HG.chunk(4, 1)):
            small = gate if gate.shape[0] <= gate.shape[1] else gate.t()
            torch.testing.assert_close(small @ small.t(), torch.eye(len(small)), rtol=0, atol=1e-5)
        i, f, g, o = layer.bias_G.chunk(4)
        assert (f == 5).all()
        assert not torch.cat([i, g, o, layer.h0_H, layer.c0_H]).any()
        assert 0.05 < layer.W_peep_3H.std() < 0.15
    for linear in (backbone.dense, backbone.output):
        bound = (6 / sum(linear.weight.shape)) ** 0.5
        assert 0.9 * bound < linear.weight.abs().max() <= bound
        assert not linear.bias.any()


def test_initial_values_depend_on_seed_and_architecture_alone():
    def weights(seed, threads):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        torch.manual_seed(threads)
        state = Backbone(50, hidden_size=64, seed=seed).state_dict()
        torch.set_num_threads(before)
        return state

    one, two, other = weights(0, 1), weights(0, 2), weights(1, 1)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["layers.0.W_in_IG"], other["layers.0.W_in_IG"])
