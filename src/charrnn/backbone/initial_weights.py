"""Loading initial weights, for instance those of another implementation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.errors import BadInput, require, shortened

SHOWN = 4
"""Names of arrays in a refusal."""


def load_arrays(backbone: Network, arrays: Mapping[str, np.ndarray]) -> None:
    """Set a network's initial weights, for instance to those of another implementation.

    Every matrix has the shape (inputs, outputs), as in ``x @ W``. The gates are side by side along
    the last axis, in the order input, forget, cell candidate, output. Layers are numbered from 0;
    I is |V| in layer 0 and H in the layers above, H is gamma, and D is ``dense_size``:

    ==================  ==========  ==========================================================
    name                shape
    ==================  ==========  ==========================================================
    ``lstm0.W_in``      (I, 4H)     from the input to the gates
    ``lstm0.W_hid``     (H, 4H)     from the previous hidden state to the gates
    ``lstm0.b``         (4H,)       biases of the gates
    ``lstm0.W_peep``    (3, H)      peepholes of input, forget, output gate; absent for ``none``
    ``lstm0.h0``        (H,)        initial hidden state
    ``lstm0.c0``        (H,)        initial cell state
    ``dense.W``         (H, D)      absent, like ``dense.b``, when ``dense_size`` is null
    ``dense.b``         (D,)
    ``output.W``        (D, |V|)    (H, |V|) when ``dense_size`` is null
    ``output.b``        (|V|,)
    ==================  ==========  ==========================================================

    Other recurrent cells have names of their own: ``gru0.W_in``. They and the shapes are those of
    the layer's parameters without the shapes at their ends, so that `W_in_IG` is ``W_in``.

    Lasagne has one matrix per gate: ``W_in = np.concatenate([W_in_to_ingate, W_in_to_forgetgate,
    W_in_to_cell, W_in_to_outgate], axis=1)``, and ``W_peep = np.stack([W_cell_to_ingate,
    W_cell_to_forgetgate, W_cell_to_outgate])``.

    Where a scheme starts from zero, such as scheme 4, it does not use ``h0`` and ``c0``; the file
    has them all the same, so that one file fits all schemes.

    Args:
        backbone: the network to change.
        arrays: the weights by name.

    Raises:
        BadInput: if a name is missing or unknown, or a shape or value cannot be used. In that case
            no weight has been changed.
    """
    targets = _named_parameters(backbone)
    unknown, missing = sorted(arrays.keys() - targets), sorted(targets.keys() - arrays.keys())
    if unknown or missing:
        problem = [f"unknown {shortened(unknown, SHOWN)}"] * bool(unknown)
        problem += [f"missing {shortened(missing, SHOWN)}"] * bool(missing)
        wanted = (
            "an .npz file with an array for each parameter of the network, named as in "
            "charrnn.backbone.initial_weights.load_arrays"
        )
        raise BadInput("initial_weights", "; ".join(problem), wanted)
    for name, parameter in targets.items():
        shape, found = tuple(parameter.shape), arrays[name].shape
        require(
            found == shape,
            f"initial_weights[{name}]",
            f"array of shape {found}",
            f"of shape {shape}",
        )
        require(
            bool(np.isfinite(arrays[name]).all()),
            f"initial_weights[{name}]",
            "array with NaN or infinity",
            "finite",
        )
    with torch.no_grad():
        for name, parameter in targets.items():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(arrays[name])))


def _named_parameters(backbone: Network) -> dict[str, Tensor]:
    """The parameters, with the names and shapes of load_arrays."""
    named: dict[str, Tensor] = {}
    for n, layer in enumerate(backbone.recurrent_layers()):
        named |= {f"{layer.name}{n}.{name}": each for name, each in layer.arrays().items()}
    for name, linear in (("dense", backbone.dense), ("output", backbone.output)):
        if linear is not None:
            named |= {f"{name}.W": linear.weight.t(), f"{name}.b": linear.bias}
    return named
