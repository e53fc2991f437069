"""What the options of the benchmark measure, and how long."""

from __future__ import annotations

from charrnn.benchmark.case import Case
from charrnn.benchmark.loops import LOOPS
from charrnn.benchmark.measure import Effort

Plan = list[tuple[str, Case]]
"""Loops, and the cases that they are measured at."""

CORE = Case(512)
QUICK: Plan = [
    *((loop, CORE) for loop in LOOPS),
    ("train-step", Case(128)),
    ("train-step", Case(128, num_layers=2)),
]
FULL: Plan = [
    (loop, Case(hidden_size, num_layers))
    for loop in LOOPS
    for num_layers in (1, 2)
    for hidden_size in (512, 128)
]
WIDE: Plan = [("train-step", CORE), ("eval-windowed", CORE)]
"""Also measured on all cores."""
GROWTH: Plan = [
    ("train-step", case)
    for case in dict.fromkeys(
        [
            *(Case(128, k2=k2) for k2 in (25, 50, 100, 200, 400)),
            *(Case(hidden_size) for hidden_size in (64, 128, 256, 512)),
            *(Case(128, num_layers=num_layers) for num_layers in (1, 2, 3, 4)),
            *(Case(128, vocabulary=size) for size in (30, 85, 200, 400, 800)),
        ]
    )
]
EFFORT = {
    "quick": Effort(0.7, 5, limit=20, precision=0.03),
    "growth": Effort(1.5, 5),
    "full": Effort(4, 5),
}
GROWING = ("ours", "floor", "nn.LSTM")
ON_A_GPU = 3
"""Warm-ups there: the first ones compile, and record CUDA graphs."""
TOGETHER = 6.0
"""Seconds for which several processes train at the same time."""
