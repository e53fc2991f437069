"""Small models and texts that several tests need."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytorch_lightning as pl
import torch
from reference import Parameters

from charrnn.backbone.initial_weights import load_arrays
from charrnn.backbone.network import Backbone
from charrnn.datamodule.module import CharDataModule
from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder
from charrnn.seals import sealed, unsealed


def put(folder: RunFolder, name: str, content: bytes) -> None:
    """Put a file in another's place and seal it, as in a folder that somebody else has made."""
    (folder.path / name).write_bytes(content)
    mark = unsealed((folder.path / "finished.json").read_bytes(), ())
    mark["sha256"][name] = hashlib.sha256(content).hexdigest()
    (folder.path / "finished.json").write_text(json.dumps(sealed(mark)))


def shapes(
    vocabulary: int, layers: int, hidden: int, dense: int | None, peepholes: str
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all parameters, as `load_arrays` documents them."""
    named: dict[str, tuple[int, ...]] = {}
    for n in range(layers):
        named |= {
            f"lstm{n}.W_in": (vocabulary if n == 0 else hidden, 4 * hidden),
            f"lstm{n}.W_hid": (hidden, 4 * hidden),
            f"lstm{n}.b": (4 * hidden,),
            f"lstm{n}.h0": (hidden,),
            f"lstm{n}.c0": (hidden,),
        }
        if peepholes != "none":
            named[f"lstm{n}.W_peep"] = (3, hidden)
    if dense is not None:
        named |= {"dense.W": (hidden, dense), "dense.b": (dense,)}
    return named | {"output.W": (dense or hidden, vocabulary), "output.b": (vocabulary,)}


def random_arrays(seed: int = 0, scale: float = 0.5, **architecture) -> dict[str, np.ndarray]:
    """Random values for all parameters, initial states and biases included."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, scale, shape) for name, shape in shapes(**architecture).items()}


def model_and_parameters(
    vocabulary=7,
    layers=1,
    hidden=5,
    dense: int | None = 6,
    peepholes="lasagne",
    grad_clip=None,
    seed=0,
) -> tuple[Backbone, Parameters]:
    """A backbone in double precision, and the same parameters for the reference."""
    arrays = random_arrays(
        seed, vocabulary=vocabulary, layers=layers, hidden=hidden, dense=dense, peepholes=peepholes
    )
    backbone = Backbone(vocabulary, layers, hidden, dense, peepholes, grad_clip=grad_clip).double()
    load_arrays(backbone, arrays)
    return backbone, {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}


def gradients(backbone: Backbone) -> dict[str, torch.Tensor]:
    """The gradient of every parameter, under the names and orientation of `load_arrays`."""
    named = {}
    for n, layer in enumerate(backbone.layers):
        named |= {
            f"lstm{n}.W_in": layer.W_in_IG.grad,
            f"lstm{n}.W_hid": layer.W_hid_HG.grad,
            f"lstm{n}.b": layer.bias_G.grad,
            f"lstm{n}.h0": layer.h0_H.grad,
            f"lstm{n}.c0": layer.c0_H.grad,
        }
        if layer.W_peep_3H is not None:
            named[f"lstm{n}.W_peep"] = layer.W_peep_3H.grad
    if backbone.dense is not None:
        named |= {"dense.W": backbone.dense.weight.grad.t(), "dense.b": backbone.dense.bias.grad}
    named |= {"output.W": backbone.output.weight.grad.t(), "output.b": backbone.output.bias.grad}
    return named


def fit(scheme: pl.LightningModule, datamodule: CharDataModule, batches: int) -> None:
    """Train on the CPU for a number of batches, silently."""
    plain_trainer(max_steps=batches, max_epochs=-1, limit_val_batches=0).fit(
        scheme, datamodule=datamodule
    )


def plain_trainer(**settings) -> pl.Trainer:
    """Lightning's Trainer as a user has it, on the CPU and silent."""
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return pl.Trainer(**{"accelerator": "cpu", **dict.fromkeys(quiet, False), **settings})


def evaluation(batches: int, procedure: str, perplexity: float, **more: float) -> Evaluation:
    """A row of a run's table; 2 s of training per batch."""
    row = {
        "train_sequences": 64 * batches,
        "epoch": 0,
        "train_seconds": 2.0 * batches,
        "train_cpu_seconds": 2.0 * batches,
        "train_loss": 1.0,
        "standard_error": 0.01,
        "tokens_scored": 200,
    }
    return Evaluation(batches=batches, procedure=procedure, perplexity=perplexity, **row | more)


def cells_of(line: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip() for cell in line.split("|")[1:-1]]
