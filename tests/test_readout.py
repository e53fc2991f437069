"""The dense layers give the same whether they take all rows at once or a few at a time."""

import pytest
import torch
from torch.autograd.functional import hessian

from charrnn.backbone import network
from charrnn.backbone.network import Backbone, rows_at_a_time

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
H, D, V = 6, 10, 4
ROWS = 3


@pytest.fixture
def backbone(monkeypatch):
    """In double precision, with ROWS rows at a time from two rows on."""
    monkeypatch.setattr(network, "LARGE", 2 * D * 8)
    monkeypatch.setattr(network, "AT_A_TIME", ROWS * D * 8)
    return Backbone(vocabulary_size=V, hidden_size=H, dense_size=D).double()


def by_hand(x, backbone):
    """Table 3: two affine maps, and between them a leaky ReLU of slope 0.01."""
    dense, output = backbone.dense, backbone.output
    sums = x @ dense.weight.T + dense.bias
    return torch.where(sums > 0, sums, 0.01 * sums) @ output.weight.T + output.bias


@pytest.mark.parametrize("shape", [(11, H), (4, 3, H), (ROWS, H), (1, H), (H,)])
def test_logits_and_gradients_are_those_of_all_rows_at_once(backbone, shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    logits, expected = backbone.readout(x), by_hand(x, backbone)
    torch.testing.assert_close(logits, expected, **TOLERANCE)
    inputs = (x, *backbone.dense.parameters(), *backbone.output.parameters())
    weights = torch.randn_like(expected)
    gradients = (torch.autograd.grad((y * weights).sum(), inputs) for y in (logits, expected))
    for ours, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, exact, **TOLERANCE)


def test_second_derivatives_are_those_of_all_rows_at_once(backbone):
    x = torch.randn(5, H, dtype=torch.float64)
    ours = hessian(lambda x: backbone.readout(x).square().sum(), x)
    torch.testing.assert_close(
        ours, hessian(lambda x: by_hand(x, backbone).square().sum(), x), **TOLERANCE
    )
    assert ours.abs().max() > 0


def test_the_rows_are_divided(backbone):
    seen = []
    backbone.dense.register_forward_hook(lambda layer, inputs, result: seen.append(len(result)))
    backbone.readout(torch.zeros(2 * ROWS + 1, H, dtype=torch.float64))
    assert seen == [ROWS, ROWS, 1]


def test_few_rows_are_not_divided():
    like = torch.zeros(())
    assert rows_at_a_time(6400, 256, like) == 6400  # 6.25 MiB in single precision
    assert rows_at_a_time(2047, 1024, like) == 2047
    assert rows_at_a_time(2048, 1024, like) == 320  # 8 MiB, and 1.25 MiB at a time
    assert rows_at_a_time(6400, 1024, like.double()) == 160
    assert rows_at_a_time(6400, None, like) == 6400
    assert rows_at_a_time(10, 1 << 22, like) == 1
    assert rows_at_a_time(6400, 1024, torch.zeros((), device="meta")) == 6400


def test_parts_drop_different_units(backbone):
    backbone.dropout.p = 0.5
    logits = backbone.readout(torch.ones(50, H, dtype=torch.float64))
    assert len(logits.unique(dim=0)) > ROWS
