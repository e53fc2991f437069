"""What an epoch's start does: factors of perplexities worked out by hand."""

import math

import pandas as pd
import pytest
from analysis.instability.restarts import around_restarts, restarts
from helpers import cells_of


def curve(perplexities, suspect="none", seed=0):
    """Two evaluations in the first epoch, and three in each of the others; the windowed reading
    is twice as high, and in replicate 2 three times."""
    epochs = [0, 0, 1, 1, 1, 2, 2, 2]
    table = pd.DataFrame({"batches": range(8), "epoch": epochs, "progressive": perplexities})
    table["windowed"] = table["progressive"] * (3 if seed == 2 else 2)
    return table.assign(suspect=suspect, seed=seed)


def test_the_ends_of_epochs_and_their_starts():
    around = around_restarts(curve([90, 10, 40, 50, 30, 20, 60, 70]))
    expected = {"before": 10, "after": 40, "end": 30, "then": 20}
    assert around.map(math.exp).to_dict() == pytest.approx(expected)


def test_factors_are_over_replicates_and_between_cells():
    known = pd.concat(
        [
            curve([90, 10, 20, 40, 80, 6, 5, 4], seed=0),
            curve([90, 10, 80, 40, 20, 6, 5, 4], seed=1),
            curve([90, 10, 40, 40, 40, 6, 5, 4], seed=2),
            *(curve([90, 10, 10, 10, 5, 5, 5, 5], "no_restart", seed) for seed in range(3)),
            *(curve([90, 20, 20, 20, 20, 9, 9, 9], "bias_0", seed) for seed in range(3)),
        ]
    )
    head, _, scheme_4, carried, bias_0, over_carried, over_bias_0 = map(cells_of, restarts(known))
    assert head[1:4] == ["replicate 0", "replicate 1", "replicate 2"]
    assert scheme_4[1] == "10.0, 20.0, 80.0; 6.0"
    # Factors of 2, 8 and 4: log 4 on average, and 4.303 times log 2 / sqrt 3 to either side.
    assert scheme_4[4:6] == ["4.00 (0.71 to 22.38)"] * 2
    assert scheme_4[6] == "20.0 to 30.0; 40.0 to 160.0"
    assert carried[1:4] == ["10.0, 10.0, 5.0; 5.0"] * 3
    assert carried[4:6] == ["1.00 (1.00 to 1.00)", "0.50 (0.50 to 0.50)"]
    assert bias_0[4:6] == ["1.00 (1.00 to 1.00)"] * 2
    # The factors of scheme 4, over 1 and over 1/2.
    assert over_carried[4:] == ["4.00 (0.71 to 22.38)", "8.00 (1.43 to 44.76)", ""]
    assert over_bias_0[4:] == ["4.00 (0.71 to 22.38)", "4.00 (0.71 to 22.38)", ""]
