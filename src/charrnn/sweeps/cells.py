"""The cells of a sweep: all combinations of its values, and the run of each."""

from __future__ import annotations

import functools
import logging
import pickle
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from charrnn.config import OF_A_GPU, build, conf_folder, register_resolvers, resolve
from charrnn.data.corpora.base import load_once
from charrnn.data.corpora.for_figures import choose
from charrnn.data.corpora.labels import labels
from charrnn.data.fetching.packages import FetchError, no_fetching
from charrnn.devices import AUTO, GPU
from charrnn.errors import CannotRead, CharRNNError, require
from charrnn.runs.folder import RunFolder
from charrnn.runs.reuse import note, recall
from charrnn.runs.sealed import DamagedRun
from charrnn.runs.state import RESULTS
from charrnn.schema.check import check_fields, check_same, read_once
from charrnn.schema.refusals import in_one_sentence
from charrnn.sweeps.resources import device_of

if TYPE_CHECKING:
    from charrnn.datamodule.announcement import UsedCorpus

log = logging.getLogger(__name__)

IN_COLUMNS = {
    *("data", "corpora", "scheme", "k1", "k1_share", "k2", "seed", "scale", "experiment"),
    *("backbone.num_layers", "backbone.hidden_size", "columns"),
}
"""Fields that have columns of their own in a grid's table, or that choose its cells."""
TEXT_DIGITS = 10
"""Of the hash of a text, in a grid's table."""
NO_SETTINGS = {
    *("data", "launcher", "sampling", "hydra", "job", "jobs", "threads", "plan", "fail_fast"),
    *("retry_failed", "output_dir", "log_every", "checkpoint_share", "evaluate_at", "keep_last"),
    *("name", "draw", "device", "logger", "debug"),
}
"""Fields, or first parts of fields, that do not change the training, or have another column."""


@dataclass
class Cell:
    """One combination of a sweep's values.

    Attributes:
        overrides: the values, as on the command line, with nothing in them that another machine
            could take for something else.
        cfg: the configuration that they make.
        label: the values in which it differs from other cells.
        folder: the folder of its run, which other cells may share; None before `locate`, and if
            the corpus is not available.
        error: why the cell has no result, in one sentence.
        cannot_go_on: whether that is something outside of its run, such as a full disk.
        known: the sampling procedure of its scheme, if `recognise` has found its run.
        used_corpus: its corpus as its run splits it, if `locate` has read it.
    """

    overrides: list[str]
    cfg: DictConfig
    label: str
    folder: RunFolder | None = None
    error: str | None = None
    cannot_go_on: bool = False
    known: str | None = None
    used_corpus: UsedCorpus | None = None

    @property
    def procedure(self) -> str:
        """The sampling procedure of its scheme."""
        if self.known is None:
            from charrnn.training.build import scheme_class  # imports torch

            self.known = scheme_class(self.cfg).sampling_procedure
        return self.known

    def __str__(self) -> str:
        return self.label

    @functools.cached_property
    def corpus(self) -> str:
        """The name of its corpus."""
        return build(self.cfg.data).full_name

    @functools.cached_property
    def text(self) -> str:
        """The hash of its text, which corpora of one name tells apart; empty if it is not here."""
        with no_fetching(), suppress(CharRNNError):
            return load_once(build(self.cfg.data)).sha256
        return ""

    def describe(self) -> dict[str, object]:
        """The columns of a grid's table that tell cells apart: all but num_batches and run."""
        cfg = self.cfg
        return {
            "corpus": self.corpus,
            "text": self.text[:TEXT_DIGITS],
            "scheme": cfg.scheme,
            "procedure": self.procedure,
            "k1": cfg.k1,
            "k2": cfg.k2,
            "num_layers": cfg.backbone.num_layers,
            "hidden_size": cfg.backbone.hidden_size,
            "seed": cfg.seed,
            "scale": cfg.scale.name,
            "settings": " ".join(override for _, override in sorted(self.settings().items())),
            **{name.rpartition(".")[2]: self.in_column(name) for name in cfg.columns},
        }

    def in_column(self, name: str) -> object:
        """The value of a field, or the chosen option of a group."""
        value = OmegaConf.select(self.cfg, name)
        if OmegaConf.is_dict(value):
            return self.cfg.hydra.runtime.choices.get(name, value)
        return value

    def settings(self) -> dict[str, str]:
        """The overrides of the command line and the sweep that have no column, by their fields."""
        fields = {override.lstrip("+~").partition("=")[0]: override for override in self.overrides}
        in_columns = IN_COLUMNS.union(self.cfg.columns)
        return {
            field: override
            for field, override in fields.items()
            if field not in in_columns and field.partition(".")[0] not in NO_SETTINGS
        }


