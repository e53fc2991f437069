"""The project's Hydra sweeper. Hydra takes plugins from this package only."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, ValidationError

from charrnn.config import announce_scale, register_resolvers
from charrnn.console import refuse, to_a_pipe
from charrnn.data.fetching.packages import no_fetching
from charrnn.errors import BadInput, CannotGoOn, CharRNNError, require
from charrnn.schema.check import (
    check_arguments_of,
    check_hydra,
    check_same,
    check_sweep,
    is_local,
    read_once,
)
from charrnn.schema.names import UnknownField
from charrnn.schema.refusals import in_one_sentence
from charrnn.stopping import STOP, Stopped
from charrnn.sweeps.answer import print_ranking
from charrnn.sweeps.cells import Cell, check_all, expand, locate, recognise, remember
from charrnn.sweeps.grids import grid_path, write_grid
from charrnn.sweeps.jobs import (
    describe,
    give_up,
    in_turn,
    left_over,
    longest_first,
    record_errors,
    shorter_lengths,
    side_by_side,
    states,
    to_train,
)
from charrnn.sweeps.names import sweep_name
from charrnn.sweeps.next_steps import after_sweep, checkout, status_command
from charrnn.sweeps.ranking import rank
from charrnn.sweeps.resources import announce_jobs, cores, settle
from charrnn.sweeps.workers import stop_workers

log = logging.getLogger(__name__)

HEED_JOBS = ("charrnn_launcher", "hydra_joblib_launcher")
"""Launchers that train `jobs` runs at once."""

EXTRAS = {
    "hydra_joblib_launcher": "joblib",
    "charrnn_submitit": "slurm",
    "hydra_ray_launcher": "ray",
}
"""Optional launchers, and the extra that installs each."""
BUILT_ON = {"charrnn_submitit": "hydra_submitit_launcher"}
"""Launchers of the project that need another one to be installed."""

register_resolvers()  # a launcher's worker imports this module before it composes anything


class GridSweeper(BasicSweeper):
    """Trains all combinations of the swept values, like Hydra's own sweeper.

    Unlike that one it checks every cell before it trains the first, trains cells with the same
    training once and finished ones not again, and goes on with the others when a run fails.
    """

    def setup(self, *, config: DictConfig, **others: Any) -> None:
        """Decide what is trained on, and refuse a launcher or a setting that cannot be used."""
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # or Ray hides equal lines of different runs
        try:
            check_sweep(config)
            check_hydra(config.hydra)
            _check_launcher(config)
            self.read_once = read_once(config)
            settle(config)
            _check_launchers_fields(config.launcher)
        except CharRNNError as error:
            refuse(error)
        super().setup(config=config, **others)

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Train the runs that the sweep's cells need; exit with status 1 if one has no result.

        The status is 2 if that is not the fault of any run, but of a full disk, say.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        cfg, choices = self.config, self.config.hydra.runtime.choices
        announce_scale(cfg.scale.name, choices["scale"])
        announce_jobs(cfg)
        try:
            name = sweep_name(cfg.name, choices["experiment"])
            with no_fetching() if cfg.plan else nullcontext():
                cells = expand(self.hydra_context.config_loader, cfg, arguments)
            read = "corpora" in str(self.read_once.get("hydra.sweeper.params.data"))
            read = read and not any(word.startswith("data=") for word in arguments)
            unread = "auto where data sets the corpus"
            require(read or cfg.corpora == "auto", "corpora", cfg.corpora, unread)
            check_same([cell.cfg for cell in cells], self.read_once)
            if cfg.plan:
                from charrnn.sweeps.plan import print_plan  # imports torch

                check_all(cells)
                print_plan({name: cells}, cfg)
                return []
            unknown = recognise(cells)
            check_all(unknown)
            locate(unknown)
        except CharRNNError as error:
            refuse(error)
        scales = "+".join(dict.fromkeys(cell.cfg.scale.name for cell in cells))
        write_grid(cells, grid_path(cfg.output_dir, name, scales))
        if chosen := to_train(cells):
            self._train(cells, chosen)
        remember(cells)
        failed = [cell for cell in cells if cell.error]
        for cell in failed:
            log.error("failed: %s: %s", cell, cell.error)
        if failed:
            log.error("%d of %d cells have no result.", len(failed), len(cells))
        self._answer(name, scales, cells, chosen)
        if failed and all(cell.cannot_go_on for cell in [*failed, *chosen]):
            refuse(CannotGoOn(f"the sweep cannot go on: {failed[0].error}"))
        if failed:
            sys.exit(1)
        return []

    def _answer(
        self, name: str, scales: str, cells: Sequence[Cell], chosen: Sequence[Cell]
    ) -> None:
        """Print what the sweep has found, and what to do next; draw it if something was trained."""
        cfg = self.config
        assert cfg is not None
        rows = rank(cells, {cell.folder.path for cell in chosen if cell.folder})
        with to_a_pipe():
            print_ranking(f"{name}, scale={scales}", rows, status_command(cfg))
            sys.stdout.flush()
            figure: Path | None = Path(cfg.output_dir) / "figures" / f"{name}-{scales}.png"
            if any(not cell.error for cell in chosen):
                figure = _draw(name, scales, Path(cfg.output_dir)) if cfg.draw else None
            print(*after_sweep(rows, name, cfg, figure, cfg.jobs), sep="\n")

    def _train(self, cells: Sequence[Cell], chosen: Sequence[Cell]) -> None:
        """Train the runs of the chosen cells, and note in every cell without a result why.

        Runs that another process is training come last; this sweep then waits for them. What is
        left over is launched again as long as that makes progress: if a cluster loses a machine,
        its runs resume from their checkpoints on another.
        """
        from charrnn.datamodule.announcement import announce  # imports torch

        assert self.config is not None
        announce(cell.used_corpus for cell in chosen if cell.used_corpus)
        wait = False
        while chosen:
            before = states(chosen)
            self._launch(cells, chosen, wait)
            stuck = states(chosen) == before
            chosen = left_over(chosen)
            if (wait and stuck) or (self.config.fail_fast and any(cell.error for cell in cells)):
                break
            wait = True
        give_up(cells)

    def _launch(self, cells: Sequence[Cell], chosen: Sequence[Cell], wait: bool) -> None:
        assert self.config is not None
        assert self.launcher is not None
        local = is_local(self.config)
        if local and self.config.jobs == 1:
            jobs = in_turn(chosen, shorter_lengths(cells))
        else:
            chosen = longest_first(chosen)
            share = max(1, cores() // self.config.jobs) if local else None
            jobs = side_by_side(chosen, shorter_lengths(cells), share)
        returns: Sequence[JobReturn] = []
        if not (local and self.config.jobs == 1):
            STOP.pass_on = functools.partial(stop_workers, chosen)
        try:
            returns = self.launcher.launch([[*job, f"job.wait={wait}"] for job in jobs], 0)
        except Exception as error:  # on a cluster, other jobs may still be running
            log.error("the launcher gave up: %s", describe(error))
        except Stopped as stopped:
            if STOP.received:
                raise
            log.error("the launcher gave up: %s has ended a worker", stopped.name)  # joblib
        finally:
            STOP.pass_on = None
        STOP.check()
        record_errors(cells, chosen, returns)


def _draw(name: str, scale: str, runs: Path) -> Path | None:
    """Draw a sweep's figure, where the package `analysis` is. Whatever goes wrong is one line."""
    if (root := checkout()) is None:
        return None
    sys.path += [] if str(root) in sys.path else [str(root)]
    try:
        from analysis.drawing.figure import draw_sweep  # imports matplotlib

        return draw_sweep(name, scale, runs)
    except Exception as error:
        log.warning("%s was not drawn: %s", name, describe(error).splitlines()[0])
        return None


