"""Functions of tensors as CUDA graphs: all of their kernels are started by a single call.

A recurrent layer starts thousands of small kernels in every batch, and a GPU waits longer for them
than it computes. The shapes of a training batch never change, so that its passes can be recorded
once, and replayed from then on. What is computed, and in which order, stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from charrnn.backbone.acceleration import is_eager_only

MOST = 32
"""Graphs that are kept; the memory of their inputs and results is kept with them. One more, and all
are forgotten. Forgetting one would not do: torch would free the memory that cuBLAS uses in all that
were recorded on the same stream, and the next replay would read what is no longer there
(https://github.com/pytorch/pytorch/issues/193402).
"""


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    changed: list[Tensor]
    result: Any


_recorded: dict[Hashable, _Recorded | None] = {}
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
    if not uses_graphs(arguments):
        return function(*arguments, **in_place)
    tensors, changed = list(tensors_of(arguments)), list(tensors_of(tuple(in_place.values())))
    precision = torch.get_float32_matmul_precision()
    key = function, precision, _signature(arguments), _signature(tuple(in_place.values()))
    if key not in _recorded:
        if len(_recorded) == MOST:
            _forget()
        _recorded[key] = None
        # Contiguous as in a graph: other strides can select other kernels, which round differently.
        return function(*_each(Tensor.contiguous, arguments), **in_place)
    # Memory that belongs to inference mode could not be written to outside of it.
    with torch.inference_mode(False), torch.no_grad():
        recorded = _recorded[key] or _record(function, arguments, in_place)
        _recorded[key] = recorded
        for memory, tensor in zip(recorded.inputs, [*tensors, *changed], strict=True):
            memory.copy_(tensor)
        recorded.graph.replay()
        for tensor, memory in zip(changed, recorded.changed, strict=True):
            tensor.copy_(memory)
        # The next replay writes to the same memory.
        return _each(torch.clone, recorded.result)


def _forget() -> None:
    """Drop all graphs, once the GPU has finished the replays that use their memory.

    cuBLAS's workspace is freed as well. It was allocated within a graph that is now dropped; later
    graphs would still use it, and Lightning frees it at the end of a run.
    """
    torch.cuda.synchronize()
    _recorded.clear()
    torch._C._cuda_clearCublasWorkspaces()


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
    stream = _stream(torch.cuda.current_device())
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        result = function(*own, **own_in_place)
    return _Recorded(graph, inputs, list(tensors_of(tuple(own_in_place.values()))), result)


@cache
def _stream(device: int) -> torch.cuda.Stream:
    """The stream that graphs are recorded on. Others', which they may drop, are on another one."""
    return torch.cuda.Stream(device)


def uses_graphs(arguments: tuple[Any, ...]) -> bool:
    """Whether a function of these arguments is replayed."""
    on_gpu = all(tensor.is_cuda for tensor in tensors_of(arguments))
    return on_gpu and not is_eager_only() and not _is_recording()


def _is_recording() -> bool:
    """Whether a graph of someone else's is being recorded, which these kernels become part of."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def tensors_of(value: Any) -> Iterator[Tensor]:
    """All tensors in a value, and in the tuples and lists of it."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_of(part)


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
