"""Every recurrent cell against a plain step of it, torch's own layers, and itself step by step."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import reference
import reference_cells
import torch
from torch import nn

from charrnn.backbone.gru import GRUNetwork
from charrnn.backbone.initial_weights import load_arrays
from charrnn.backbone.minimal import MinGRUNetwork, MinLSTMNetwork
from charrnn.backbone.network import Backbone, Network
from charrnn.backbone.rnn import RNNNetwork
from charrnn.backbone.scan import in_rounds, linear_recurrence, one_by_one
from charrnn.datamodule.batches import Batch
from charrnn.errors import BadInput
from charrnn.evaluation.by_position import perplexity_by_position
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.sampling.samplers import SAMPLERS, Choice
from charrnn.sampling.stepping import Progressive, RollingWindows
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1

V, H, K2, BATCH = 7, 5, 9, 4
TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
BITING_CLIP = 0.002
TEXT = torch.randint(V, (30,), generator=torch.Generator().manual_seed(3))


@dataclass(frozen=True)
class Cell:
    """A network, its settings, and the plain step of its cell."""

    network: type[Network]
    step: Any
    settings: tuple[tuple[str, Any], ...] = ()

    def build(self, layers: int = 1, **more) -> tuple[Network, dict[str, torch.Tensor]]:
        """A network with random weights in double precision, and the reference's parameters."""
        network = self.network(V, layers, H, 6, **dict(self.settings), **more).double()
        rng = np.random.default_rng(0)
        arrays = {}
        for name, shape in self.shapes(layers).items():
            arrays[name] = rng.normal(0, 0.5, shape)
        load_arrays(network, arrays)
        return network, {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}

    def model(self, p, bound=None) -> reference_cells.Model:
        return reference_cells.Model(p, self.network.identity_name, self.step, bound)

    def shapes(self, layers: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all parameters, as the documentation of `load_arrays` has them."""
        name = self.network.identity_name
        G = {"rnn": 1, "gru": 3, "mingru": 2, "minlstm": 3}[name] * H
        own = {"b": (G,), "h0": (H,)}
        if name in ("rnn", "gru"):
            own["W_hid"] = (H, G)
        settings = dict(self.settings)
        if name == "gru" and settings.get("reset_gate") != "before":
            own["b_new"] = (H,)
        if settings.get("layer_norm"):
            own["gains"] = (2, G)
        named = {}
        for n in range(layers):
            named |= {f"{name}{n}.W_in": (V if n == 0 else H, G)}
            named |= {f"{name}{n}.{key}": shape for key, shape in own.items()}
        return named | {"dense.W": (H, 6), "dense.b": (6,), "output.W": (6, V), "output.b": (V,)}


BEFORE, NORM = ("reset_gate", "before"), ("layer_norm", True)
CELLS = {
    "rnn": Cell(RNNNetwork, reference_cells.rnn),
    "gru": Cell(GRUNetwork, reference_cells.gru_after),
    "gru before": Cell(GRUNetwork, reference_cells.gru_before, (BEFORE,)),
    "gru norm": Cell(GRUNetwork, reference_cells.normalised_gru("after"), (NORM,)),
    "gru before norm": Cell(GRUNetwork, reference_cells.normalised_gru("before"), (BEFORE, NORM)),
    **{
        f"{network.identity_name} {candidate}": Cell(
            network, plain(candidate), (("candidate", candidate),)
        )
        for network, plain in (
            (MinGRUNetwork, reference_cells.mingru),
            (MinLSTMNetwork, reference_cells.minlstm),
        )
        for candidate in ("linear", "positive")
    },
}
each_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


def tokens(seed: int = 0, length: int = K2 + 1) -> torch.Tensor:
    return torch.randint(V, (length, BATCH), generator=torch.Generator().manual_seed(seed))


def gradients(network: Network) -> dict[str, torch.Tensor]:
    """The gradient of every parameter, under the names of `load_arrays`."""
    named = {}
    for n, layer in enumerate(network.layers):
        for name, parameter in layer.named_parameters():
            named[f"{layer.name}{n}.{name.rpartition('_')[0]}"] = parameter.grad
    for name, linear in (("dense", network.dense), ("output", network.output)):
        named |= {f"{name}.W": linear.weight.grad.t(), f"{name}.b": linear.bias.grad}
    return named


@each_cell
@pytest.mark.parametrize("grad_clip", [None, BITING_CLIP])
@pytest.mark.parametrize("layers", [1, 2])
def test_outputs_loss_and_gradients_equal_the_plain_step(cell, layers, grad_clip):
    """Two sequences, the second from the first one's state; gradients flow through it."""
    network, p = cell.build(layers, grad_clip=grad_clip)
    first, second = tokens(1, 5), tokens(2)
    _, trajectory = network.recur(first, network.initial_state(BATCH))
    carried = [tuple(part[2] for part in layer) for layer in trajectory]
    hidden, _ = network.recur(second[:-1], carried)
    loss = Scheme1(network, torch.optim.Adam, 3, K2).loss(hidden, second[1:])
    loss.backward()

    model = cell.model(p, grad_clip)
    _, states = model.run(first, model.initial_state(BATCH))
    logits, _ = model.run(second[:-1], states[2])
    expected = reference.multi_loss(logits, second[1:])
    expected.backward()

    torch.testing.assert_close(network.readout(hidden), logits, **TOLERANCE)
    torch.testing.assert_close(loss, expected, **TOLERANCE)
    found = gradients(network)
    assert found.keys() == p.keys()
    for name, parameter in p.items():
        torch.testing.assert_close(found[name], parameter.grad, **TOLERANCE, msg=name)


@each_cell
def test_clipped_elements_are_counted(cell, monkeypatch):
    network, p = cell.build(grad_clip=BITING_CLIP)
    (layer,) = network.recurrent_layers()
    layer.num_clipped = torch.zeros((), dtype=torch.int64)
    hidden, _ = network.recur(tokens()[:-1], network.initial_state(BATCH))
    Scheme1(network, torch.optim.Adam, 3, K2).loss(hidden, tokens()[1:]).backward()

    reached = []

    def clipped(x, bound):
        x = reference.ClipGradient.apply(x, bound)
        x.register_hook(lambda gradient: reached.append(gradient.abs() >= bound))
        return x

    monkeypatch.setattr(reference_cells, "clipped", clipped)
    model = cell.model(p, BITING_CLIP)
    logits, _ = model.run(tokens()[:-1], model.initial_state(BATCH))
    reference.multi_loss(logits, tokens()[1:]).backward()
    reached = torch.cat([each.flatten() for each in reached])
    assert len(reached) == K2 * BATCH * H * layer.num_gates
    assert 0 < layer.num_clipped.item() == reached.sum() < len(reached)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("theirs", "name"), [(nn.RNN, "rnn"), (nn.GRU, "gru")])
