"""CUDA graphs without a GPU: a recording keeps torch's operations, and a replay calls them again.

As on a GPU, a replay reads and writes the memory of the recording, and runs none of the Python code
that led to the operations; and nothing can be recorded that has to know a tensor's values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from fake_cuda import READ, mapped
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from charrnn.backbone import compiled, cuda_graphs

CLEAR = "_cuda_clearCublasWorkspaces"
"""A function of torch._C that builds for CPUs don't have."""


class FakeGraph:
    """In place of torch.cuda.CUDAGraph."""

    replays = 0

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def replay(self) -> None:
        """Call every operation once more."""
        FakeGraph.replays += 1
        with torch.no_grad():
            for func, args, kwargs, before in self.calls:
                # Of what was written in place, or is a view, this copies a tensor to itself.
                for memory, tensor in zip(before, tensors(func(*args, **kwargs)), strict=True):
                    memory.copy_(tensor)


class FakeRecording(TorchDispatchMode):
    """In place of torch.cuda.graph."""

    def __init__(self, graph: FakeGraph, stream: None, capture_error_mode: str) -> None:
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READ:
            raise RuntimeError(f"{func} cannot be recorded")
        made = func(*args, **(kwargs or {}))
        self.graph.calls.append((func, args, kwargs or {}, [*tensors(made)]))
        return made


def tensors(x: Any) -> Iterator[Tensor]:
    """All tensors of an operation's result."""
    found: list[Tensor] = []
    mapped(lambda each: found.append(each) if isinstance(each, Tensor) else None, x)
    yield from found


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let layers on a CPU compute as on a GPU without Triton."""
    monkeypatch.setattr(cuda_graphs, "_recorded", {})
    monkeypatch.setattr(cuda_graphs, "_stream", lambda _: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch._C, CLEAR, lambda: None, raising=False)
    monkeypatch.setattr(cuda_graphs, "uses_graphs", lambda _: not cuda_graphs.is_eager_only())
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", FakeRecording)
    # What a recording computes is thrown away, but these must be tokens.
    monkeypatch.setattr(torch, "empty_like", torch.zeros_like)
    monkeypatch.setattr(FakeGraph, "replays", 0)
