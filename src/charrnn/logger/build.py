"""The loggers that `logger=` chooses."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from charrnn.config import build
from charrnn.errors import BadInput, CharRNNError
from charrnn.logger.tensorboard import TensorBoard
from charrnn.runs.identity import digest_in
from charrnn.schema.check import check_arguments_of

log = logging.getLogger(__name__)

EXTRAS = {"wandb": "wandb"}
"""Loggers that need a package of their own, which an extra of the same name installs."""


def check_loggers(cfg: DictConfig) -> None:
    """Refuse loggers that cannot be made.

    Raises:
        CharRNNError: naming the logger, and what would do.
    """
    for name, node in cfg.logger.items():
        package = EXTRAS.get(str(name))
        if package and importlib.util.find_spec(package) is None:
            raise CharRNNError(
                f"logger={name} is not installed: install it with pip install 'charrnn[{package}]'."
            )
        check_arguments_of(f"logger.{name}", node)
        if not issubclass(get_class(node._target_), Logger):
            raise BadInput(f"logger.{name}._target_", node._target_, "a logger of Lightning's")


@contextmanager
def loggers_of(cfg: DictConfig, run: str, **of_a_run: Any) -> Iterator[list[Logger]]:
    """The loggers of a run, closed in the end.

    Args:
        cfg: the configuration.
        run: the run's name; a logger without a `name` of its own takes it, and one without an
            `id` the digest in it.
        **of_a_run: what TensorBoard needs to know.
    """
    loggers = [_build(node, run, of_a_run) for node in cfg.logger.values()]
    try:
        yield loggers
    finally:
        for logger in loggers:
            _close(logger)


def _build(node: DictConfig, run: str, of_a_run: dict[str, Any]) -> Logger:
    if issubclass(get_class(node._target_), TensorBoard):
        return build(node, **of_a_run)
    own = {"name": run, "id": digest_in(run)}
    given = OmegaConf.to_container(node, resolve=True)
    assert isinstance(given, dict)
    missing = {name: value for name, value in own.items() if given.get(name, ...) is None}
    return build(OmegaConf.create({**given, **missing}))


def _close(logger: Logger) -> None:
    if isinstance(logger, TensorBoard):
        logger.close()
    elif type(logger).__name__ == "WandbLogger":  # the next run of a sweep is another one there
        logger.experiment.finish()  # type: ignore[attr-defined]