def _check_launcher(cfg: DictConfig) -> None:
    """Refuse a launcher that is not installed, or cannot do what is asked.

    Raises:
        CharRNNError: saying what would do.
    """
    choice = cfg.hydra.runtime.choices["launcher"]
    package = cfg.launcher._target_.split(".")[1]
    if importlib.util.find_spec(f"hydra_plugins.{BUILT_ON.get(package, package)}") is None:
        extra = EXTRAS.get(package, choice)
        raise CharRNNError(
            f"launcher={choice} is not installed: install it with pip install 'charrnn[{extra}]'."
        )
    stops = package == "charrnn_launcher" or not cfg.fail_fast
    require(stops, "fail_fast", cfg.fail_fast, f"false with launcher={choice}")
    heeds = package in HEED_JOBS or cfg.jobs in ("auto", 1)
    require(heeds, "jobs", cfg.jobs, f"left out with launcher={choice}, which has its own fields")


def _check_launchers_fields(launcher: DictConfig) -> None:
    """Refuse what a launcher does not take, as its package declares it.

    Raises:
        CharRNNError: naming the field.
    """
    declared: Any = ConfigStore.instance().repo["hydra"]["launcher"]
    for found in declared.values():
        if found.node.get("_target_") == launcher._target_:
            with in_one_sentence():
                try:
                    OmegaConf.merge(found.node, launcher)
                except ConfigKeyError as error:
                    known = [f"launcher.{name}" for name in found.node]
                    raise UnknownField(f"launcher.{error.full_key}", known) from error
                except ValidationError as error:
                    field = str(error.full_key)
                    value, first = OmegaConf.select(launcher, field), str(error).splitlines()[0]
                    wanted = f"of another kind ({first})"
                    raise BadInput(f"launcher.{field}", value, wanted) from error
            return
    check_arguments_of("launcher", launcher)
