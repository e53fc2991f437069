"""Trained models: what a run has learned, its perplexity on a text, and text that it writes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.commands.trained_run import TrainedRun, open_run
from charrnn.errors import require, require_choice, require_whole
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.runs.folder import RunFolder
from charrnn.sampling.samplers import FASTEST, SAMPLERS, Choice, Text


def load_run(path: str | os.PathLike[str]) -> TrainedRun:
    """A finished run, ready for use.

    Its parts are read when they are first used: `backbone` (the trained network, in evaluation
    mode), `vocabulary`, `k2`, `evaluations` (a DataFrame) and `datamodule()` (its corpus, split as
    it was for training).

    Args:
        path: the run's folder.

    Raises:
        CharRNNError: if the folder does not hold a run, or the run is not finished or is damaged.

    Examples:
        >>> from charrnn import load_run
        >>> run = load_run("multirun/example")
        >>> run.scheme.__name__, run.k2, len(run.vocabulary)
        ('Scheme1', 100, 9)
        >>> list(run.evaluations.columns)[:3]
        ['batches', 'train_sequences', 'epoch']
    """
    return open_run(RunFolder(Path(path).expanduser()))


def perplexity(
    model: TrainedRun | Network,
    text: str | np.ndarray | Tensor | None = None,
    *,
    procedure: str | None = None,
    k2: int | None = None,
) -> float:
    """The perplexity of a text under a trained model (Eq. 9); the first k2 tokens are not scored.

    Args:
        model: a run, or a backbone in evaluation mode.
        text: characters, or notes with spaces (for a run); or token indices (N,), N > k2. None
            takes the test split of the run's corpus.
        procedure: `windowed` (Algorithm 4) or `progressive` (Algorithm 5); None takes that of the
            run's scheme. A backbone needs one.
        k2: tokens read before each prediction; None takes the run's. A backbone needs one.

    Returns:
        The perplexity, infinite or NaN if the model has diverged.

    Raises:
        CharRNNError: if the text has tokens that the model does not know or is too short, or an
            argument is missing.

    Examples:
        >>> import numpy as np
        >>> from charrnn import Backbone, load_run, perplexity
        >>> run = load_run("multirun/example")
        >>> by_run = run.perplexity["windowed"]
        >>> abs(perplexity(run) / by_run - 1) < 1e-6
        True
        >>> perplexity(run, "the hat of the seat", procedure="progressive", k2=5) < 20
        True
        >>> untrained = Backbone(vocabulary_size=2, hidden_size=3, dense_size=None).eval()
        >>> 1 < perplexity(untrained, np.array([0, 1] * 9), procedure="windowed", k2=5) < 3
        True
    """
    run = model if isinstance(model, TrainedRun) else None
    backbone = run.backbone if run else model
    assert isinstance(backbone, Network)
    if run:
        procedure = procedure or run.scheme.sampling_procedure
        k2 = k2 or run.k2
        text = run.datamodule().test_tokens if text is None else text
    require_choice("procedure", procedure, PROCEDURES)
    require_whole("k2", k2, 1, "token")
    assert procedure is not None
    assert k2 is not None
    if isinstance(text, str):
        require(run is not None, "text", "a string", "token indices if the model is a backbone")
        assert run is not None
        text = run.vocabulary.encode(text, "text")
    require(text is not None, "text", None, "given if the model is a backbone")
    tokens_N = torch.as_tensor(text, dtype=torch.int64, device=backbone.output.weight.device)
    require(len(tokens_N) > k2, "text", f"{len(tokens_N)} tokens", f"longer than k2={k2} tokens")
    return PROCEDURES[procedure](backbone, tokens_N, k2).value


def sample(
    run: TrainedRun,
    prompt: str = "\n",
    *,
    length: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    procedure: str | None = None,
) -> str:
    """Text by a trained model, the prompt included.

    Args:
        run: whose model writes.
        prompt: characters, or notes with spaces.
        length: tokens to write.
        temperature: divides the logits; below 1 sharpens, above 1 flattens.
        top_k: draws from the k most likely tokens only; None from all.
        seed: of the draws.
        procedure: `windowed` (Algorithm 4), `rolling` (the same distributions in k2 times fewer
            steps) or `progressive` (Algorithm 5); None takes that of the run's scheme, with
            rolling in place of windowed.

    Raises:
        CharRNNError: if an argument is out of its range, the prompt has tokens that the model does
            not know, or the model has diverged.

    Examples:
        >>> from charrnn import load_run, sample
        >>> text = sample(load_run("multirun/example"), "the seat", length=20, seed=1)
        >>> text.startswith("the seat"), len(text)
        (True, 28)
    """
    procedure = procedure or FASTEST[run.scheme.sampling_procedure]
    require_choice("procedure", procedure, SAMPLERS)
    require_whole("length", length, 1, "token")
    prompt_N = torch.from_numpy(run.vocabulary.encode(prompt, "prompt"))
    require(len(prompt_N) > 0, "prompt", repr(prompt), "at least 1 token")
    choice = Choice(temperature, top_k, seed)
    return Text(prompt_N, run.k2, choice, length, run.vocabulary).write(run.backbone, procedure)
