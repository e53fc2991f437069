"""The floor of every loop: its matrix products and nothing else, in the same shapes.

The products that count are the unavoidable ones: with the recurrent weights at every step, with the
input weights of all layers but the first, and in the dense layers. The first layer's input is
one-hot, so it needs a look-up and no product. Nothing is added, activated, copied or drawn between
the products, and their results go to preallocated memory. B sequences or rows, T steps, H hidden
units, G gate
units (4H in an LSTM), D dense units, V tokens.

On a GPU the products are recorded once as a CUDA graph, which is then replayed: otherwise the time
in which Python launches them would be measured, and not the products.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec

import torch
from torch import Tensor

from charrnn.backbone.dense_fused import rows_at_a_time
from charrnn.benchmark.case import Case
from charrnn.evaluation.perplexity import STEPS

Products = Callable[[], None]
P = ParamSpec("P")


class _Recorded:
    """Products on a GPU as a CUDA graph."""

    def __init__(self, products: Products) -> None:
        self.products = products  # their memory, which the graph does not keep
        products()  # loads what cannot be loaded while a graph is recorded
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            products()

    def __call__(self) -> None:
        self.graph.replay()


def _recorded_on_a_gpu(
    floor: Callable[Concatenate[Case, P], Products],
) -> Callable[Concatenate[Case, P], Products]:
    @functools.wraps(floor)
    def of(case: Case, /, *args: P.args, **kwargs: P.kwargs) -> Products:
        products = floor(case, *args, **kwargs)
        return products if case.device == "cpu" else _Recorded(products)

    return of


class _Weights:
    """Random weights of the case's sizes."""

    def __init__(self, case: Case) -> None:
        H, D, V = case.hidden_size, case.dense_size, case.vocabulary
        randn = functools.partial(torch.randn, device=case.device)
        self.hid = [randn(H, case.gates * H) for _ in range(case.num_layers)]
        self.inputs = [randn(H, case.gates * H) for _ in range(case.num_layers - 1)]
        self.dense, self.output = randn(H, D), randn(D, V)

    def all(self) -> list[Tensor]:
        return [*self.hid, *self.inputs, self.dense, self.output]


