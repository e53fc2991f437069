"""The dense layers: compiled, a few rows at a time, and with torch's operations."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian
from torch.nn.utils import prune

from charrnn.backbone import compiled, dense_fused
from charrnn.backbone.acceleration import eager_only
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


def test_second_derivatives_are_those_of_all_rows_at_once(passes, backbone):
    x = torch.randn(5, H, dtype=torch.float64)
    ours = hessian(lambda x: backbone.readout(x).square().sum(), x)
    torch.testing.assert_close(
        ours, hessian(lambda x: by_hand(x, backbone).square().sum(), x), **TOLERANCE
    )
    assert ours.abs().max() > 0


def test_parameters_that_are_frozen_get_no_gradient(passes, backbone):
    backbone.dense.weight.requires_grad_(False)
    x = torch.randn(5, H, dtype=torch.float64)
    backbone.readout(x).sum().backward()
    assert backbone.dense.weight.grad is None
    torch.testing.assert_close(
        backbone.output.bias.grad, torch.full((V,), 5.0, dtype=torch.float64), **TOLERANCE
    )


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


def test_layers_that_a_user_has_changed_are_called(backbone):
    """By hooks, which pruning has, or by a layer of the user's own."""
    x = torch.randn(5, H, dtype=torch.float64)
    assert compiled.can_compute(x) == dense_fused.fits(x, backbone.dense, backbone.output)
    prune.random_unstructured(backbone.dense, "weight", amount=0.5)
    with torch.no_grad():
        backbone.dense.weight_orig.zero_()
    expected = backbone.output(nn.functional.leaky_relu(backbone.dense.bias, 0.01)).expand(5, V)
    torch.testing.assert_close(backbone.readout(x), expected, **TOLERANCE)

    class Twice(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    other = Backbone(vocabulary_size=V, hidden_size=H, dense_size=D).double()
    with eager_only():
        expected = 2 * other.readout(x)
    twice = Twice(D, V).double()
    twice.load_state_dict(other.output.state_dict())
    other.output = twice
    torch.testing.assert_close(other.readout(x), expected, **TOLERANCE)


def test_without_compiled_passes_rows_are_divided_too(backbone):
    seen = []
    backbone.dense.register_forward_hook(lambda layer, inputs, result: seen.append(len(result)))
    backbone.readout(torch.zeros(2 * ROWS + 1, H, dtype=torch.float64))
    assert seen == [ROWS, ROWS, 1]


def test_how_many_rows_are_computed_at_a_time():
    like = torch.zeros(())
    assert rows_at_a_time(1024, like) == 160  # 640 KiB in single precision
    assert rows_at_a_time(1024, like.double()) == 80
    assert rows_at_a_time(1 << 22, like) == 1


def test_rows_drop_different_units(backbone):
    backbone.dropout.p = 0.5
    logits = backbone.readout(torch.ones(50, H, dtype=torch.float64))
    assert len(logits.unique(dim=0)) > ROWS
