"""Finished runs that were asked for before, found again without importing torch.

Working out a run's identity takes its classes, which import torch and Lightning, which takes
seconds. So once a run is finished, a note with its name is kept under a digest of everything that
was asked for: the configuration, the corpus, the initial weights, the code. The same question then
leads to the same run. A note is only a shortcut: the run itself is verified, and notes can be
deleted at any time.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import CharRNNError
from charrnn.evaluation.schedule import evaluation_counts
from charrnn.files import read_file, write_atomically
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import digest_of
from charrnn.runs.state import RunState
from charrnn.seals import sealed, sha256_of, unsealed

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

NOTES = ".known"
"""Folder of the notes, in the folder of all runs."""
NOT_ASKED = {
    *("output_dir", "corpora", "jobs", "job", "launcher", "plan", "fail_fast", "hydra"),
    *("name", "draw", "device", "logger"),
}
"""Fields that say where and how runs are trained. Any other field was checked when it was noted."""
OWN = ("charrnn.", "torch.", "pytorch_lightning.", "hydra_plugins.")
"""Beginnings of targets whose code `_code` knows; with any other, nothing is noted."""


@dataclass(frozen=True)
class Known:
    """A run that was asked for before.

    Attributes:
        run: its name.
        procedure: the sampling procedure of the scheme that was asked for.
    """

    run: str
    procedure: str


def note(cfg: DictConfig, procedure: str, folder: RunFolder) -> None:
    """Note which run a configuration led to, as far as the folder of all runs can be written."""
    if (question := _question(cfg)) is not None:
        path = Path(cfg.output_dir) / NOTES / question
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, json.dumps(sealed(asdict(Known(folder.name, procedure)))))


def recall(cfg: DictConfig) -> tuple[RunFolder, str] | None:
    """The intact result that a configuration led to before, and its scheme's sampling procedure.

    None if there is no note of it, or anything about the run is not as it was: the caller then
    finds out in the long way, which also says what is wrong.
    """
    with suppress(CharRNNError, OSError, ValueError, TypeError, KeyError):
        if (question := _question(cfg)) is not None:
            noted = read_file(Path(cfg.output_dir) / NOTES / question)
            known = Known(**unsealed(noted, [field.name for field in fields(Known)]))
            folder = RunFolder(Path(cfg.output_dir) / known.run)
            identity = json.loads(folder.read("identity.json"))
            folder.verify(identity)
            named = folder.name.endswith(digest_of(identity))
            covered = folder.covers(cfg.num_batches) and not folder.is_being_replaced
            evaluated = folder.status(cfg.num_batches).state is not RunState.NOT_EVALUATED
            if named and covered and evaluated:
                return folder, known.procedure
    return None


def report_reuse(cfg: DictConfig, folder: RunFolder, title: str) -> None:
    """Say that a run is finished already, and at which batch counts it was not evaluated."""
    log.info("%s: trained before, reused: %s", title, folder.path)
    not_measured = set(evaluation_counts(cfg)) - set(folder.read_table()["batches"])
    if not_measured and cfg.evaluate_at != "log":
        log.warning("it was not evaluated at batches %s then.", sorted(not_measured))
    folder.tidy(cfg.keep_last)


def _question(cfg: DictConfig) -> str | None:
    """A digest of everything that decides which run is meant; None if that cannot be known here."""
    from omegaconf import OmegaConf

    from charrnn.config import build
    from charrnn.data.corpora.base import load_once

    asked = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(asked, dict)
    asked = {str(field): value for field, value in asked.items() if field not in NOT_ASKED}
    if not all(target.startswith(OWN) for target in _targets(asked)):
        return None
    tokens = load_once(build(cfg.data))
    weights = cfg.initial_weights
    asked["corpus"] = tokens.name, tokens.sha256
    asked["weights"] = weights and sha256_of(read_file(Path(weights).expanduser()))
    asked["code"] = _code()
    return sha256_of(json.dumps(asked, sort_keys=True).encode())


def _targets(value: Any) -> list[str]:
    if isinstance(value, list):
        return [target for inner in value for target in _targets(inner)]
    if not isinstance(value, dict):
        return []
    own = [str(value["_target_"])] if "_target_" in value else []
    return own + [target for inner in value.values() for target in _targets(inner)]


@cache
def _code() -> list[Any]:
    """What changes when the code that defines identities changes."""
    package = Path(__file__).parent.parent
    files = ((path, path.stat()) for path in sorted(package.rglob("*.py")))
    return [
        version("torch"),
        version("pytorch-lightning"),
        *((str(p), found.st_size, found.st_mtime_ns) for p, found in files),
    ]
