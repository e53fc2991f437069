"""The cells of a sweep: what its values combine to, and the run that answers for each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from charrnn.config import conf_folder, register_resolvers
from charrnn.data.catalogue import choose
from charrnn.data.fetching.packages import FetchError
from charrnn.errors import CannotRead, CharRNNError
from charrnn.runs.folder import RunFolder
from charrnn.runs.sealed import DamagedRun
from charrnn.training.build import build, check, scheme_class
from charrnn.training.lifecycle import prepare

log = logging.getLogger(__name__)

TOLD = {
    *("data", "corpora", "scheme", "k1", "k1_share", "k2", "seed", "scale", "experiment"),
    *("backbone.num_layers", "backbone.hidden_size", "columns"),
}
"""Fields that a grid's table has in columns of its own, or that choose its cells."""
NO_SETTINGS = {
    *("data", "launcher", "sampling", "hydra", "cell", "jobs", "threads", "plan", "fail_fast"),
    *("retry_failed", "output_dir", "log_every", "checkpoint_share", "evaluate_at"),
}
"""Fields, and first parts of fields, that leave the training as it is, or go by another column."""


@dataclass
class Cell:
    """One combination of a sweep's values.

    Attributes:
        overrides: the values, as on the command line.
        cfg: the configuration that they make.
        label: the values in which it differs from other cells.
        folder: of the cell's run, which it may share with other cells; None before `locate`, and
            if the corpus cannot be had.
        error: why the cell has no result, in one sentence.
    """

    overrides: list[str]
    cfg: DictConfig
    label: str
    folder: RunFolder | None = None
    error: str | None = None

    def __str__(self) -> str:
        return self.label

    def describe(self) -> dict[str, object]:
        """What figures tell cells apart by: the columns of a grid's table, without the run."""
        cfg = self.cfg
        return {
            "corpus": build(cfg.data).name,
            "scheme": cfg.scheme,
            "procedure": scheme_class(cfg).sampling_procedure,
            "k1": cfg.k1,
            "k2": cfg.k2,
            "num_layers": cfg.backbone.num_layers,
            "hidden_size": cfg.backbone.hidden_size,
            "seed": cfg.seed,
            "scale": cfg.scale.name,
            "settings": " ".join(self._settings()),
            **{name.rpartition(".")[2]: OmegaConf.select(cfg, name) for name in cfg.columns},
        }

    def _settings(self) -> list[str]:
        """The values of the command line and the sweep that no other column tells."""
        fields = {override.lstrip("+~").partition("=")[0]: override for override in self.overrides}
        told = TOLD.union(self.cfg.columns)
        return [
            override
            for field, override in sorted(fields.items())
            if field not in told and field.partition(".")[0] not in NO_SETTINGS
        ]


def expand(loader: ConfigLoader, cfg: DictConfig, arguments: Sequence[str]) -> list[Cell]:
    """All combinations of the values that an experiment and the command line sweep.

    Args:
        loader: what composes configurations.
        cfg: the configuration composed for the whole sweep, Hydra's part included.
        arguments: the command line's overrides; they come after the experiment's own.
    """
    params = dict(cfg.hydra.sweeper.params or {})
    if "data" in params:  # the corpora that the figure is drawn for
        params["data"] = choose(params["data"])
    swept = [f"{name}={values}" for name, values in params.items()]
    parser = OverridesParser.create(config_loader=loader)
    overrides = parser.parse_overrides([*swept, *arguments])
    (combinations,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    fixed = set.intersection(*map(set, combinations))
    return [
        Cell(
            overrides=combination,
            cfg=loader.load_sweep_config(cfg, combination),
            label=" ".join(o for o in combination if o not in fixed) or "the only cell",
        )
        for combination in combinations
    ]


def cells_of(experiment: str, words: Sequence[str]) -> list[Cell]:
    """All cells of an experiment, in the order of the sweep.

    Args:
        experiment: name of a file in conf/experiment.
        words: further overrides, as on the command line.

    Raises:
        CharRNNError: if a word is not an override that the configuration takes, or the corpora
            cannot be chosen.
    """
    register_resolvers()
    arguments = [f"experiment={experiment}", *words]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        try:
            sweep = loader.load_configuration("train", arguments, run_mode=RunMode.MULTIRUN)
            return expand(loader, sweep, sweep.hydra.overrides.task)
        except HydraException as error:
            raise CharRNNError(str(error)) from error


def compose_cells(experiment: str, words: Sequence[str]) -> list[DictConfig]:
    """The configurations of `cells_of`."""
    return [cell.cfg for cell in cells_of(experiment, words)]


def check_all(cells: Sequence[Cell]) -> None:
    """Refuse the sweep if one of its cells cannot be run.

    Raises:
        BadInput: of the first such cell.
    """
    for cell in cells:
        check(cell.cfg)


def locate(cells: Sequence[Cell]) -> None:
    """Find every cell's run, reading its corpus.

    A corpus that cannot be fetched, or a finished run that is damaged or cannot be read, costs its
    cells only.

    Raises:
        BadInput: if a file named by the user cannot be used: the sweep is refused, as in check_all.
    """
    for cell in cells:
        try:
            cell.folder = prepare(cell.cfg).folder
        except (FetchError, DamagedRun, CannotRead) as error:
            cell.error = str(error)
            log.error("%s: %s", cell, error)
