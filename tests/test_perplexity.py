"""Perplexity against a literal Eq. 9, and sampling against the distributions it should have."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import reference
import torch
from helpers import model_and_parameters

from charrnn.backbone.network import Backbone
from charrnn.errors import BadInput
from charrnn.evaluation import perplexity
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.sampling.samplers import (
    SAMPLERS,
    Choice,
    Diverged,
    progressive_streams,
    rolling_streams,
)

TOKENS = torch.randint(7, (61,), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("k2", [1, 4, 60])
@pytest.mark.parametrize("procedure", ["windowed", "progressive"])
def test_equals_the_literal_token_by_token_perplexity(monkeypatch, procedure, k2, layers):
    # Chunks smaller than the text, so that their seams are crossed.
    monkeypatch.setattr(perplexity, "WINDOWS", 8)
    monkeypatch.setattr(perplexity, "STEPS", 3)
    monkeypatch.setattr(perplexity, "CHUNK", 8)
    backbone, p = model_and_parameters(layers=layers)
    literal = getattr(reference, f"{procedure}_perplexity")
    found = PROCEDURES[procedure](backbone.eval(), TOKENS, k2)
    with torch.no_grad():
        assert found.value == pytest.approx(literal(p, TOKENS.tolist(), k2), rel=1e-9)
    assert found.tokens_scored == 61 - k2


def test_the_standard_error_is_that_of_the_mean_of_blocks_of_100_tokens(monkeypatch):
    monkeypatch.setattr(perplexity, "WINDOWS", 64)
    backbone, p = model_and_parameters(layers=1)
    tokens, k2 = torch.randint(7, (467,), generator=torch.Generator().manual_seed(1)), 5
    with torch.no_grad():
        # The losses of 100, 200, 300 and 400 tokens, from the perplexities of so long texts.
        losses = [
            n * math.log(reference.progressive_perplexity(p, tokens[: k2 + n].tolist(), k2))
            for n in (100, 200, 300, 400)
        ]
    expected = np.std(np.diff(losses, prepend=0) / 100, ddof=1) / math.sqrt(4)
    found = PROCEDURES["progressive"](backbone.eval(), tokens, k2)
    assert found.standard_error == pytest.approx(expected, rel=1e-6)
    for procedure in PROCEDURES:  # one block has no spread
        assert math.isnan(PROCEDURES[procedure](backbone, tokens[:200], k2).standard_error)


def test_single_precision_agrees_to_1e_6():
    backbone, p = model_and_parameters(layers=2)
    backbone.float().eval()
    for procedure in PROCEDURES:
        literal = getattr(reference, f"{procedure}_perplexity")
        with torch.no_grad():
            expected = literal(p, TOKENS.tolist(), 5)
        assert PROCEDURES[procedure](backbone, TOKENS, 5).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_a_uniform_model_has_perplexity_v(procedure):
    backbone = Backbone(7, hidden_size=4, dense_size=None)
    torch.nn.init.zeros_(backbone.output.weight)
    assert PROCEDURES[procedure](backbone, TOKENS, 5).value == pytest.approx(7, rel=1e-6)


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize(("bias", "expected"), [(1e4, math.inf), (math.nan, math.nan)])
def test_a_diverged_model_has_an_infinite_perplexity_or_none(procedure, bias, expected):
    backbone = Backbone(7, hidden_size=4, dense_size=None)
    with torch.no_grad():
        backbone.output.bias[0] = bias
    value = PROCEDURES[procedure](backbone, TOKENS, 5).value
    assert value == expected or (math.isnan(value) and math.isnan(expected))


def literal_distribution(p, procedure, sequence, k2):
    """The probabilities of the next token, by Algorithm 4 or 5 step by step."""
    read = sequence if procedure == "progressive" else sequence[-k2:]
    state = reference.initial_state(p, 1)
    for token in read:
        y, state = reference.step(p, torch.tensor([token]), state, "lasagne", None)
    return y[0].softmax(0)


@pytest.mark.parametrize("procedure", SAMPLERS)
def test_every_step_samples_from_the_algorithms_distribution(procedure, monkeypatch):
    backbone, p = model_and_parameters()
    k2, prompt = 4, TOKENS[:9]
    drawn_from = []
    draw = Choice.draw

    def spy(self, logits, generator):
        drawn_from.append(logits.softmax(0))
        return draw(self, logits, generator)

    monkeypatch.setattr(Choice, "draw", spy)
    tokens = list(itertools.islice(SAMPLERS[procedure](backbone, prompt, k2, Choice()), 12))
    for n, probabilities in enumerate(drawn_from):
        with torch.no_grad():
            expected = literal_distribution(p, procedure, [*prompt.tolist(), *tokens[:n]], k2)
        torch.testing.assert_close(probabilities, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("procedure", SAMPLERS)
def test_a_seed_repeats_its_sample(procedure):
    backbone, _ = model_and_parameters()

    def sample(seed):
        sampler = SAMPLERS[procedure](backbone, TOKENS[:5], 4, Choice(seed=seed))
        return list(itertools.islice(sampler, 30))

    assert sample(1) == sample(1) != sample(2)


@pytest.mark.parametrize("peepholes", ["lasagne", "paper", "none"])
@pytest.mark.parametrize("prompt", [1, 3, 4, 9])
def test_rolling_windows_write_what_algorithm_4_writes(prompt, peepholes):
    backbone, _ = model_and_parameters(layers=2, peepholes=peepholes)
    literal, rolling = (
        list(itertools.islice(SAMPLERS[name](backbone, TOKENS[:prompt], 4, Choice(seed=3)), 40))
        for name in ("windowed", "rolling")
    )
    assert rolling == literal


@pytest.mark.parametrize(
    ("streams", "alone"),
    [(rolling_streams, "windowed"), (progressive_streams, "progressive")],
)
def test_a_stream_writes_the_same_beside_others_as_alone(streams, alone):
    backbone, _ = model_and_parameters(layers=2)
    together = itertools.islice(streams(backbone, TOKENS[:9], 4, Choice(seed=5), 3), 40)
    for seed, stream in zip((5, 6, 7), zip(*together, strict=True), strict=True):
        sampler = SAMPLERS[alone](backbone, TOKENS[:9], 4, Choice(seed=seed))
        assert list(itertools.islice(sampler, 40)) == list(stream)


@pytest.mark.parametrize("top_k", [None, 3])
def test_a_draw_is_multinomials(top_k):
    logits_NV = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)).double()
    choice = Choice(top_k=top_k)
    ours, torchs = choice.generator(), choice.generator()
    for logits_V in logits_NV:
        best = logits_V.topk(top_k or 7)
        p_V = torch.zeros(7).double().scatter(0, best.indices, best.values.softmax(0))
        assert choice.draw(logits_V, ours) == torch.multinomial(p_V, 1, generator=torchs)


def test_draws_follow_the_tempered_and_truncated_distribution():
    logits = torch.tensor([0.0, 1.0, 2.0, 3.0])
    choice = Choice(temperature=2.0, top_k=3)
    generator = choice.generator()
    counts = Counter(choice.draw(logits, generator) for _ in range(6000))
    weights = [math.exp(x / 2) for x in (1.0, 2.0, 3.0)]
    assert counts[0] == 0
    for token, weight in zip((1, 2, 3), weights, strict=True):
        expected = weight / sum(weights)
        # Five standard deviations of a binomial share.
        bound = 5 * math.sqrt(expected * (1 - expected) / 6000)
        assert abs(counts[token] / 6000 - expected) < bound


def test_a_diverged_model_is_not_sampled():
    with pytest.raises(Diverged):
        Choice().draw(torch.tensor([0.0, math.nan]), torch.Generator())


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"temperature": 0.0}, r"^sampling.choice.temperature=0.0"),
        ({"top_k": 0}, r"^sampling.choice.top_k=0"),
        ({"seed": -1}, r"^sampling.choice.seed=-1"),
    ],
)
def test_bad_choices_are_refused(settings, field):
    with pytest.raises(BadInput, match=field):
        Choice(**settings)
