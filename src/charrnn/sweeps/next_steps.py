"""The commands that come after a run or a sweep, valid as they are printed. Light to import."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from charrnn.config import conf_folder
from charrnn.console import duration
from charrnn.runs.final import final_perplexities, in_bits, in_words
from charrnn.runs.folder import RunFolder
from charrnn.sweeps.jobs import distinct
from charrnn.sweeps.ranking import Outcome, Row

DEFAULT_RUNS = "multirun"
"""The folder of all runs that commands take where none is named."""
FASTEST = {"windowed": "rolling", "progressive": "progressive"}
"""How `charrnn sample` draws fastest from the distributions of a sampling procedure."""
SMALL, LARGER = "quick", "laptop"
"""A scale that is a first look, and the next one."""


def checkout() -> Path | None:
    """The folder that has the package `analysis`; None where only the wheel is installed."""
    root = conf_folder().parent
    return root if (root / "analysis" / "drawing" / "figure.py").exists() else None


def after_run(folder: RunFolder, cfg: DictConfig, procedure: str | None) -> Iterator[str]:
    """The lines below a single run: its final perplexities, and what to do next.

    Args:
        folder: of the run.
        cfg: its configuration.
        procedure: how its scheme samples; None leaves that to the command.
    """
    known = final_perplexities(folder, cfg.num_batches)
    ends = (
        f"{name} {in_words(value)} ({in_bits(value)} bits per token)"
        for name, value in known.items()
    )
    yield f"\nfinal perplexity after {cfg.num_batches:,} batches: {', '.join(ends)}"
    runs = _runs(cfg)
    steps = {
        "let it write": _sample(folder, procedure, runs),
        "every run": status_command(cfg),
        "compare": _again(cfg, ["scheme=1,2,3,4"], sweep=True),
        "larger": _larger_run(folder, cfg),
    }
    yield from _lines(steps)


def after_sweep(
    rows: Sequence[Row], name: str, cfg: DictConfig, figure: Path | None, at_once: int
) -> Iterator[str]:
    """The lines below a sweep's table.

    Args:
        rows: of the table.
        name: of the sweep.
        cfg: the configuration of the whole sweep.
        figure: where the sweep's figure is, if it was drawn.
        at_once: how many runs this machine trains at once.
    """
    outcomes = [one for row in rows for one in row.outcomes]
    scales = "+".join(dict.fromkeys(one.cell.cfg.scale.name for one in outcomes))
    known = [one for one in outcomes if one.perplexity is not None]
    runs = _runs(cfg)
    steps: dict[str, str | None] = {}
    if known:
        steps["see the figure"] = (
            str(figure) if figure and figure.exists() else draw_command(name, scales, cfg)
        )
    steps["every cell"] = status_command(cfg)
    if known and "+" not in scales:
        steps["all on one page"] = _report(scales, cfg)
    if best := _best(rows):
        folder, procedure = best.cell.folder, best.cell.procedure
        steps["let the best write"] = _sample(folder, procedure, runs) if folder else None
    if any(one.reason for one in outcomes):
        steps["try again"] = _again(cfg, ["retry_failed=true"])
    steps["larger"] = _larger_sweep(known, cfg, at_once)
    yield from _lines(steps)


def status_command(cfg: DictConfig) -> str:
    """The command that shows every cell and run."""
    return f"charrnn status{_runs(cfg)}"


def draw_command(name: str, scale: str, cfg: DictConfig) -> str | None:
    """The command that draws a sweep's figure, if it can be drawn here."""
    return _in_checkout(f"-m analysis.drawing.figure {name}", scale, cfg)


def _lines(steps: Mapping[str, str | None]) -> Iterator[str]:
    width = max(map(len, steps))
    yield "next:"
    for what, command in steps.items():
        for n, line in enumerate((command or "").splitlines()):
            yield f"  {'' if n else what:{width}}  {line}"


def _best(rows: Sequence[Row]) -> Outcome | None:
    """The lowest perplexity of the row that stands first."""
    return rows[0].outcomes[0] if rows and rows[0].place == 0 else None


def _sample(folder: RunFolder, procedure: str | None, runs: str) -> str:
    digest = folder.name.rpartition("_")[2]
    how = f" --procedure {FASTEST[procedure]}" if procedure in FASTEST else ""
    return f"charrnn sample {digest}{how}{runs}"


def _runs(cfg: DictConfig) -> str:
    given = str(cfg.output_dir)
    return "" if given == DEFAULT_RUNS else f" --runs {shlex.quote(given)}"


def _report(scale: str, cfg: DictConfig) -> str | None:
    if checkout() == Path.cwd() and str(cfg.output_dir) == DEFAULT_RUNS:
        return f"make report SCALE={scale}"
    return _in_checkout("-m analysis.report", scale, cfg)


def _in_checkout(words: str, scale: str, cfg: DictConfig) -> str | None:
    """A command of the package `analysis`, from where the user is; None without that package."""
    root = checkout()
    if root is None:
        return None
    if root == Path.cwd():
        return f"python {words} --scale {scale}{_runs(cfg)}"
    runs = shlex.quote(str(Path(cfg.output_dir).absolute()))
    return f"(cd {shlex.quote(str(root))} && python {words} --scale {scale} --runs {runs})"


def _again(cfg: DictConfig, more: Sequence[str], sweep: bool = False) -> str:
    """The command that was given, with further overrides in place of those of the same fields."""
    program, *words = sys.argv
    fields = {word.partition("=")[0] for word in more}
    words = [word for word in words if word.partition("=")[0] not in fields]
    flags = ["-m"] if sweep and not {"-m", "--multirun"} & {*words} else []
    start = f"python {shlex.quote(program)}" if program.endswith(".py") else "charrnn train"
    return " ".join([start, shlex.join([*flags, *words, *more])])


def _larger_run(folder: RunFolder, cfg: DictConfig) -> str | None:
    return _with_time(cfg, {folder.path: cfg}, 1) if cfg.scale.name == SMALL else None


def _larger_sweep(known: Sequence[Outcome], cfg: DictConfig, at_once: int) -> str | None:
    """The same command at the next scale, and about how long it takes.

    An experiment may have other cells there: planning counts them.
    """
    runs = {path: cell.cfg for path, cell in distinct([one.cell for one in known]).items()}
    if not runs or {one.scale.name for one in runs.values()} != {SMALL}:
        return None
    if cfg.hydra.runtime.choices["experiment"]:
        return (
            f"{_again(cfg, [f'scale={LARGER}'])}\nwith plan=true it only says how long that takes"
        )
    return _with_time(cfg, runs, at_once)


def _with_time(cfg: DictConfig, runs: Mapping[Path, DictConfig], at_once: int) -> str:
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
    return f"{_again(cfg, [f'scale={LARGER}'])}\n{' or '.join(sizes)}{many}: about {about} here"


def _at_larger_scale(cfg: DictConfig) -> tuple[int, int]:
    """Batches and width of a run at the larger scale; what the command line has set stays."""
    larger = OmegaConf.load(conf_folder() / "scale" / f"{LARGER}.yaml")
    assert isinstance(larger, DictConfig)
    scale, width = cfg.scale, cfg.backbone.hidden_size
    batches = larger.num_batches if cfg.num_batches == scale.num_batches else cfg.num_batches
    kind = next((kind for kind, own in scale.hidden_size.items() if own == width), "")
    return batches, larger.hidden_size.get(kind, width)
