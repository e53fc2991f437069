"""Training steps on torch's fake tensors of a GPU, which know shapes and devices, and no values.

torch's own rules say here which tensors may meet, and whatever reads a value is an error. What has
to read one (perplexities, samples, checkpoints) runs on the pretended GPU of fake_cuda.py, where
the training steps also compute what they compute on a CPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_fake_cuda import ALL_OF_4, CELLS, OPTIMIZERS, SCHEMES, V, optimizer_of, train_on
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensorDeviceMismatchError,
)

import charrnn
from charrnn.backbone.acceleration import eager_only
from charrnn.datamodule.batches import Batch

SOURCE = Path(__file__).with_name("fake_device.cpp")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or torch.version.cuda is not None or shutil.which("c++") is None,
    reason="the pretended device is for a torch without CUDA, on Linux, and needs a C++ compiler",
)


@pytest.fixture(scope="module")
def pretend_cuda(tmp_path_factory):
    """Switches the pretended device on and off."""
    library, torchs = tmp_path_factory.mktemp("device") / "device.so", Path(torch.__file__).parent
    parts = [f"-I{torchs}/include", str(SOURCE), f"-L{torchs}/lib", "-lc10", "-ltorch_cpu"]
    subprocess.run(["c++", "-std=c++20", "-fPIC", "-shared", *parts, "-o", library], check=True)
    switch = ctypes.CDLL(str(library)).pretend_cuda
    switch.argtypes, switch.restype = [ctypes.c_bool], None
    return switch


@pytest.fixture(autouse=True)
def on_fake_tensors(pretend_cuda, monkeypatch):
    # Fake tensors cannot be pinned, which would only make copies faster.
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    # The CPU's tensors have no values here either, but start=passed draws such a number.
    monkeypatch.setattr(torch, "randint", lambda *_: 1)
    # The first backward pass of a process starts a thread for each device; here there is none yet.
    torch.ones((), requires_grad=True).backward()
    with contextlib.ExitStack() as entered:
        pretend_cuda(True)
        entered.callback(pretend_cuda, False)
        entered.enter_context(torch.autograd.set_multithreading_enabled(False))
        entered.enter_context(FakeTensorMode())
        entered.enter_context(eager_only())
        yield


def train_two_batches(make, cell, layers=1, optimizer="adam"):
    """Two steps of training on cuda:0. The second carries what the first has reached."""
    with torch.device("cuda"):
        backbone = cell(V, layers, hidden_size=4, dense_size=3)
    scheme = make(backbone, optimizer_of(optimizer), 2, 3)
    made, learns = scheme.configure_optimizers(), set()
    for number in range(2):
        tokens_TB = torch.zeros(4, 3, dtype=torch.int64, device="cuda")
        train_on(Batch(tokens_TB[:-1], tokens_TB[1:], number), scheme, made, number)
        given = {name: p.grad for name, p in backbone.named_parameters() if p.grad is not None}
        assert all(gradient.is_cuda for gradient in given.values())
        learns.update(given)
    assert learns == {name for name, p in backbone.named_parameters() if p.requires_grad}
    states = [*scheme.carried, *scheme.reached]
    assert all(part.is_cuda for layer in states for part in layer)
    return scheme


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains(cell):
    scheme = train_two_batches(ALL_OF_4, CELLS[cell], layers=2)
    assert len(scheme.carried) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_trains(scheme):
    train_two_batches(SCHEMES[scheme], charrnn.Backbone)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains(optimizer):
    train_two_batches(charrnn.Scheme1, charrnn.Backbone, optimizer=optimizer)


def test_what_a_gpu_would_refuse_or_wait_for_is_an_error():
    here = torch.ones(2, 3, device="cuda", requires_grad=True)
    with pytest.raises(FakeTensorDeviceMismatchError):
        here + torch.ones(3)
    with pytest.raises(DataDependentOutputException):
        here.sum().item()


def test_a_state_left_on_the_cpu_is_noticed():
    with torch.device("cuda"):
        backbone = charrnn.Backbone(V, hidden_size=4, dense_size=3)
    tokens_TB = torch.zeros(4, 3, dtype=torch.int64, device="cuda")
    state = [tuple(torch.zeros(3, 4) for _ in layer) for layer in backbone.initial_state(3)]
    with pytest.raises(RuntimeError, match="cpu"):
        backbone.recur(tokens_TB, state)
