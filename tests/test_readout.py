"""The dense layers, some rows at a time: compiled, and with torch's operations."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import prune

from charrnn.backbone import compiled, dense_fused
from charrnn.backbone.dense_fused import rows_at_a_time
from charrnn.backbone.network import Backbone

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
H, D, V = 6, 10, 4
ROWS = 3


@pytest.fixture
def backbone(monkeypatch):
    """In double precision, with random biases, and ROWS rows at a time where it is compiled."""
    monkeypatch.setattr(dense_fused, "AT_A_TIME", ROWS * D * 8)
    network = Backbone(vocabulary_size=V, hidden_size=H, dense_size=D).double()
    for layer in (network.dense, network.output):
        nn.init.normal_(layer.bias)
    return network


def by_hand(x, backbone):
    """Table 3: two affine maps, and between them a leaky ReLU of slope 0.01."""
    dense, output = backbone.dense, backbone.output
    sums = x @ dense.weight.T + dense.bias
    return torch.where(sums > 0, sums, 0.01 * sums) @ output.weight.T + output.bias


def parameters(backbone):
    return (*backbone.dense.parameters(), *backbone.output.parameters())


@pytest.mark.parametrize("shape", [(11, H), (4, 3, H), (ROWS, H), (1, H), (H,), (0, H)])
def test_logits_and_gradients_are_those_of_all_rows_at_once(passes, backbone, shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    logits, expected = backbone.readout(x), by_hand(x, backbone)
    torch.testing.assert_close(logits, expected, **TOLERANCE)
    inputs = (x, *parameters(backbone))
    weights = torch.randn_like(expected)
    gradients = (torch.autograd.grad((y * weights).sum(), inputs) for y in (logits, expected))
    for ours, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, exact, **TOLERANCE)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.readout(x), expected, **TOLERANCE)


def test_memory_of_any_order_is_read(passes, backbone):
    x = torch.randn(H, 7, dtype=torch.float64, requires_grad=True)
    logits, expected = (f(x.t()) for f in (backbone.readout, lambda x: by_hand(x, backbone)))
    torch.testing.assert_close(logits, expected, **TOLERANCE)
    weights = torch.randn(V, 7, dtype=torch.float64).t()
    ours, exact = (torch.autograd.grad((y * weights).sum(), x)[0] for y in (logits, expected))
    torch.testing.assert_close(ours, exact, **TOLERANCE)


def test_second_derivatives_are_right(passes, backbone):
    x = torch.randn(5, H, dtype=torch.float64)
    ours = hessian(lambda x: backbone.readout(x).square().sum(), x)
    torch.testing.assert_close(
        ours, hessian(lambda x: by_hand(x, backbone).square().sum(), x), **TOLERANCE
    )
    assert ours.abs().max() > 0
    inputs = (x.requires_grad_(), *parameters(backbone))
    names = ("dense.weight", "dense.bias", "output.weight", "output.bias")

    def readout(x, *values):
        given = dict(zip(names, values, strict=True))
        return functional_call(Readout(backbone), {f"network.{n}": v for n, v in given.items()}, x)

    assert torch.autograd.gradgradcheck(readout, inputs)


class Readout(nn.Module):
    """The dense layers, as torch.func calls them."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network.readout(x)


def test_gradients_that_can_be_differentiated_are_the_same(passes):
    """Hidden states may themselves depend on the layers' parameters."""
    network = Backbone(vocabulary_size=V, hidden_size=V, dense_size=D).double()
    x = torch.randn(5, V, dtype=torch.float64)

    def gradients(create_graph):
        loss = network.readout(network.readout(x).tanh()).square().sum()
        return torch.autograd.grad(loss, parameters(network), create_graph=create_graph)

    for one, other in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)


