"""The project's Hydra sweeper. It stands here since Hydra takes plugins from this package only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn

from charrnn.cli import announce_scale, refuse
from charrnn.data.catalogue import choose
from charrnn.errors import CharRNNError
from charrnn.sweep import (
    Cell,
    check_all,
    grid_path,
    jobs,
    locate,
    record_errors,
    to_train,
    write_grid,
)

log = logging.getLogger(__name__)


class GridSweeper(BasicSweeper):
    """All combinations of the swept values, like Hydra's own sweeper, and more than it does.

    Every cell is checked before the first one is trained. Cells with the same training are trained
    once, finished ones not again. A failed run leaves the others running.
    """

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Train what the cells of the sweep need; exits with status 1 if one has no result."""
        assert self.config is not None
        assert self.launcher is not None
        cfg, choices = self.config, self.config.hydra.runtime.choices
        announce_scale(cfg.scale.name, choices["scale"])
        cells = self._cells(arguments)
        try:
            check_all(cells)
            locate(cells)
        except CharRNNError as error:
            refuse(error)
        name = choices["experiment"] or "sweep"
        scales = "+".join(dict.fromkeys(cell.cfg.scale.name for cell in cells))
        write_grid(cells, grid_path(cfg.output_dir, name, scales))
        chosen = to_train(cells)
        returns = self.launcher.launch(list(jobs(chosen)), 0) if chosen else []
        record_errors(cells, chosen, returns)
        failed = [cell for cell in cells if cell.error]
        for cell in failed:
            log.error("failed: %s: %s", cell, cell.error)
        if failed:
            log.error("%d of %d cells have no result.", len(failed), len(cells))
            sys.exit(1)
        return [returns]

    def _parse_config(self) -> list[str]:
        """The experiment's own sweep, with the corpora that its figure is drawn for."""
        if "data" in self.params:
            self.params = {**self.params, "data": choose(self.params["data"])}
        return super()._parse_config()

    def _cells(self, arguments: list[str]) -> list[Cell]:
        """The cells of the sweep, each composed on its own."""
        assert self.config is not None
        assert self.hydra_context is not None
        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        (combinations,) = self.split_arguments(overrides, max_batch_size=None)
        fixed = set.intersection(*map(set, combinations))
        return [
            Cell(
                overrides=combination,
                cfg=loader.load_sweep_config(self.config, combination),
                label=" ".join(o for o in combination if o not in fixed) or "the only cell",
            )
            for combination in combinations
        ]