def test_torchs_layers_compute_the_same(theirs, name, layers):
    network, p = CELLS[name].build(layers, grad_clip=None)
    layer = theirs(V, H, layers, dtype=torch.float64)
    with torch.no_grad():
        for n in range(layers):
            own = {key.partition(".")[2]: p[key] for key in p if key.startswith(f"{name}{n}.")}
            getattr(layer, f"weight_ih_l{n}").copy_(own["W_in"].t())
            getattr(layer, f"weight_hh_l{n}").copy_(own["W_hid"].t())
            getattr(layer, f"bias_ih_l{n}").copy_(own["b"])
            hidden_bias = getattr(layer, f"bias_hh_l{n}").zero_()
            if name == "gru":
                hidden_bias[2 * H :] = own["b_new"]
    start = torch.stack([h.contiguous() for (h,) in network.initial_state(BATCH)])
    expected, _ = layer(nn.functional.one_hot(tokens(), V).double(), start)
    hidden, _ = network.recur(tokens(), network.initial_state(BATCH))
    torch.testing.assert_close(hidden, expected, **TOLERANCE)
    hidden.square().sum().backward()
    expected.square().sum().backward()
    found = network.layers[0].W_hid_HG.grad
    torch.testing.assert_close(found, layer.weight_hh_l0.grad.t(), **TOLERANCE)


@each_cell
@pytest.mark.parametrize("is_tokens", [True, False])
def test_gradcheck_where_clipping_is_inactive(cell, is_tokens):
    network, _ = cell.build(grad_clip=1e6)
    (layer,) = network.recurrent_layers()
    torch.manual_seed(0)
    x = torch.randint(V, (3, 2))
    if not is_tokens:
        x = torch.randn(3, 2, V, dtype=torch.float64, requires_grad=True)
    h = torch.randn(2, H, dtype=torch.float64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(h, x, *parameters):
        named = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, named, (x, (h,)))

    assert torch.autograd.gradcheck(run, (h, x, *values))


@each_cell
def test_step_by_step_and_without_gradients_the_states_are_the_same(cell):
    network, _ = cell.build(layers=2)
    hidden, trajectory = network.recur(tokens(), network.initial_state(BATCH))
    with torch.inference_mode():
        whole, without = network.recur(tokens(), network.initial_state(BATCH))
        reader = Progressive(network, BATCH)
        for n, token in enumerate(tokens()):
            reader.read(token)
            torch.testing.assert_close(reader.logits(), network.readout(whole[n]), **TOLERANCE)
    torch.testing.assert_close(hidden, whole, **TOLERANCE)
    for pair, expected in zip(without, trajectory, strict=True):
        torch.testing.assert_close(pair, expected, **TOLERANCE)