@pytest.mark.parametrize("frozen", ["dense.weight", "output.weight", "dense.bias"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_parameters_can_be_frozen(passes, backbone, frozen, create_graph):
    backbone.get_parameter(frozen).requires_grad_(False)
    learned = [each for each in parameters(backbone) if each.requires_grad]
    assert len(learned) == 3
    x = torch.randn(5, H, dtype=torch.float64)
    weights = torch.randn(5, V, dtype=torch.float64)
    loss = (backbone.readout(x) * weights).sum()
    found = torch.autograd.grad(loss, learned, create_graph=create_graph)
    exact = torch.autograd.grad((by_hand(x, backbone) * weights).sum(), learned)
    for ours, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, expected, **TOLERANCE)
    (backbone.readout(x) * weights).sum().backward()
    assert backbone.get_parameter(frozen).grad is None


def test_parameters_of_any_memory_are_read(passes, backbone):
    with torch.no_grad():
        backbone.dense.bias.set_(torch.randn(2 * D, dtype=torch.float64)[::2])
        backbone.output.weight.set_(torch.randn(D, V, dtype=torch.float64).t())
    x = torch.randn(5, H, dtype=torch.float64)
    torch.testing.assert_close(backbone.readout(x), by_hand(x, backbone), **TOLERANCE)


@pytest.mark.parametrize("threads", [1, 2])
def test_large_layers_are_right_with_any_number_of_threads(threads):
    """Units of several blocks, the last one not full, and rows of several parts."""
    if not compiled.is_available():
        pytest.skip("the passes cannot be compiled here")
    before = torch.get_num_threads()
    torch.manual_seed(0)
    network, x = Backbone(vocabulary_size=3, hidden_size=2, dense_size=600), torch.randn(700, 2)
    weights = torch.randn(700, 3)
    try:
        torch.set_num_threads(threads)
        (network.readout(x) * weights).sum().backward()
    finally:
        torch.set_num_threads(before)
    found = [parameter.grad.double() for parameter in parameters(network)]
    double = network.double()
    exact = torch.autograd.grad((by_hand(x.double(), double) * weights).sum(), parameters(double))
    for ours, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_what_is_not_finite_stays_so(passes, backbone):
    x = torch.randn(5, H, dtype=torch.float64)
    x[1, 0], x[3, 0] = torch.nan, torch.inf
    logits = backbone.readout(x)
    assert logits[1].isnan().all()
    assert not logits[3].isfinite().any()
    assert logits[[0, 2, 4]].isfinite().all()


def pruned(network):
    prune.random_unstructured(network.dense, "weight", amount=0.5)
    with torch.no_grad():
        network.dense.weight_orig.zero_()


def of_another_class(network):
    class Twice(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    network.output = Twice(D, V).double()


def with_another_forward(network):
    network.output.forward = lambda x: x[..., :V] + 1


def without_biases(network):
    network.dense = nn.Linear(H, D, bias=False).double()
    network.output = nn.Linear(D, V, bias=False).double()


def in_a_sequence(network):
    network.dense = nn.Sequential(nn.Linear(H, D), nn.Tanh()).double()


def without_dropout(network):
    network.dropout = nn.Identity()


CHANGES = [pruned, of_another_class, with_another_forward, without_biases, in_a_sequence]
X = torch.randn(5, H, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("change", [*CHANGES, without_dropout])
def test_layers_that_a_user_has_changed_are_called(backbone, change):
    change(backbone)
    expected = backbone.output(nn.functional.leaky_relu(backbone.dense(X), 0.01))
    torch.testing.assert_close(backbone.readout(X), expected, **TOLERANCE)


@pytest.mark.parametrize("layer", ["dense", "output", "dropout"])
@pytest.mark.parametrize("kind", ["forward_pre", "forward", "full_backward", "full_backward_pre"])
def test_hooks_are_called(backbone, layer, kind):
    called = []
    module = backbone.get_submodule(layer)
    getattr(module, f"register_{kind}_hook")(lambda *_: called.append(layer))
    backbone.readout(X.clone().requires_grad_()).sum().backward()
    assert called


def test_hooks_of_all_modules_are_called(backbone):
    called = []
    handle = register_module_forward_hook(lambda module, *_: called.append(module))
    try:
        backbone.readout(X)
    finally:
        handle.remove()
    assert {backbone.dense, backbone.output} <= set(called)


def test_layers_with_hooks_take_some_rows_at_a_time(backbone):
    seen = []
    backbone.dense.register_forward_hook(lambda layer, inputs, result: seen.append(len(result)))
    backbone.readout(torch.zeros(2 * ROWS + 1, H, dtype=torch.float64))
    assert seen == [ROWS, ROWS, 1]


def test_how_many_rows_are_computed_at_a_time():
    like = torch.zeros(())
    assert rows_at_a_time(1024, like) == 160  # 640 KiB in single precision
    assert rows_at_a_time(1024, like.double()) == 80
    assert rows_at_a_time(1 << 22, like) == 1


@pytest.mark.parametrize("of_the_network", [True, False])
def test_rows_drop_different_units(backbone, of_the_network):
    """In training, and where a user has only dropout in that mode."""
    backbone.dropout.p = 0.5
    backbone.train(of_the_network).dropout.train()
    logits = backbone.readout(torch.ones(50, H, dtype=torch.float64))
    assert len(logits.unique(dim=0)) > ROWS
