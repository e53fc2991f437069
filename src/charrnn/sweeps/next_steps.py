"""The commands that come after a run or a sweep, valid as they are printed. Light to import."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from charrnn.config import conf_folder
from charrnn.help import WORDS
from charrnn.runs.final import final_perplexities, in_bits, in_words
from charrnn.runs.folder import RunFolder
from charrnn.sweeps.grids import grid_path, read_grid
from charrnn.sweeps.larger_scale import again, larger_run, larger_sweep
from charrnn.sweeps.names import UNNAMED
from charrnn.sweeps.ranking import Outcome, Row

DEFAULT_RUNS = "multirun"
"""The folder of all runs that commands take where none is named."""
FASTEST = {"windowed": "rolling", "progressive": "progressive"}
"""How `charrnn sample` draws fastest from the distributions of a sampling procedure."""


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
    batches = folder.status(cfg.num_batches).batches
    yield f"\nfinal perplexity after {batches:,} batches: {', '.join(ends)}"
    yield "; ".join(f"{name}: {WORDS[name]}" for name in known if name in WORDS) + "."
    runs = _runs(cfg)
    steps = {
        "let it write": _sample(folder, procedure, runs),
        "every run": status_command(cfg),
        "compare": again(["scheme=1,2,3,4"], sweep=True),
        "larger": larger_run(folder, cfg),
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
        steps["try again"] = again(["retry_failed=true"])
    steps["larger"] = larger_sweep(known, cfg, at_once)
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


def _others(name: str, scales: str, cfg: DictConfig, cells: int) -> str:
    """A line that says whether the figure shows more than this sweep, which has no name."""
    more = len(read_grid(grid_path(cfg.output_dir, name, scales))) - cells
    if name != UNNAMED or more <= 0:
        return ""
    return f"\nwith {more} cells of earlier sweeps without a name: name=NAME keeps sweeps apart"


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
