"""CUDA graphs of functions that leave their backward pass to autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.backbone import cuda_graphs
from charrnn.backbone.cuda_graphs import replay, tensors_of
from charrnn.backbone.precision import without_autocast


def replay_with_gradients(
    function: Callable[..., Any], *arguments: Any, **in_place: Tensor | None
) -> Any:
    """`charrnn.backbone.cuda_graphs.replay` of a function whose gradients are autograd's.

    The backward pass is a graph, too. It computes the function once more, so that nothing but the
    arguments is kept for it, and without autocast. On a GPU the result can be differentiated once;
    a second time is an error. Where there are no graphs, this is an ordinary call.

    Args:
        function: as for `replay`, and the same object each time: not one that is made for the call.
        *arguments: tensors, None and hashable values.
        **in_place: tensors that the backward pass changes.

    Returns:
        What the function returns: a tensor, or a tuple of them.
    """
    if not cuda_graphs.uses_graphs(arguments):
        return function(*arguments, **in_place)
    if torch.is_grad_enabled():
        return _WithGradients.apply(function, in_place, *arguments)
    return replay(function, *arguments, **in_place)


class _WithGradients(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, function: Callable[..., Any], in_place: dict[str, Tensor | None], *arguments: Any
    ) -> Any:
        ctx.set_materialize_grads(False)
        ctx.function, ctx.in_place = function, in_place
        ctx.save_for_backward(*(x if isinstance(x, Tensor) else None for x in arguments))
        ctx.others = [None if isinstance(x, Tensor) else x for x in arguments]
        return replay(function, *arguments, **in_place)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        pairs = zip(ctx.saved_tensors, ctx.others, strict=True)
        arguments = [other if tensor is None else tensor for tensor, other in pairs]
        needed = ctx.needs_input_grad[2:]
        with without_autocast(next(tensors_of(arguments))):
            given = ctx.function, needed, gradients, *arguments
            return None, None, *replay(_gradients, *given, **ctx.in_place)


def _gradients(
    function: Callable[..., Any],
    needed: tuple[bool, ...],
    gradients: tuple[Tensor | None, ...],
    *arguments: Any,
    **in_place: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """The gradients of the arguments that need one, given those of the function's results."""
    with torch.enable_grad():
        own = [
            argument.detach().requires_grad_() if is_needed else argument
            for argument, is_needed in zip(arguments, needed, strict=True)
        ]
        results = tuple(tensors_of((function(*own, **in_place),)))
    known = [n for n, gradient in enumerate(gradients) if gradient is not None]
    found = torch.autograd.grad(
        [results[n] for n in known],
        [argument for argument, is_needed in zip(own, needed, strict=True) if is_needed],
        [gradients[n] for n in known],
        allow_unused=True,
    )
    each = iter(found)
    return tuple(next(each) if is_needed else None for is_needed in needed)