def expand(loader: ConfigLoader, cfg: DictConfig, arguments: Sequence[str]) -> list[Cell]:
    """All combinations of the values that an experiment and the command line sweep.

    What `auto` stands for is decided here: every cell names its corpus, scale and device.

    Args:
        loader: what composes configurations.
        cfg: the configuration composed for the whole sweep, Hydra's part included.
        arguments: the command line's overrides; they come after the experiment's own.

    Raises:
        CharRNNError: if a cell's configuration cannot be composed, if a field of it cannot be
            used, or if cells have several devices.
    """
    with in_one_sentence(arguments):
        cells = _expand(loader, cfg, arguments)
    for cell in cells:
        resolve(cell.cfg)
        check_fields(cell.cfg)
    return cells


def _expand(loader: ConfigLoader, cfg: DictConfig, arguments: Sequence[str]) -> list[Cell]:
    params = dict(cfg.hydra.sweeper.params or {})
    parser = OverridesParser.create(config_loader=loader)
    given = parser.parse_overrides(list(arguments))
    # Corpora on the command line replace the experiment's; choosing those might download them.
    if "data" in params and not any(override.key_or_group == "data" for override in given):
        params["data"] = choose(params["data"])
    swept = [f"{name}={values}" for name, values in params.items()]
    one_device = all(not each.is_sweep_override() for each in given if _sets_device(each))
    require(one_device, "device", "several", "the same in all cells of a sweep")
    given = [each for each in given if not _sets_device(each)]
    device = parser.parse_overrides([f"device={device_of(cfg)}"])
    overrides = [*parser.parse_overrides(swept), *given, *device]
    (combinations,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    if not combinations:
        raise CharRNNError("glob() found nothing: it chooses among the options of a group.")
    fixed = set.intersection(*map(set, combinations))
    is_group = functools.cache(lambda name: bool(loader.get_group_options(name)))
    parse = functools.cache(lambda word: parser.parse_overrides([word])[0])
    composed: dict[tuple[str, ...], bytes] = {}  # pickled, since that is copied six times as fast

    def compose(combination: Sequence[str]) -> DictConfig:
        # Hydra reads all files again for every configuration, though only groups choose files.
        parsed = [parse(word) for word in combination]
        groups = [each for each in parsed if is_group(each.key_or_group)]
        names = tuple(each.input_line or "" for each in groups)
        if names not in composed:
            composed[names] = pickle.dumps(loader.load_sweep_config(cfg, list(names)))
        one = pickle.loads(composed[names])
        values = [each for each in parsed if each not in groups]
        ConfigLoaderImpl._apply_overrides_to_config(values, one)
        return one

    cells = []
    for combination in combinations:
        one = compose(combination)
        label = " ".join(o for o in combination if o not in fixed) or "the only cell"
        _require_scale_of(one)
        cells.append(Cell(_scale_named(combination, one), one, label))
    return cells


def _sets_device(override: Override) -> bool:
    return override.key_or_group == "device"


def _require_scale_of(cfg: DictConfig) -> None:
    """Refuse `scale=auto` for a GPU that is elsewhere: it was decided by this machine, without one.

    Raises:
        BadInput: naming the scale of a GPU.
    """
    elsewhere = cfg.device == GPU and cfg.scale.name != OF_A_GPU
    by_this_machine = cfg.hydra.runtime.choices["scale"] == AUTO
    wanted = f"chosen where device=gpu is planned without a GPU: auto is {OF_A_GPU} on a GPU"
    require(not (elsewhere and by_this_machine), "scale", AUTO, wanted)


def _scale_named(combination: Sequence[str], cfg: DictConfig) -> list[str]:
    """A cell's overrides with the scale that `auto` stands for here; elsewhere it might differ."""
    if cfg.hydra.runtime.choices["scale"] != AUTO:
        return list(combination)
    others = [word for word in combination if word.partition("=")[0] != "scale"]
    return [*others, f"scale={cfg.scale.name}"]


def cells_of(experiment: str, words: Sequence[str]) -> list[Cell]:
    """All cells of an experiment, in the order of the sweep.

    Args:
        experiment: name of a file in conf/experiment.
        words: further overrides, as on the command line.

    Raises:
        CharRNNError: if a word is not an override that the configuration takes, the corpora cannot
            be chosen, or something is swept that a sweep reads once.
    """
    register_resolvers()
    arguments = [f"experiment={experiment}", *words]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        with in_one_sentence(arguments):
            sweep = loader.load_configuration("train", arguments, run_mode=RunMode.MULTIRUN)
        cells = expand(loader, sweep, sweep.hydra.overrides.task)
        check_same([cell.cfg for cell in cells], read_once(sweep))
    return cells


def compose_cells(experiment: str, words: Sequence[str]) -> list[DictConfig]:
    """The configurations of `cells_of`."""
    return [cell.cfg for cell in cells_of(experiment, words)]


def labels_of(cells: Sequence[Cell]) -> list[str]:
    """What to call the corpus of each cell among those of the others."""
    called = labels((cell.corpus, cell.text) for cell in cells)
    return [called[cell.corpus, cell.text] for cell in cells]


def recognise(cells: Sequence[Cell]) -> list[Cell]:
    """Find the runs that were asked for before and are finished. Returns the other cells."""
    for cell in cells:
        if found := recall(cell.cfg):
            cell.folder, cell.known = found
    return [cell for cell in cells if cell.folder is None]


def remember(cells: Sequence[Cell]) -> None:
    """Note the runs of all cells that have a result, which `recognise` finds the next time."""
    for cell in cells:
        with suppress(CharRNNError):  # damaged since: it is not noted
            if cell.folder and cell.folder.status(cell.cfg.num_batches).state in RESULTS:
                note(cell.cfg, cell.procedure, cell.folder)


def check_all(cells: Sequence[Cell]) -> None:
    """Refuse the sweep if one of its cells, whose fields are checked already, cannot be run.

    Raises:
        CharRNNError: for the first such cell.
    """
    if cells:
        from charrnn.training.build import check_classes  # imports torch

        for cell in cells:
            check_classes(cell.cfg)


def locate(cells: Sequence[Cell]) -> None:
    """Find every cell's run, reading its corpus; `check_all` comes before.

    If a corpus cannot be fetched, or a finished run is damaged or cannot be read, only its cells
    have no result.

    Raises:
        BadInput: if a file named by the user cannot be used, or a longer run was not evaluated at
            a cell's number of batches: the sweep is refused, as in check_all.
    """
    if not cells:
        return
    from charrnn.datamodule.announcement import UsedCorpus  # imports torch
    from charrnn.training.train_run import prepare_checked

    for cell in cells:
        try:
            prepared = prepare_checked(cell.cfg)
        except (FetchError, DamagedRun, CannotRead) as error:
            cell.error = str(error)
            log.error("%s: %s", cell, error)
        else:
            cell.folder = prepared.folder
            cell.used_corpus = UsedCorpus.of(prepared.datamodule)
