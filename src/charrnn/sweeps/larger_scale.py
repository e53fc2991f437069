"""The command that was given, once more with other values, and at a larger scale."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from charrnn.config import conf_folder
from charrnn.console import duration
from charrnn.runs.folder import RunFolder
from charrnn.sweeps.jobs import distinct
from charrnn.sweeps.ranking import Outcome

SMALL, LARGER = "quick", "laptop"
"""A scale that is a first look, and the next one."""


def again(more: Sequence[str], sweep: bool = False) -> str:
    """The command that was given, with further overrides in place of those of the same fields."""
    program, *words = sys.argv
    fields = {word.partition("=")[0] for word in more}
    words = [word for word in words if word.partition("=")[0] not in fields]
    flags = ["-m"] if sweep and not {"-m", "--multirun"} & {*words} else []
    start = f"python {shlex.quote(program)}" if program.endswith(".py") else "charrnn train"
    if Path(program).name == "__main__.py":
        start = "python -m charrnn train"
    return " ".join([start, shlex.join([*flags, *words, *more])])


def larger_run(folder: RunFolder, cfg: DictConfig) -> str | None:
    """The same command at the next scale, and about how long it takes; None at other scales."""
    return _with_time({folder.path: cfg}, 1) if cfg.scale.name == SMALL else None


def larger_sweep(known: Sequence[Outcome], cfg: DictConfig, at_once: int) -> str | None:
    """The same command at the next scale, and about how long it takes.

    An experiment may have other cells there: planning counts them.
    """
    runs = {path: cell.cfg for path, cell in distinct([one.cell for one in known]).items()}
    if not runs or {one.scale.name for one in runs.values()} != {SMALL}:
        return None
    if cfg.hydra.runtime.choices["experiment"]:
        return f"{again([f'scale={LARGER}'])}\nwith plan=true it only says how long that takes"
    return _with_time(runs, at_once)


def _with_time(runs: Mapping[Path, DictConfig], at_once: int) -> str:
    """The command for the larger scale; below it what that means, and about how long it takes.

    The time is that of the pace at this scale. A batch takes as much longer as the recurrent
    weights are more.
    """
    seconds, sizes = 0.0, dict[str, None]()
    for path, one in runs.items():
        batches, wider = _at_larger_scale(one)
        pace = RunFolder(path).seconds_per_batch() or 0.0
        seconds += pace * batches * (wider / one.backbone.hidden_size) ** 2
        sizes[f"gamma {wider} and {batches:,} batches"] = None
    many = f", {len(runs)} runs" if len(runs) > 1 else ""
    about = duration(seconds / min(at_once, len(runs)))
    return f"{again([f'scale={LARGER}'])}\n{' or '.join(sizes)}{many}: about {about} here"


def _at_larger_scale(cfg: DictConfig) -> tuple[int, int]:
    """Batches and width of a run at the larger scale; what the command line has set stays."""
    larger = OmegaConf.load(conf_folder() / "scale" / f"{LARGER}.yaml")
    assert isinstance(larger, DictConfig)
    scale, width = cfg.scale, cfg.backbone.hidden_size
    batches = larger.num_batches if cfg.num_batches == scale.num_batches else cfg.num_batches
    kind = next((kind for kind, own in scale.hidden_size.items() if own == width), "")
    return batches, larger.hidden_size.get(kind, width)
