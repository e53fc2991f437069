"""Initial weights from a file: arrays from elsewhere, or what a finished run has learned."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from torch import Tensor

from charrnn.backbone.initial_weights import load_arrays
from charrnn.backbone.network import Network
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import BadInput, reason, require
from charrnn.files import open_file
from charrnn.runs.files import WEIGHTS
from charrnn.runs.folder import RunFolder


def load_given(backbone: Network, path: str, vocabulary: Vocabulary | None = None) -> None:
    """Set a network's weights to those of a file.

    Args:
        backbone: the network to change.
        path: an .npz file, see charrnn.backbone.initial_weights.load_arrays, or the weights.pt of a
            finished run.
        vocabulary: the tokens that the network will be trained on. Those of the run have to be the
            same ones; None does not compare them.

    Raises:
        BadInput: if it is no such file, or does not fit.
        DamagedRun: if the run's files are not what they were when it was finished.
    """
    file = Path(path).expanduser()
    if file.name == WEIGHTS:
        _load_from_run(backbone, RunFolder(file.parent), vocabulary)
    else:
        load_arrays(backbone, _arrays(file))


def _load_from_run(backbone: Network, run: RunFolder, vocabulary: Vocabulary | None) -> None:
    name = run.path.name
    wanted = f"the {WEIGHTS} of a finished run"
    require(run.is_finished, "initial_weights", run.path / WEIGHTS, wanted)
    if vocabulary is not None:
        same = run.read_vocabulary() == vocabulary
        require(same, "initial_weights", name, "a run with the tokens of this corpus")
    kept, own = run.read_weights(), backbone.state_dict()
    unlike = [n for n in own.keys() | kept.keys() if _shape(own, n) != _shape(kept, n)]
    why = f"a run with this network: they differ in {', '.join(sorted(unlike))}"
    require(not unlike, "initial_weights", name, why)
    for parameter_name, parameter in own.items():
        parameter.copy_(kept[parameter_name])


def _shape(weights: dict[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with open_file(file) as opened, np.load(opened, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        why = f" ({reason(error)})" if isinstance(error, OSError) else ""
        what = f"a readable .npz file, or the {WEIGHTS} of a finished run{why}"
        raise BadInput("initial_weights", file, what) from error