@each_cell
@pytest.mark.parametrize("procedure", PROCEDURES)
def test_perplexities_are_the_algorithms_taken_literally(cell, procedure):
    network, p = cell.build(layers=2)
    found = PROCEDURES[procedure](network.eval(), TEXT, 6)
    with torch.no_grad():
        expected = cell.model(p).perplexity(TEXT.tolist(), 6, procedure)
    assert found.value == pytest.approx(expected, rel=1e-9)
    if procedure == "windowed":
        last = perplexity_by_position(network, TEXT, 6)[-1].item()
        assert last == pytest.approx(expected, rel=1e-9)


@each_cell
@pytest.mark.parametrize("procedure", SAMPLERS)
def test_samplers_draw_from_the_literal_distribution(cell, procedure, monkeypatch):
    network, p = cell.build()
    drawn_from, draw = [], Choice.draw

    def spy(self, logits, generator):
        drawn_from.append(logits.clone())
        return draw(self, logits, generator)

    monkeypatch.setattr(Choice, "draw", spy)
    prompt = TEXT[:9]
    found = list(itertools.islice(SAMPLERS[procedure](network.eval(), prompt, 4, Choice()), 12))
    for n, logits in enumerate(drawn_from):
        read = [*prompt.tolist(), *found[:n]]
        with torch.no_grad():
            expected = cell.model(p).predict(read if procedure == "progressive" else read[-4:])
        torch.testing.assert_close(logits, expected[0], **TOLERANCE)


@each_cell
def test_rolling_windows_of_several_streams(cell):
    network, p = cell.build(layers=2)
    with torch.inference_mode():
        windows = RollingWindows(network, 4, BATCH)
        for n, token in enumerate(tokens()):
            windows.read(token)
            logits = windows.logits()
            for stream in range(BATCH):
                read = tokens()[max(0, n - 3) : n + 1, stream].tolist()
                expected = cell.model(p).predict(read)[0]
                torch.testing.assert_close(logits[stream], expected, **TOLERANCE)


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 21])
def test_the_scan_in_rounds_is_the_one_step_by_step(steps):
    generator = torch.Generator().manual_seed(steps)
    a, b = torch.rand(2, steps, 3, 2, generator=generator, dtype=torch.float64)
    b, h = b - 0.5, torch.rand(3, 2, generator=generator, dtype=torch.float64)
    state, states = h, []
    for a_BH, b_BH in zip(a, b, strict=True):
        state = a_BH * state + b_BH
        states.append(state)
    for computed in (in_rounds, one_by_one, linear_recurrence):
        torch.testing.assert_close(computed(a, b, h), torch.stack(states), **TOLERANCE)
    inputs = [each.requires_grad_() for each in (a, b, h)]
    assert torch.autograd.gradcheck(linear_recurrence, inputs)


def test_a_forget_bias_keeps_the_state_in_every_cell_that_has_one():
    """With no weights and bias k, the share of the state that a step keeps is known."""
    share = 1 / (1 + np.exp(-3.0))
    for network_class, expected in (
        (GRUNetwork, share),
        (MinGRUNetwork, share),
        (MinLSTMNetwork, share / (share + 0.5)),  # of f / (f + i), where i is 1/2
    ):
        network = network_class(V, hidden_size=H, dense_size=None, forget_bias=3.0).double()
        (layer,) = network.recurrent_layers()
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                if name.startswith("W_"):
                    parameter.zero_()
            (h,) = layer(tokens()[:1], (torch.full((BATCH, H), 2.0, dtype=torch.float64),))
        torch.testing.assert_close(h, torch.full_like(h, 2 * expected))


@each_cell
def test_initial_values(cell):
    network = cell.network(90, 2, 32, 64, **dict(cell.settings), seed=3)
    for layer in network.layers:
        for name, parameter in layer.named_parameters():
            if name.startswith("W_"):
                for gate in parameter.chunk(layer.num_gates, 1):
                    small = gate if gate.shape[0] <= gate.shape[1] else gate.t()
                    eye = torch.eye(len(small))
                    torch.testing.assert_close(small @ small.t(), eye, rtol=0, atol=1e-5)
            else:
                assert (parameter == (1.0 if name.startswith("gains") else 0.0)).all(), name
    again = cell.network(90, 2, 32, 64, **dict(cell.settings), seed=3).state_dict()
    assert all(torch.equal(again[name], value) for name, value in network.state_dict().items())


