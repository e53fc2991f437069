"""Tables made by hand, as the claims read them: cells, their replicates, and Table 4."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from analysis.claims.evidence import Evidence
from analysis.results import Results

BATCHES = (3, 6, 13, 51, 101, 201, 401, 801)
TEXTS = ("english", "finnish", "linux")
SEEDS = (0, 1, 2)
NOISE = 0.0005
"""How far replicates are apart: a twentieth of a percent, as a standard deviation."""
TOLD = ("curve", "sweep", "state", "seconds", "gap", "at", "run", "far")
"""What a cell here says beside the columns of a grid."""


def falling(end: float, start: float = 80) -> list[float]:
    return list(np.geomspace(start, end, len(BATCHES)))


STEADY = falling(10.0)
SPIKE = [80, 60, 40, 25, 22, 40, 12, 10]
BUMP = [60, 35, 39, 25, 20, 15, 12, 10]
OVERFITTED = [80, 60, 40, 20, 15, 10, 11, 12]
MUSIC = {"corpus": "music"}
FINNISH = {"corpus": "finnish"}


def cell(curve: list[float] | float | None, sweep="fig9", corpus="english", **where) -> dict:
    """A cell with this curve, or one that falls to this perplexity; None is one yet to come.

    It stands for three replicates unless ``where`` has a seed. `seconds` are those of the training,
    `gap` is log(progressive / windowed), `far` what the far past is good for, `at` are other
    numbers of batches than BATCHES, and `run` is the name of the run that its replicates' names
    begin with.
    """
    curve = falling(curve) if isinstance(curve, float | int) else curve
    place = {"scheme": 1, "num_layers": 1, "hidden_size": 32, "k1": 20, "k2": 100}
    return {"curve": curve, "sweep": sweep, "corpus": corpus, **place, **where}


def evidence(*cells: dict) -> Evidence:
    """What is known once these cells have their curves."""
    sweeps = {}
    for sweep in dict.fromkeys(one["sweep"] for one in cells):
        rows, curves = [], []
        for n, one in enumerate(one for one in cells if one["sweep"] == sweep):
            for seed in SEEDS if "seed" not in one else (one["seed"],):
                row = {name: value for name, value in one.items() if name not in TOLD}
                run = f"{one.get('run', f'{sweep}-{n}')}-{seed}"
                row |= {"seed": seed, "scale": "laptop", "run": run}
                row["procedure"] = "windowed" if one["scheme"] < 3 else "progressive"
                state = one.get("state", "finished" if one["curve"] else "running")
                rows.append(row | {"state": state})
                curves += [row | values for values in _evaluations(one, [n, seed])]
        columns = list(curves[0] if curves else row)
        sweeps[sweep] = Results(pd.DataFrame(rows), pd.DataFrame(curves, columns=columns))
    return Evidence("laptop", sweeps)


def _evaluations(one: dict, replicate: list[int]) -> Iterator[dict]:
    """Those of a replicate: its curve as a whole, its pace and its gap differ a little."""
    height, pace, wider = NOISE * np.random.default_rng(replicate).normal(size=3)
    ratio = math.exp(one.get("gap", 0.0) * (1 + wider))
    for batches, number in zip(one.get("at", BATCHES), one["curve"] or [], strict=False):
        perplexity = number * math.exp(height)
        windowed = perplexity if one["scheme"] < 3 else perplexity / ratio
        seconds = one.get("seconds", 10.0) * math.exp(pace) * batches / BATCHES[-1]
        yield {
            "batches": batches,
            "train_sequences": 64 * batches,
            "epoch": 0,
            "train_seconds": seconds,
            "train_cpu_seconds": 0.9 * seconds,
            "train_loss": math.log(perplexity),
            "perplexity": perplexity,
            "standard_error": 0.01,
            "tokens_scored": 1000,
            "windowed": windowed,
            "progressive": windowed * ratio,
            "far_past": one.get("far", 0.0) + height,
        }


def disagreeing(cells: list[dict], others: list[dict]) -> list[dict]:
    """Two replicates as ``cells`` have them, and one as ``others`` do."""
    first = [one | {"seed": seed} for one in cells for seed in SEEDS[:2]]
    return first + [one | {"seed": SEEDS[2]} for one in others]


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
    """Cells of Figure 7 by their number of layers and gamma."""
    return [
        cell(end, sweep="fig7", num_layers=layers, hidden_size=hidden, **where)
        for (layers, hidden), end in ends.items()
    ]


def figure_8(cells: list[dict]) -> list[dict]:
    """The same of Figure 8."""
    return [one | {"sweep": "fig8", "scheme": 2} for one in cells]


def spikes(curves: dict[int, list[list[float]]], **where) -> list[dict]:
    """Cells of Figure 9 with these curves by scheme, k1 by k1."""
    return [
        cell(curve, scheme=scheme, k1=k1, **where)
        for scheme, several in curves.items()
        for k1, curve in zip((20, 60, 100), several, strict=False)
    ]


def lengths(curves: dict[int, list[float] | float], scheme=2, **where) -> list[dict]:
    """Cells of Figure 11 by their k2."""
    return [
        cell(curve, sweep="fig11", corpus="music", scheme=scheme, k2=k2, **where)
        for k2, curve in curves.items()
    ]


def biases(schemes: dict[int, tuple], **where) -> list[dict]:
    """Cells of the experiment `readings`: each scheme's curve with forget bias 5, and with 0."""
    return [
        cell(curve, sweep="readings", scheme=scheme, forget_bias=bias, **where)
        for scheme, curves in schemes.items()
        for bias, curve in zip((5.0, 0.0), curves, strict=True)
    ]


def table4(
    savings: list[float], windowed=15.0, rolling=12.0, sizes=(128, 512), apart=0.01
) -> Evidence:
    """Table 4 for two architectures; quartiles are this share away from the median."""
    rows = [
        {"what": what, "median": value, "num_layers": layers, "hidden_size": sizes[layers - 1]}
        | {"lower": value - apart * abs(value), "upper": value + apart * abs(value)}
        for layers, saved in enumerate(savings, start=1)
        for what, value in (
            ("saved in training by scheme 2", saved),
            ("windowed / progressive", windowed),
            ("rolling / progressive", rolling),
        )
    ]
    return Evidence("laptop", table4=pd.DataFrame(rows))
