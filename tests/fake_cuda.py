"""A pretended GPU: its tensors say that they are on cuda:0, and have values, which a CPU computes.

Like a GPU's, they refuse to be computed with together with tensors that are elsewhere, and it is
noted where a program waits for the GPU.

torch's own fake tensors cannot take its place: they have no values, so that nothing can run that
draws or reads a number. What can run on them does so in test_fake_tensors.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

import charrnn

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
PACKAGE = str(Path(charrnn.__file__).parent)

aten = torch.ops.aten
READ = {
    aten._local_scalar_dense.default,
    aten._unique2.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.masked_select.default,
    aten.nonzero.default,
}
"""Operations whose result, or the shape of it, the CPU has to know before it goes on."""
INDEX = {aten.index.Tensor, aten.index_put_.default}
"""The same if they are given a mask."""


class OnCuda(Tensor):
    """A tensor on the pretended GPU."""

    on_cpu: Tensor
    device = property(lambda _: CUDA)
    is_cuda = property(lambda _: True)
    is_cpu = property(lambda _: False)
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, on_cpu: Tensor) -> OnCuda:
        # A view of a tensor that was made outside of inference mode is none of inference mode's.
        with torch.inference_mode(on_cpu.is_inference()):
            made = Tensor._make_wrapper_subclass(
                cls,
                on_cpu.shape,
                strides=on_cpu.stride(),
                storage_offset=on_cpu.storage_offset(),
                dtype=on_cpu.dtype,
            )
        made.on_cpu = on_cpu
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Checkpoints are read with map_location="cpu".
        return self.on_cpu.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        here: dict[int, OnCuda] = {}
        elsewhere: list[Tensor] = []

        def unwrap(x: Any) -> Any:
            if isinstance(x, OnCuda):
                here[id(x.on_cpu)] = x
                return x.on_cpu
            if isinstance(x, Tensor):
                elsewhere.append(x)
            elif isinstance(x, torch.Generator):
                raise RuntimeError(f"{func} draws on cuda:0 with a generator of the CPU")
            return x

        def wrap(x: Any) -> Any:
            if not isinstance(x, Tensor):
                return x
            return here[id(x)] if id(x) in here else OnCuda(x)

        inner = mapped(unwrap, args), mapped(unwrap, kwargs or {})
        if func is aten.copy_.default and elsewhere:
            FakeCuda.note("copies")
        elif any(each.ndim for each in elsewhere):
            raise RuntimeError(f"{func} of tensors on cuda:0 and on the CPU")
        masked = func in INDEX and any(x is not None and x.dtype == torch.bool for x in args[1])
        if func in READ or masked:
            FakeCuda.note("reads")
        return mapped(wrap, func(*inner[0], **inner[1]))


class FakeCuda(TorchFunctionMode):
    """A context in which there is a GPU.

    Attributes:
        waits: where the CPU has waited for it: the function of the package, and what it did.
    """

    now: FakeCuda

    def __enter__(self) -> FakeCuda:
        self.waits: list[str] = []
        self.pinned: set[Tensor] = set()
        FakeCuda.now = self
        # `Module.to` makes new parameters then: those that there are cannot change their class.
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        super().__exit__(*exception)

    @classmethod
    def note(cls, what: str) -> None:
        """Keep where the CPU waits."""
        frame = sys._getframe()
        while frame.f_back and not frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        cls.now.waits.append(f"{frame.f_code.co_qualname} {what}")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.to:
            return self._to(*args, **kwargs)
        if func is Tensor.cpu:
            return self._moved(args[0], CPU)
        if func is Tensor.tolist:
            return self._moved(args[0].detach(), CPU).tolist()
        if func is Tensor.pin_memory:
            pinned = args[0].clone()
            self.pinned.add(pinned)
            return pinned
        device = kwargs.get("device")
        if device is None or torch.device(device).type != "cuda":
            return func(*args, **kwargs)
        if kwargs.get("generator") is not None:
            raise RuntimeError(f"{func} draws on cuda:0 with a generator of the CPU")
        made = func(*args, **{**kwargs, "device": CPU})
        # The other functions that make a tensor make it there.
        return self._moved(made, CUDA) if func in (torch.tensor, torch.as_tensor) else OnCuda(made)

    def _to(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Tensor.to, with its three signatures."""
        if args and isinstance(args[0], Tensor):
            device, dtype, non_blocking = args[0].device, args[0].dtype, False
        else:
            device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        if dtype is not None:
            tensor = tensor.to(dtype)
        return self._moved(tensor, device or tensor.device, non_blocking)

    def _moved(self, tensor: Tensor, device: torch.device, non_blocking: bool = False) -> Tensor:
        if tensor.device == device:
            return tensor
        assert not (tensor.requires_grad and torch.is_grad_enabled()), "copies have no gradient"
        if not (non_blocking and tensor in self.pinned):
            FakeCuda.note("copies")
        return OnCuda(tensor.detach().clone()) if device == CUDA else tensor.on_cpu.clone()


def mapped(change: Callable[[Any], Any], x: Any) -> Any:
    """Arguments or results, with every leaf changed; quicker than torch's own tree_map."""
    if isinstance(x, tuple | list):
        return type(x)([mapped(change, each) for each in x])
    if isinstance(x, dict):
        return {name: mapped(change, each) for name, each in x.items()}
    return change(x)
