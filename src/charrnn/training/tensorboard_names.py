"""Where a run's TensorBoard events are written: a folder per reading, under a readable name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from charrnn.runs.folder import EVENTS
from charrnn.runs.identity import Identity, shortened_to, variant
from charrnn.training.build import scheme_class, scheme_names

LONGEST = 200
"""Bytes of a name, at most; file systems allow 255."""


def event_folders(
    cfg: DictConfig, identity: Identity, run: str, procedures: Sequence[str]
) -> dict[str, Path]:
    """The folder of a run's events for each sampling procedure.

    Args:
        cfg: the run's configuration.
        identity: what the run is.
        run: its name, which ends with the digest of its identity.
        procedures: `windowed`, `progressive` or both.
    """
    digest = run.rpartition("_")[2]
    names = {p: f"{readable_name(cfg, identity, p)} {digest}" for p in procedures}
    return {procedure: Path(cfg.output_dir) / EVENTS / name for procedure, name in names.items()}


def readable_name(cfg: DictConfig, identity: Identity, procedure: str) -> str:
    """A run as read by one sampling procedure: corpus, scheme, sizes, and departures.

    Args:
        cfg: the run's configuration.
        identity: what the run is.
        procedure: `windowed` or `progressive`.
    """
    # TensorBoard keeps its selection of runs by btoa, which fails beyond these 256 characters.
    corpus = "".join(c if c < "\u0100" else f"U+{ord(c):04X}" for c in identity["corpus"]["name"])
    schemes = scheme_names(cfg, procedure)
    training = f"{scheme_class(cfg).training_procedure} {procedure}"
    words = [
        shortened_to(LONGEST // 2, corpus).replace("/", "-"),
        f"scheme {'+'.join(schemes)}" if schemes else training,
        f"k1={cfg.k1}",
        f"k2={cfg.k2}",
        f"r={cfg.backbone.num_layers}",
        f"gamma={cfg.backbone.hidden_size}",
        f"seed={cfg.seed}",
        *variant(identity, dict(cfg.scale)),
    ]
    return shortened_to(LONGEST, " ".join(words))
