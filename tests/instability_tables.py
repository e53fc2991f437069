"""Tables of cells for the comparisons of stability, made by hand."""

from __future__ import annotations

import math

import pandas as pd

DEFAULTS = {
    "corpus": "chorales", "scale": "laptop", "num_layers": 1, "hidden_size": 128, "k2": 100,
    "k1": 20, "num_batches": 430, "settings": "num_batches=430", "schedule": "dense", "times": 18,
    "threshold": math.log(1.25), "gap": 0.0, "largest_gap": 0.0, "largest_gap_at": 201.0,
    "rise": 0.01, "end": 3.0, "unstable": False, "kind": "none", "course": "none",
    "after_start": 0.0, "after_starts": 0.2,
}  # fmt: skip


def table(*rows: dict) -> pd.DataFrame:
    """Cells with these values, each a run of its own unless it says otherwise."""
    return pd.DataFrame([DEFAULTS | {"run": f"run-{n}"} | row for n, row in enumerate(rows)])


def grid(seeds: int = 3, **effects_on: dict[tuple[int, float], list[float]]) -> pd.DataFrame:
    """Schemes 3 and 4 at biases 5 and 0; measures by scheme and bias, a number per seed."""
    return table(
        *(
            {"scheme": scheme, "forget_bias": bias, "seed": seed}
            | {
                name: of[scheme, bias][seed]
                for name, of in effects_on.items()
                if (scheme, bias) in of
            }
            for scheme in (3, 4)
            for bias in (5.0, 0.0)
            for seed in range(seeds)
        )
    )
