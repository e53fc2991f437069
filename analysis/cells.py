"""The cells of an experiment, composed without running its sweep."""

from __future__ import annotations

from collections.abc import Sequence

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from charrnn.cells import expand
from charrnn.config import conf_folder, register_resolvers


def compose_cells(experiment: str, words: Sequence[str]) -> list[DictConfig]:
    """The configuration of every cell, in the order of the sweep.

    Args:
        experiment: name of a file in conf/experiment.
        words: further overrides, as on the command line.

    Raises:
        BadInput: if the corpora cannot be chosen.
        HydraException: if a word is no override that the configuration takes.
    """
    register_resolvers()
    arguments = [f"experiment={experiment}", *words]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        sweep = loader.load_configuration("train", arguments, run_mode=RunMode.MULTIRUN)
        return [cell.cfg for cell in expand(loader, sweep, arguments)]
