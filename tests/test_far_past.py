"""What predictions owe to the far past: by a model that copies, and beside the runs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from analysis.far_past import with_far_past
from analysis.results import Results
from torch import Tensor

from charrnn.commands.trained_run import open_run
from charrnn.evaluation.far_past import NEAR, gain_from_far_past
from charrnn.training.train_run import train

V, SURE = 3, 5.0


class Copies:
    """Expects, with logit SURE, the token that it read ``back`` steps before the last one."""

    def __init__(self, back: int) -> None:
        self.back = back

    def initial_state(self, batch_size: int) -> list[Tensor]:
        return [torch.zeros(batch_size, 0)]

    def recur(self, inputs_TB: Tensor, state: list[Tensor]) -> tuple[Tensor, list]:
        """The state is what was read so far; each step's output is all of it."""
        seen = state[0]
        states = []
        for tokens_B in inputs_TB:
            seen = torch.cat([seen, tokens_B[:, None].float()], dim=1)
            states.append(seen)
        width = max(self.back + 1, 1)
        last = [torch.nn.functional.pad(s, (width, 0))[:, -width:] for s in states]
        return torch.stack(last), states

    def readout(self, read_BW: Tensor) -> Tensor:
        return SURE * torch.nn.functional.one_hot(read_BW[:, 0].long(), V).double()


@pytest.fixture(autouse=True)
def plain_states(monkeypatch):
    monkeypatch.setattr(
        "charrnn.evaluation.perplexity.state_after", lambda states, at: [states[at]]
    )


@pytest.mark.parametrize(("back", "kept"), [(3, True), (4, False), (7, False)])
def test_only_what_lies_before_the_near_past_counts(back, kept):
    """A model that copies one token loses it if it is replaced, and loses nothing if it stays."""
    text = torch.from_numpy(np.random.default_rng(0).integers(V, size=150))
    k2, near = 8, 4
    found = gain_from_far_past(Copies(back), text, k2, near)
    if kept:
        assert found == 0
        return
    windows = [text[n : n + k2] for n in range(150 - k2)]
    targets, W = text[k2:], 150 - k2
    log_norm = math.log(math.exp(SURE) + V - 1)

    def mean_loss(windows: list[Tensor]) -> float:
        hits = sum(int(w[-1 - back] == t) for w, t in zip(windows, targets, strict=True))
        return log_norm - SURE * hits / W

    # The far past of a window is that of the one half the text before it.
    foreign = [torch.cat([windows[(n - W // 2) % W][:-near], windows[n][-near:]]) for n in range(W)]
    assert found == pytest.approx(mean_loss(foreign) - mean_loss(windows), rel=1e-12)


def test_a_run_has_its_gain_beside_its_curve_but_not_a_shorter_cell(config, text_file, monkeypatch):
    monkeypatch.undo()
    letters = np.random.default_rng(0).choice(list("abcd"), size=20_000)
    text_file.write_text("".join(letters))  # not periodic: half the text away it reads otherwise
    folder = train(config("scheme=1", "num_batches=4", "evaluate_at=[2,4]"))
    row = {"corpus": "text", "run": folder.path.name}
    cells = pd.DataFrame([row | {"num_batches": n} for n in (2, 4)])
    found = with_far_past(Results(cells, cells.copy()), folder.path.parent).curves["far_past"]
    assert math.isnan(found[0])
    run = open_run(folder)
    assert found[1] == gain_from_far_past(run.backbone, run.datamodule().test_tokens, run.k2) != 0
    kept = pd.read_csv(folder.path.parent / "far-past.csv")
    assert kept["run"].tolist() == [folder.path.name]
    assert kept["near"].tolist() == [NEAR]
    assert kept["far_past"].tolist() == [found[1]]
