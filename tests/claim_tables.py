"""Tables made by hand for the paper's claims: what bears each out, and what contradicts it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from analysis.claims.evidence import Evidence
from analysis.results import Results

BATCHES = (3, 6, 13, 51, 101, 201, 401, 801)
TEXTS = ("english", "finnish", "linux")


def falling(end: float, start: float = 80) -> list[float]:
    return list(np.geomspace(start, end, len(BATCHES)))


def cell(curve: list[float] | float | None, sweep="fig9", corpus="english", **where) -> dict:
    """A cell with this curve, or one that falls to this perplexity; None is one yet to come."""
    curve = falling(curve) if isinstance(curve, float | int) else curve
    place = {"scheme": 1, "num_layers": 1, "hidden_size": 32, "k1": 20, "k2": 100, "seed": 0}
    return {"curve": curve, "sweep": sweep, "corpus": corpus, "seconds": 10.0, **place, **where}


def evidence(*cells: dict) -> Evidence:
    """What is known once these cells have their curves."""
    sweeps = {}
    for sweep in {one["sweep"] for one in cells}:
        rows, curves = [], []
        for n, one in enumerate(one for one in cells if one["sweep"] == sweep):
            hidden = ("curve", "seconds", "sweep", "state")
            row = {name: value for name, value in one.items() if name not in hidden}
            row |= {"procedure": "any", "scale": "laptop", "run": f"{sweep}-{n}"}
            state = one.get("state", "finished" if one["curve"] else "running")
            rows.append(row | {"state": state})
            for batches, perplexity in zip(BATCHES, one["curve"] or [], strict=False):
                seconds = one["seconds"] * batches / BATCHES[-1]
                values = {"batches": batches, "train_seconds": seconds, "perplexity": perplexity}
                curves.append(row | values)
        names = [*row, "batches", "train_seconds", "perplexity"]
        sweeps[sweep] = Results(pd.DataFrame(rows), pd.DataFrame(curves, columns=names))
    return Evidence("laptop", sweeps)


def schemes(ends: dict[int, float], corpora=TEXTS, **where) -> list[dict]:
    """Cells of Figure 9 whose schemes end at these perplexities."""
    return [cell(end, corpus=c, scheme=s, **where) for c in corpora for s, end in ends.items()]


def strides(spreads: dict[int, float]) -> list[dict]:
    """Two strides whose curves lie this factor apart, a scheme each."""
    return [
        cell(list(np.multiply(falling(8.0), apart if k1 == 60 else 1)), scheme=scheme, k1=k1)
        for scheme, apart in spreads.items()
        for k1 in (20, 60)
    ]


def architectures(ends: dict[tuple[int, int], float | list[float]], **where) -> list[dict]:
    return [
        cell(end, sweep="fig7", num_layers=layers, hidden_size=hidden, **where)
        for (layers, hidden), end in ends.items()
    ]


def figure_8(cells: list[dict]) -> list[dict]:
    """The same of Figure 8."""
    return [one | {"sweep": "fig8", "scheme": 2} for one in cells]


def spikes(curves: dict[int, list[list[float]]], **where) -> list[dict]:
    """Cells of Figure 9 with these curves by scheme, k1 by k1."""
    strides = [20, 60, 100]
    return [
        cell(curve, scheme=scheme, k1=k1, **where)
        for scheme, several in curves.items()
        for k1, curve in zip(strides, several, strict=False)
    ]


def lengths(curves: dict[int, list[float] | float], scheme=2, **where) -> list[dict]:
    return [
        cell(curve, sweep="fig11", corpus="music", scheme=scheme, k2=k2, **where)
        for k2, curve in curves.items()
    ]


STEADY = falling(10.0)
SPIKE = [80, 60, 40, 25, 22, 40, 12, 10]
TWO_SPIKES = [SPIKE] * 2
EARLY_SPIKE = [80, 60, 40, 20, 30, 28, 12, 10]
BUMP = [60, 35, 39, 25, 20, 15, 12, 10]
OVERFITTED = [80, 60, 40, 20, 15, 10, 11, 12]
MUSIC = {"corpus": "music"}
FINNISH = {"corpus": "finnish"}
BIG_MUSIC = {(1, 32): 10.0, (1, 128): OVERFITTED}
SMALL_BUMP = architectures({(1, 32): BUMP, (1, 128): 10.0}, **FINNISH)

TABLES: dict[str, tuple[list[dict], list[dict]]] = {
    "scheme-1-best": (
        schemes({1: 8, 2: 12, 3: 9, 4: 8.5}),
        schemes({1: 8, 2: 12, 3: 9, 4: 7.5}),
    ),
    "scheme-2-slower": (schemes({1: 8, 2: 12}), schemes({1: 8, 2: 7})),
    "scheme-3-close": (schemes({1: 8, 3: 8.4}), schemes({1: 8, 3: 10})),
    "scheme-4-start": (
        schemes({3: 8, 4: 8.2}),
        [*schemes({3: 8}), *(cell(falling(8, 160), corpus=c, scheme=4) for c in TEXTS)],
    ),
    "scheme-4-unstable": (
        [c for t in TEXTS for c in spikes({3: [STEADY] * 3, 4: [STEADY, *TWO_SPIKES]}, corpus=t)],
        spikes({3: [STEADY, STEADY], 4: [STEADY, EARLY_SPIKE]}),
    ),
    "scheme-4-music": (
        [
            one
            for seed in range(3)
            for cells in (
                spikes({4: [*TWO_SPIKES, STEADY]}, seed=seed, **MUSIC),
                spikes({4: [STEADY] * 3}, seed=seed, **FINNISH),
            )
            for one in cells
        ],
        [*spikes({4: [STEADY, STEADY]}, **MUSIC), *spikes({4: [SPIKE, STEADY]}, **FINNISH)],
    ),
    "k1-spread": (
        strides({1: 1.01, 2: 1.02, 3: 1.1, 4: 1.5}),
        strides({1: 1.01, 2: 1.05, 3: 1.02, 4: 1.5}),
    ),
    "k1-or-scheme": (
        [*schemes({1: 8, 2: 12}), *schemes({1: 8.1, 2: 12.1}, k1=60)],
        [*schemes({1: 8, 2: 8.1}), *schemes({1: 12, 2: 12.1}, k1=60)],
    ),
    "k1-small": (
        [*schemes({1: 8, 2: 12}), *schemes({1: 7.9, 2: 12.5}, k1=60)],
        [*schemes({1: 8, 2: 12}), *schemes({1: 7.0, 2: 10.0}, k1=60)],
    ),
    "music-hardest": (
        [*schemes({1: 8, 2: 12}), *schemes({1: 9, 2: 14}, ["music"])],
        # Harder than two of the texts.
        [*schemes({1: 8}, TEXTS[1:]), *schemes({1: 9.5}, ["english"]), *schemes({1: 9}, ["music"])],
    ),
    "texts-alike": (
        [*schemes({1: 8}, ["english"]), *schemes({1: 8.4}, ["finnish"])],
        [*schemes({1: 8}, ["english"]), *schemes({1: 9.4}, ["finnish"])],
    ),
    "gamma-early": (
        architectures({(1, 32): falling(10, 90), (1, 128): falling(10, 60)}),
        architectures({(1, 32): falling(10, 60), (1, 128): falling(10, 90)}),
    ),
    "r1-later": (
        architectures({(1, 32): 8.0, (2, 32): 10.0}),
        architectures({(1, 32): 10.0, (2, 32): 8.0}),
    ),
    "architectures-end": (
        architectures({(1, 32): 8.0, (2, 128): 8.5}),
        architectures({(1, 32): 8.0, (2, 128): 9.0}),
    ),
    "gamma-overfits": (
        architectures(BIG_MUSIC, **MUSIC),
        # The smaller one does.
        architectures({(1, 32): OVERFITTED, (1, 128): 10.0}, **MUSIC),
    ),
    "dropout-eases": (
        [
            *architectures(BIG_MUSIC, **MUSIC),
            cell([80, 60, 40, 20, 15, 11, 11, 12], sweep="dropout", hidden_size=128, **MUSIC),
        ],
        [
            *architectures(BIG_MUSIC, **MUSIC),
            cell([80, 60, 40, 20, 15, 10, 11, 13], sweep="dropout", hidden_size=128, **MUSIC),
        ],
    ),
    "finnish-bump": (SMALL_BUMP, architectures({(1, 32): 10.0, (1, 128): BUMP}, **FINNISH)),
    "bump-learning-rate": (
        [*SMALL_BUMP, cell(20.0, sweep="finnish_slow", **FINNISH)],
        [*SMALL_BUMP, cell([80, 35, 45, 25, 20, 15, 12, 10], sweep="finnish_slow", **FINNISH)],
    ),
    "bump-rmsprop": (
        [*SMALL_BUMP, cell(20.0, sweep="finnish_rmsprop", **FINNISH)],
        # The bump comes later, and is as high.
        [*SMALL_BUMP, cell([80, 35, 30, 25, 20, 24, 12, 10], sweep="finnish_rmsprop", **FINNISH)],
    ),
    "shuffling": (
        [
            *schemes({1: 8, 2: 12}),
            cell(8.2, sweep="shuffled"),
            cell(11.8, sweep="shuffled", scheme=2),
        ],
        [
            *schemes({1: 8, 2: 12}),
            cell(9.2, sweep="shuffled"),
            cell(9.8, sweep="shuffled", scheme=2),
        ],
    ),
    "single-loss-time": (
        # In the time of scheme 2's 801 batches scheme 1 trains 401: to 12.
        [cell([80, 60, 40, 25, 22, 16, 12, 10]), cell(12.5, scheme=2, seconds=5.0)],
        [cell([80, 60, 40, 25, 22, 16, 12, 10]), cell(11.5, scheme=2, seconds=5.0)],
    ),
    "k2-time": (
        [cell(9.0, sweep="fig11", k2=k2, seconds=s) for k2, s in ((20, 5), (60, 12), (100, 20))],
        [cell(9.0, sweep="fig11", k2=k2, seconds=s) for k2, s in ((20, 5), (60, 22), (100, 20))],
    ),
    "scheme-2-short": (
        lengths({20: SPIKE, 40: SPIKE, 60: STEADY}),
        lengths({20: SPIKE, 40: STEADY, 60: STEADY}),
    ),
    "scheme-4-k2": (
        lengths({20: SPIKE, 40: SPIKE, 60: STEADY}, scheme=4),
        lengths({20: SPIKE, 40: STEADY, 60: STEADY}, scheme=4),
    ),
    "scheme-4-350": (
        lengths({20: [*SPIKE[:-1], 300], 60: STEADY}, scheme=4),
        lengths({20: [*SPIKE[:-1], 100], 60: [*SPIKE[:-1], 300]}, scheme=4),
    ),
}
"""Cells that bear a claim out, and cells that contradict it."""
for name in ("gamma-early", "r1-later", "architectures-end"):
    TABLES[f"{name}-2"] = figure_8(TABLES[name][0]), figure_8(TABLES[name][1])


def table4(savings: list[float], windowed: float = 15, rolling: float = 12) -> Evidence:
    """Table 4 for two architectures; quartiles are a hundredth away."""
    rows = [
        {"what": what, "median": value, "lower": 0.99 * value, "upper": 1.01 * value}
        | {"num_layers": layers, "hidden_size": 128 if layers == 1 else 512}
        for layers, saved in enumerate(savings, start=1)
        for what, value in (
            ("saved in training by scheme 2", saved),
            ("windowed / progressive", windowed),
            ("rolling / progressive", rolling),
        )
    ]
    return Evidence("laptop", table4=pd.DataFrame(rows))


SPEED = {
    "single-loss-cheaper": (table4([0.25, 0.09]), table4([0.25, -0.09])),
    "saving-shrinks": (table4([0.2, 0.1]), table4([0.14, 0.16])),
    "progressive-faster": (table4([0.25, 0.09]), table4([0.25, 0.09], windowed=500)),
    "rolling-sampler": (table4([0.25, 0.09]), table4([0.25, 0.09], rolling=3)),
}
"""The same of claims on Table 4."""
