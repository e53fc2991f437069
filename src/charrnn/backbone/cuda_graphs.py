"""Functions of tensors as CUDA graphs: all of their kernels are started by a single call.

A recurrent layer starts thousands of small kernels in every batch, and a GPU waits longer for them
than it computes. The shapes of a training batch never change, so that its passes can be recorded
once, and replayed from then on. What is computed, and in which order, stays the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.backbone.acceleration import is_eager_only
from charrnn.backbone.precision import without_autocast

MOST = 32
"""Graphs that are kept; the memory of their inputs and results is kept with them."""


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    changed: list[Tensor]
    result: Any


_recorded: OrderedDict[Hashable, _Recorded | None] = OrderedDict()
"""By function and arguments; None for what was called once, without a graph."""


def replay(function: Callable[..., Any], *arguments: Any, **in_place: Tensor | None) -> Any:
    """Call a function that starts kernels and nothing else; on a GPU, as a graph.

    The first call with arguments of some shapes is an ordinary one, and the second is recorded, so
    that shapes that come once cost nothing. On a CPU, and under
    charrnn.backbone.acceleration.eager_only, every call is an ordinary one.

    Args:
        function: must not look at the values of tensors, and its results must depend on its
            arguments alone.
        *arguments: tensors, lists of tensors, and hashable values.
        **in_place: tensors that the function changes.

    Returns:
        What the function returns: tensors and None, in tuples and lists.
    """
    if not _uses_graphs(arguments):
        return function(*arguments, **in_place)
    tensors, changed = list(_tensors(arguments)), list(_tensors(tuple(in_place.values())))
    precision = torch.get_float32_matmul_precision()
    key = function, precision, _signature(arguments), _signature(tuple(in_place.values()))
    if key not in _recorded:
        _recorded[key] = None
        if len(_recorded) > MOST:
            _recorded.popitem(last=False)
        return function(*arguments, **in_place)
    # Memory that belongs to inference mode could not be written to outside of it.
    with torch.inference_mode(False), torch.no_grad():
        recorded = _recorded[key] or _record(function, arguments, in_place)
        _recorded[key] = recorded
        _recorded.move_to_end(key)
        for memory, tensor in zip(recorded.inputs, [*tensors, *changed], strict=True):
            memory.copy_(tensor)
        recorded.graph.replay()
        for tensor, memory in zip(changed, recorded.changed, strict=True):
            tensor.copy_(memory)
        # The next replay writes to the same memory.
        return _each(torch.clone, recorded.result)


def replay_with_gradients(
    function: Callable[..., Any], *arguments: Any, **in_place: Tensor | None
) -> Any:
    """`replay` of a function whose gradients are autograd's.

    The backward pass is a graph, too. It computes the function once more, so that nothing but the
    arguments is kept for it. Where there are no graphs, this is an ordinary call.

    Args:
        function: as for `replay`.
        *arguments: tensors, None and hashable values.
        **in_place: tensors that the backward pass changes.

    Returns:
        What the function returns: a tensor, or a tuple of them.
    """
    if not _uses_graphs(arguments):
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
        with without_autocast(next(_tensors(arguments))):
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
        results = tuple(_tensors((function(*own, **in_place),)))
    known = [n for n, gradient in enumerate(gradients) if gradient is not None]
    found = torch.autograd.grad(
        [results[n] for n in known],
        [argument for argument, is_needed in zip(own, needed, strict=True) if is_needed],
        [gradients[n] for n in known],
        allow_unused=True,
    )
    each = iter(found)
    return tuple(next(each) if is_needed else None for is_needed in needed)


def _uses_graphs(arguments: tuple[Any, ...]) -> bool:
    on_gpu = all(tensor.is_cuda for tensor in _tensors(arguments))
    return on_gpu and not is_eager_only() and not _is_recording()


def _record(
    function: Callable[..., Any], arguments: tuple[Any, ...], in_place: dict[str, Tensor | None]
) -> _Recorded:
    inputs: list[Tensor] = []

    def memory(tensor: Tensor) -> Tensor:
        inputs.append(torch.empty_like(tensor, memory_format=torch.contiguous_format))
        return inputs[-1]

    own = _each(memory, arguments)
    own_in_place = {name: _each(memory, each) for name, each in in_place.items()}
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = function(*own, **own_in_place)
    return _Recorded(graph, inputs, list(_tensors(tuple(own_in_place.values()))), result)


def _is_recording() -> bool:
    """Whether a graph of someone else's is being recorded, which these kernels become part of."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _each(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The value with every tensor in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_each(change, part) for part in value)
    return value


def _signature(value: Any) -> Hashable:
    """What must be the same for a graph to be used again."""
    if isinstance(value, Tensor):
        return value.shape, value.dtype, value.device
    if isinstance(value, tuple | list):
        return tuple(map(_signature, value))
    return value