class _Forward:
    """The forward products of T steps of B rows, with dense layers for ``scored`` rows."""

    def __init__(self, case: Case, weights: _Weights, T: int, B: int, scored: int) -> None:
        H, G = case.hidden_size, case.gates * case.hidden_size
        self.weights = weights
        self.hidden_TBH = torch.randn(T, B, H, device=case.device)
        self.gates_TBG = torch.empty(T, B, G, device=case.device)
        self.dense_ND = torch.empty(scored, case.dense_size, device=case.device)
        self.logits_NV = torch.empty(scored, case.vocabulary, device=case.device)
        self.scored_NH = torch.randn(scored, H, device=case.device)

    def recur(self) -> None:
        """One product with the recurrent weights per step, and one of the input for all steps."""
        for layer, W_hid_HG in enumerate(self.weights.hid):
            if layer > 0:
                inputs = self.hidden_TBH.flatten(0, 1), self.weights.inputs[layer - 1]
                torch.mm(*inputs, out=self.gates_TBG.flatten(0, 1))
            for h_BH, z_BG in zip(self.hidden_TBH, self.gates_TBG, strict=True):
                torch.mm(h_BH, W_hid_HG, out=z_BG)

    def readout(self) -> None:
        """The two dense layers."""
        for h_NH, dense_ND, logits_NV in self.parts(self.scored_NH, self.dense_ND, self.logits_NV):
            torch.mm(h_NH, self.weights.dense, out=dense_ND)
            torch.mm(dense_ND, self.weights.output, out=logits_NV)

    def parts(self, *tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
        """The rows that the network's dense layers take at a time, of each tensor."""
        rows, dense_size = self.dense_ND.shape
        most = rows_at_a_time(dense_size, self.dense_ND)
        if rows <= most or self.dense_ND.device.type != "cpu":
            return [tensors]
        return zip(*(tensor.split(most) for tensor in tensors), strict=True)

    def __call__(self) -> None:
        self.recur()
        self.readout()


@_recorded_on_a_gpu
def train_step(case: Case) -> Products:
    """Forward and backward of multi-loss training.

    Every layer: at every step (B, H) x (H, G) and (B, G) x (G, H), and once (H, TB) x (TB, G) for
    the recurrent weights' gradient. Layers above the first: once (TB, H) x (H, G) for their input,
    and (TB, G) x (G, H) and (H, TB) x (TB, G) for its gradients. Dense layers: (TB, H) x (H, D) and
    (TB, D) x (D, V), and for each of these the two products of its gradients; a part of the TB rows
    at a time where the network does so, see charrnn.backbone.dense_fused.
    """
    T, B = case.k2, case.batch
    weights = _Weights(case)
    forward = _Forward(case, weights, T, B, T * B)
    hidden_NH, gates_NG = forward.hidden_TBH.flatten(0, 1), forward.gates_TBG.flatten(0, 1)
    dh_BH, dhidden_NH = torch.empty_like(forward.hidden_TBH[0]), torch.empty_like(hidden_NH)
    ddense_ND = torch.empty_like(forward.dense_ND)  # of a part at a time, if there are several
    dW_HG = torch.empty_like(weights.hid[0])
    dW_HD, dW_DV = torch.empty_like(weights.dense), torch.empty_like(weights.output)

    def products() -> None:
        forward.recur()
        forward.readout()
        scored = forward.scored_NH, forward.dense_ND, forward.logits_NV, dhidden_NH
        for h_NH, dense_ND, logits_NV, dh_NH in forward.parts(*scored):
            ddense = ddense_ND[: len(h_NH)]
            torch.mm(dense_ND.t(), logits_NV, out=dW_DV)
            torch.mm(logits_NV, weights.output.t(), out=ddense)
            torch.mm(h_NH.t(), ddense, out=dW_HD)
            torch.mm(ddense, weights.dense.t(), out=dh_NH)
        for layer, W_hid_HG in enumerate(weights.hid):
            for dz_BG in forward.gates_TBG:
                torch.mm(dz_BG, W_hid_HG.t(), out=dh_BH)
            torch.mm(hidden_NH.t(), gates_NG, out=dW_HG)
            if layer > 0:
                torch.mm(gates_NG, weights.inputs[layer - 1].t(), out=dhidden_NH)
                torch.mm(hidden_NH.t(), gates_NG, out=dW_HG)

    return products


@_recorded_on_a_gpu
def eval_windowed(case: Case, windows: int) -> Products:
    """k2 steps of ``windows`` rows, with the dense layers at the last step."""
    weights = _Weights(case)
    lengths = [len(steps) for steps in torch.arange(case.k2).split(STEPS)]
    parts = {T: _Forward(case, weights, T, windows, windows) for T in set(lengths)}

    def products() -> None:
        for length in lengths:
            parts[length].recur()
        parts[lengths[-1]].readout()

    return products


@_recorded_on_a_gpu
def eval_progressive(case: Case, steps: int) -> Products:
    """One row and ``steps`` steps, with the dense layers for all steps in one product."""
    return _Forward(case, _Weights(case), steps, 1, steps)


@_recorded_on_a_gpu
def sampling_windowed(case: Case) -> Products:
    """A token of Algorithm 4 taken literally: one row, k2 steps, dense layers at the last."""
    return _Forward(case, _Weights(case), case.k2, 1, 1)


@_recorded_on_a_gpu
def sampling_rolling(case: Case) -> Products:
    """A token with k2 open windows: k2 rows, one step, the dense layers for the oldest."""
    return _Forward(case, _Weights(case), 1, case.k2, 1)


@_recorded_on_a_gpu
def sampling_progressive(case: Case) -> Products:
    """A token of Algorithm 5: one row, one step."""
    return _Forward(case, _Weights(case), 1, 1, 1)


@_recorded_on_a_gpu
def read_weights(case: Case) -> Products:
    """No products: reads all their weights once, as fast as memory allows."""
    weights = _Weights(case).all()

    def read() -> None:
        for weight in weights:
            weight.sum()

    return read