@each_cell
def test_the_start_can_be_zero_and_the_state_be_carried(cell):
    network, _ = cell.build()
    scheme = Scheme4(network, torch.optim.Adam, k1=3, k2=K2, reset=0.5)
    assert not network.initial_state(2)[0][0].any()
    assert not any(p.requires_grad for p in network.layers[0].initial_parameters())
    optimizer = scheme.configure_optimizers()
    for number in (0, 1):
        batch = Batch(tokens(number)[:-1], tokens(number)[1:], number)
        torch.manual_seed(1)
        scheme.training_step(batch).backward()
        carried = scheme.carried[0][0].clone()
    torch.manual_seed(1)
    resets = torch.rand(BATCH, 1) < 0.5
    assert resets.any()
    assert not resets.all()
    _, first = network.recur(tokens(0)[:-1], network.initial_state(BATCH))
    start = torch.where(resets, 0.0, first[0][0][2])
    _, second = network.recur(tokens(1)[:-1], [(start,)])
    torch.testing.assert_close(carried, second[0][0][2].detach(), **TOLERANCE)
    optimizer.step()


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        (GRUNetwork, {"reset_gate": "beside"}, "backbone.reset_gate=beside"),
        (GRUNetwork, {"layer_norm": 1}, "backbone.layer_norm=1"),
        (MinGRUNetwork, {"candidate": "tanh"}, "backbone.candidate=tanh"),
        (RNNNetwork, {"grad_clip": 0}, "backbone.grad_clip=0"),
        (MinLSTMNetwork, {"num_layers": 0}, "backbone.num_layers=0"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(network, settings, message):
    with pytest.raises(BadInput, match=rf"^{message} "):
        network(V, **settings)


@pytest.mark.parametrize("peepholes", ["lasagne", "paper", "none"])
@pytest.mark.parametrize("grad_clip", [None, BITING_CLIP])
def test_the_lstm_with_layer_normalisation(peepholes, grad_clip):
    """Ba et al. (2016), Eq. 20 to 22, with peepholes: states, gradients, and step by step."""
    settings = {"peepholes": peepholes, "grad_clip": grad_clip, "layer_norm": True}
    network = Backbone(V, 1, H, 6, **settings).double()
    (layer,) = network.recurrent_layers()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.5)
    p = {name: each.detach().clone().requires_grad_() for name, each in layer.arrays().items()}
    norm, h, c = reference_cells.norm, p["h0"].expand(BATCH, H), p["c0"].expand(BATCH, H)
    expected = []
    for token in tokens():
        x = nn.functional.one_hot(token, V).double()
        z = norm(x @ p["W_in"]) * p["gains"][0] + norm(h @ p["W_hid"]) * p["gains"][1] + p["b"]
        i, f, g, o = reference_cells.clipped(z, grad_clip).chunk(4, 1)
        w_i, w_f, w_o = p.get("W_peep", torch.zeros(3, H))
        new = torch.sigmoid(f + w_f * c) * c + torch.sigmoid(i + w_i * c) * torch.tanh(g)
        o = torch.sigmoid(o + w_o * (new if peepholes == "lasagne" else c))
        h, c = o * torch.tanh(norm(new) * p["cell"][0] + p["cell"][1]), new
        expected.append(h)
    expected = torch.stack(expected)
    hidden, _ = network.recur(tokens(), network.initial_state(BATCH))
    torch.testing.assert_close(hidden, expected, **TOLERANCE)
    for each in (hidden, expected):
        (each.square().sum() + each[-1].sum()).backward()
    for name, parameter in layer.arrays().items():
        torch.testing.assert_close(parameter.grad, p[name].grad, **TOLERANCE, msg=name)
    with torch.inference_mode():
        reader = Progressive(network, BATCH)
        for n, token in enumerate(tokens()):
            reader.read(token)
            torch.testing.assert_close(reader.logits(), network.readout(expected[n]), **TOLERANCE)


def test_an_lstms_normalisation_starts_as_none_but_normalising():
    layer = Backbone(V, hidden_size=H, layer_norm=True).layers[0]
    assert (layer.gains_2G == 1).all()
    assert layer.cell_2H.tolist() == [[1.0] * H, [0.0] * H]


def test_the_lstm_has_the_parameters_that_its_checkpoints_hold():
    names = [name for name, _ in Backbone(V, hidden_size=H).layers[0].named_parameters()]
    assert names == ["W_in_IG", "W_hid_HG", "bias_G", "W_peep_3H", "h0_H", "c0_H"]
