"""Under autocast the recurrent layers compute as without it, and the dense layers in half the bits.

Expected values come from the reference: the hidden states are its own to the last digits, and the
loss and the gradients are as close as bfloat16's eight bits of precision allow.
"""

from __future__ import annotations

import pytest
import reference
import torch
from helpers import gradients, model_and_parameters

from charrnn.datamodule.batches import Batch
from charrnn.sampling.samplers import SAMPLERS, Choice
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1

pytestmark = pytest.mark.usefixtures("passes")

TOKENS_TB = torch.randint(7, (10, 4), generator=torch.Generator().manual_seed(0))
BATCH = Batch(TOKENS_TB[:-1], TOKENS_TB[1:], number=0)


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.mark.parametrize("scheme_class", [Scheme1, Scheme4])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_training_step_is_the_references_up_to_the_precision_of_the_dense_layers(
    scheme_class, layers
):
    backbone, p = model_and_parameters(layers=layers)
    scheme = scheme_class(backbone.float(), torch.optim.Adam, k1=3, k2=9, start="learned")
    with autocast():
        loss = scheme.training_step(BATCH)
    loss.backward()
    logits, states = reference.run(p, BATCH.inputs_TB, reference.initial_state(p, 4))
    expected = reference.multi_loss(logits, BATCH.targets_TB)
    wanted = dict(zip(p, torch.autograd.grad(expected, list(p.values())), strict=True))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=0.02)
    for name, gradient in gradients(backbone).items():
        error = (gradient - wanted[name]).norm() / wanted[name].norm()
        assert error < 0.05, name
    for (h, c), (expected_h, expected_c) in zip(scheme.reached, states[-1], strict=True):
        torch.testing.assert_close(h.double(), expected_h, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(c.double(), expected_c, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_reading_without_gradients_is_the_same_to_the_bit_under_autocast(layers):
    backbone, _ = model_and_parameters(layers=layers)
    backbone = backbone.float()
    with torch.no_grad():
        expected = backbone.recur(BATCH.inputs_TB, backbone.initial_state(4))
        with autocast():
            found = backbone.recur(BATCH.inputs_TB, backbone.initial_state(4))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_backward_pass_under_autocast_is_the_same_to_the_bit():
    backbone, _ = model_and_parameters(layers=2)
    backbone = backbone.float()

    def gradients_of_the_layers():
        backbone.zero_grad()
        hidden_TBH, _ = backbone.recur(BATCH.inputs_TB, backbone.initial_state(4))
        hidden_TBH.square().sum().backward()
        return {name: p.grad.clone() for name, p in backbone.layers.named_parameters()}

    expected = gradients_of_the_layers()
    with autocast():
        found = gradients_of_the_layers()
    for name, gradient in expected.items():
        assert torch.equal(found[name], gradient), name


@pytest.mark.parametrize("procedure", SAMPLERS)
def test_a_model_with_two_layers_writes_under_autocast(procedure):
    backbone, _ = model_and_parameters(layers=2)
    with autocast():
        sampler = SAMPLERS[procedure](backbone.float().eval(), TOKENS_TB[:, 0], 5, Choice())
        assert all(0 <= int(next(sampler)) < 7 for _ in range(3))
