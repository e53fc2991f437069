"""What layers compute as CUDA graphs is what torch's operations compute one by one, to the bit.

See fake_graphs.py; test_gpu.py has the same of a real GPU.
"""

from __future__ import annotations

import weakref

import fake_graphs
import pytest
import torch
from fake_graphs import CLEAR, FakeGraph
from test_fake_cuda import CELLS
from torch import nn

from charrnn.backbone import cuda_graphs
from charrnn.backbone.acceleration import eager_only
from charrnn.backbone.cuda_graphs import replay
from charrnn.backbone.cuda_graphs_autograd import replay_with_gradients

V, H, T, B = 5, 4, 6, 3
BITING_CLIP = 0.02
# The minimal cells have a handful of kernels.
RECORDED = [cell for cell in CELLS if not cell.startswith("min")]


@pytest.fixture(autouse=True)
def graphs(monkeypatch):
    fake_graphs.pretend(monkeypatch)


def network_of(cell, seed=0, **more):
    network = CELLS[cell](V, 2, hidden_size=H, dense_size=3, **more).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.5, generator=generator)
    for layer in network.recurrent_layers():
        layer.num_clipped = torch.zeros((), dtype=torch.int64)
    return network


def tokens(seed, batch=B):
    return torch.randint(V, (T, batch), generator=torch.Generator().manual_seed(seed))


def computed(network, seed, batch=B):
    """Hidden and last states, the gradients that both lead to, and how many were clipped so far."""
    network.zero_grad()
    hidden, trajectory = network.recur(tokens(seed, batch), network.initial_state(batch))
    last = [part[-1] for layer in trajectory for part in layer]
    (hidden.square().sum() + sum(part.sum() for part in last)).backward()
    with torch.inference_mode():
        read, _ = network.recur(tokens(seed, batch), network.initial_state(batch))
    gradients = [each.grad.clone() for each in network.layers.parameters()]
    clipped = [layer.num_clipped.clone() for layer in network.recurrent_layers()]
    return [hidden.detach(), *last, read.clone(), *gradients, *clipped]


@pytest.mark.parametrize("cell", RECORDED)
def test_replayed_passes_are_the_eager_ones(cell):
    """Weights change between steps, and two networks and two batch sizes take turns."""
    clip = {} if "no peepholes" in cell else {"grad_clip": BITING_CLIP}
    networks, copies = ([network_of(cell, seed, **clip) for seed in (0, 1)] for _ in range(2))
    for n in range(4):
        for network, its_copy in zip(networks, copies, strict=True):
            for batch in (B, 2):
                found = computed(network, n, batch)
                with eager_only():
                    expected = computed(its_copy, n, batch)
                for one, other in zip(found, expected, strict=True):
                    assert torch.equal(one, other)
                assert not clip or all(count > 0 for count in found[-2:])
            with torch.no_grad():
                for each in (*network.parameters(), *its_copy.parameters()):
                    each.sub_(0.1 * each.detach().cos())
    # For each batch size there are 16 training passes and 16 readings (4 rounds, 2 networks, 2
    # layers). Only the first call of a graph's is not replayed. The layers share their graphs, and
    # readings those of forward passes; a plain LSTM's have six, as its first layer reads tokens.
    plain = cell.startswith("lstm") and "normalised" not in cell
    assert FakeGraph.replays == 2 * (48 - (6 if plain else 2))


@pytest.mark.parametrize("cell", RECORDED)
def test_a_later_call_leaves_earlier_results_and_their_gradients_as_they_are(cell):
    network = network_of(cell)

    def gradients():
        network.zero_grad()
        both = [network.recur(tokens(n), network.initial_state(B))[0] for n in (0, 1)]
        kept = [hidden.detach().clone() for hidden in both]
        for n in (1, 0):
            assert torch.equal(both[n], kept[n])
            both[n].square().sum().backward()
        return [*kept, *(each.grad.clone() for each in network.layers.parameters())]

    with eager_only():
        expected = gradients()
    for _ in range(3):
        for one, other in zip(gradients(), expected, strict=True):
            assert torch.equal(one, other)


def product_and_sine(x, y, factor):
    """Two results, of which a caller may use one; and one argument is no tensor."""
    return x * y * factor, y.sin()


def test_gradients_are_those_of_autograd():
    x, y = (torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    for _ in range(3):
        assert torch.autograd.gradcheck(
            lambda x, y: replay_with_gradients(product_and_sine, x, y, 2.0), (x, y)
        )
    product, sine = replay_with_gradients(product_and_sine, x, y, 2.0)
    assert [*torch.autograd.grad(product.sum(), (x, y))] == [
        pytest.approx(2 * y.detach()),
        pytest.approx(2 * x.detach()),
    ]
    # x has no part in the sine.
    _, sine = replay_with_gradients(product_and_sine, x, y, 2.0)
    dx, dy = torch.autograd.grad(sine.sum(), (x, y), allow_unused=True)
    assert dx is None
    assert dy == pytest.approx(y.detach().cos())


def test_a_second_derivative_is_refused():
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    product, _ = replay_with_gradients(product_and_sine, x, x, 2.0)
    (dx,) = torch.autograd.grad(product.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        dx.sum().backward()


def test_only_the_gradients_that_are_needed_are_computed():
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    fixed = torch.rand(3, dtype=torch.float64)
    for _ in range(3):
        product, sine = replay_with_gradients(product_and_sine, x, fixed, 2.0)
        assert torch.equal(sine, fixed.sin())
        (dx,) = torch.autograd.grad(product.sum(), x)
        torch.testing.assert_close(dx, 2 * fixed)


def test_graphs_are_forgotten_all_at_once_when_none_runs(monkeypatch):
    """torch frees what the other graphs of a stream still use when one of them is dropped.

    Later graphs are not to use cuBLAS's memory, which was part of a dropped one.
    """
    monkeypatch.setattr(cuda_graphs, "MOST", 3)
    made = []

    def known():
        return [graph() for graph in made if graph()]

    class Graph(FakeGraph):
        def __init__(self):
            super().__init__()
            made.append(weakref.ref(self))

    finished, cleared = [], []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: finished.append(len(known())))
    monkeypatch.setattr(torch._C, CLEAR, lambda: cleared.append(len(known())))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    for length in (1, 2, 3, 1, 2, 3, 1):
        assert replay(torch.sin, torch.zeros(length)).tolist() == [0] * length
    assert len(made) == len(known()) == 3
    assert replay(torch.sin, torch.zeros(4)).tolist() == [0, 0, 0, 0]
    assert not known()
    assert finished == [3]  # all three were there when the GPU was waited for
    assert cleared == [0]
    for _ in range(3):
        assert replay(torch.cos, torch.zeros(4)).tolist() == [1, 1, 1, 1]
    assert len(known()) == 1


def test_the_first_call_reads_memory_as_a_graph_does():
    """A product with other strides may have other last bits, and a resumed run others than one."""
    read = []

    def reads(x):
        read.append(x.stride())
        return x + 1

    for _ in range(2):
        replay(reads, torch.zeros(3).expand(2, 3))
    assert read == [(3, 1), (3, 1)]


def test_what_looks_at_values_is_not_recorded():
    def looks(x):
        return x + x.sum().item()

    assert replay(looks, torch.ones(2)).tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="cannot be recorded"):
        replay(looks, torch.ones(2))
