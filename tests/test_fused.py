"""The compiled recurrence beside the eager one, and what happens where it cannot be compiled."""

from __future__ import annotations

import logging
import shutil
import sys
from contextlib import ExitStack

import pytest
import torch
from processes import Command
from torch.utils import cpp_extension

from charrnn.backbone import compiled
from charrnn.backbone import lstm_eager as eager
from charrnn.backbone import lstm_fused as fused
from charrnn.backbone.acceleration import eager_only
from charrnn.backbone.lstm_autograd import prepare_cpu, run

needs_compiler = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")


@pytest.fixture
def available():
    assert compiled.is_available()


def layer(inputs, hidden, dtype, seed=0):
    """Weights of a layer, named as in charrnn.backbone.lstm_autograd."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return (values / shape[0] ** 0.5).to(dtype).requires_grad_()

    return draw(inputs, 4 * hidden), draw(4 * hidden), draw(hidden, 4 * hidden), draw(3, hidden)


def states_and_gradients(x, hidden, dtype, grad_clip):
    """States of a layer after all steps, and the gradients of everything that has one."""
    inputs = x.shape[2] if x.is_floating_point() else 7
    weights = layer(inputs, hidden, dtype)
    start = [torch.full((x.shape[1], hidden), v, dtype=dtype, requires_grad=True) for v in (0.3, 1)]
    x = x.to(dtype).requires_grad_() if x.is_floating_point() else x
    h, c = run(x, tuple(start), *weights, "lasagne", grad_clip)
    (h.square().sum() + c[-1].sum()).backward()
    leaves = [*weights, *start] + [x] * x.is_floating_point()
    return [h.detach(), c.detach(), *(leaf.grad for leaf in leaves)]


@needs_compiler
@pytest.mark.parametrize("of_tokens", [True, False])
@pytest.mark.parametrize("grad_clip", [None, 0.5])
def test_both_paths_agree_where_units_and_steps_come_in_several_pieces(
    available, of_tokens, grad_clip
):
    # 270 units are two blocks, the second not full; 16 steps of 64 sequences are three chunks.
    T, B, H = 16, 64, 270
    x = torch.randint(7, (T, B)) if of_tokens else torch.randn(T, B, 3)
    found = states_and_gradients(x, H, torch.float64, grad_clip)
    with eager_only():
        expected = states_and_gradients(x, H, torch.float64, grad_clip)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@needs_compiler
def test_single_precision_is_as_close_to_double_as_the_eager_path_is(available):
    x = torch.randint(7, (30, 8))
    exact = states_and_gradients(x, 33, torch.float64, None)
    found = states_and_gradients(x, 33, torch.float32, None)
    with eager_only():
        other = states_and_gradients(x, 33, torch.float32, None)
    for e, f, o in zip(exact, found, other, strict=True):
        error, usual = (f - e).abs().max(), (o - e).abs().max()
        assert error <= 4 * usual + 1e-6 * e.abs().max()


@needs_compiler
@pytest.mark.parametrize(("dtype", "ulp"), [(torch.float32, 6e-8), (torch.float64, 1.2e-16)])
def test_sigmoid_and_tanh_are_right_to_the_last_digits(available, dtype, ulp):
    """One unit without peepholes, whose gates are seen as they are kept for the backward pass."""
    z = torch.cat([torch.linspace(-30, 30, 4001), torch.logspace(-30, 1, 400), torch.zeros(1)])
    table = torch.cat([z, -z]).to(dtype)[:, None].expand(-1, 4).contiguous()
    zero = torch.zeros(1, 4, dtype=dtype)
    start = torch.zeros(len(table), 1, dtype=dtype)
    tokens = torch.arange(len(table))[None]
    _, _, gates = fused.forward(tokens, start, start, table, zero[0], zero, None, "none", True)
    exact = table[:, 0].to(torch.float64)
    sigmoid, tanh = 1 / (1 + (-exact).exp()), exact.tanh()
    for gate, expected in zip(gates, (sigmoid, sigmoid, tanh, sigmoid), strict=True):
        error = (gate[0, :, 0].double() - expected).abs() / expected.abs().clamp(min=1e-300)
        assert error.max() < 6 * ulp


@needs_compiler
def test_what_is_not_finite_stays_so(available):
    """A diverged model is never taken for a good one; and what overflows saturates."""
    table = torch.tensor([[torch.nan], [torch.inf], [-torch.inf], [1e30], [-1e30]]).expand(5, 4)
    start = torch.zeros(5, 1)
    arguments = (torch.arange(5)[None], start, start, table, torch.zeros(4), torch.zeros(1, 4))
    found = fused.forward(*arguments, None, "none", False)[:2]
    expected = eager.forward(*arguments, None, "none", False)[:2]
    torch.testing.assert_close(found, expected, equal_nan=True)


@needs_compiler
@pytest.mark.parametrize("token", [-1, 7])
def test_a_token_beyond_the_vocabulary_is_refused(available, token):
    weights = layer(7, 3, torch.float32)
    with pytest.raises(IndexError, match="token out of range: there are 7"):
        run(torch.tensor([[token]]), (torch.zeros(1, 3),) * 2, *weights, "lasagne", None)


PROGRAM = """
import logging, sys, torch
from charrnn.backbone import compiled
from charrnn.backbone.network import Backbone
logging.basicConfig(level=logging.INFO, format="%(message)s")
if sys.argv[1:]:  # a library that is copied instead of compiled
    import shutil
    from torch.utils import cpp_extension

    def copy(name, sources, build_directory, **_):
        torch.ops.load_library(shutil.copy(sys.argv[1], f"{build_directory}/{name}.so"))

    cpp_extension.load = copy
backbone = Backbone(7, hidden_size=3, dense_size=None)
hidden, _ = backbone.recur(torch.tensor([[1]]), backbone.initial_state(1))
print(compiled.is_available(), round(hidden.sum().item(), 4))
"""


@pytest.fixture
def start(tmp_path):
    """Starts `PROGRAM` in a process of its own, with this folder for caches."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with ExitStack() as started:

        def run(cache, *words, **environment) -> Command:
            environment = {"XDG_CACHE_HOME": str(cache), **environment}
            return started.enter_context(Command(str(script), words, environment=environment))

        yield run


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder is named by XDG_CACHE_HOME")
@pytest.mark.parametrize("compiler", ["copies", pytest.param("real", marks=pytest.mark.long)])
def test_processes_that_start_together_compile_once_even_over_a_damaged_file(
    available, start, tmp_path, monkeypatch, compiler
):
    whole = compiled.library_path()
    content = whole.read_bytes()
    words = [whole] if compiler == "copies" else []
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    path = compiled.library_path()
    (path.parent / "compiling-killed").mkdir(parents=True)
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    shutil.copy(whole.with_suffix(".sha256"), path.parent)
    results = [process.communicate() for process in [start(cache, *words) for _ in range(3)]]
    errors = "".join(err for _, err in results)
    assert len({out for out, _ in results}) == 1, errors
    assert results[0][0].startswith("True "), errors
    assert errors.count("compiling") == 1, errors
    assert errors.count("is damaged") == 1, errors
    digest, lock = path.with_suffix(".sha256"), path.with_name("lock")
    assert sorted(path.parent.iterdir()) == [digest, path, lock]


@needs_compiler
def test_compiling_does_not_change_where_the_library_is_looked_for(
    available, tmp_path, monkeypatch
):
    whole = compiled.library_path()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = compiled.library_path()

    def load(name, sources, extra_cflags, extra_ldflags, build_directory, **_):
        extra_cflags.append("-I/torch")  # as torch does
        extra_ldflags.append("-ltorch")
        shutil.copy(whole, f"{build_directory}/{name}.so")

    monkeypatch.setattr(cpp_extension, "load", load)
    assert compiled.is_available.__wrapped__()
    assert path.read_bytes() == whole.read_bytes()
    assert compiled.library_path() == path


def test_without_a_compiler_the_eager_path_runs_and_one_line_says_so(start, tmp_path):
    missing = start(tmp_path / "one", CXX="no-such-compiler")
    turned_off = start(tmp_path / "two", CHARRNN_FUSED="0")
    out, err = missing.communicate()
    assert out.startswith("False ")
    assert err.splitlines() == [
        "the compiled passes are not used, which only costs speed: "
        "there is no C++ compiler (no-such-compiler)"
    ]
    other, err = turned_off.communicate()
    assert other == out
    assert err.splitlines() == [
        "the compiled passes are turned off by CHARRNN_FUSED=0, which only costs speed"
    ]


def test_asking_for_the_passes_leaves_small_numbers_alone_and_preparing_flushes_them():
    try:
        torch.set_flush_denormal(False)
        tiny = torch.tensor(1e-39)
        compiled.is_available.__wrapped__()
        assert tiny / 2 > 0
        prepare_cpu()
        assert tiny / 2 == 0
    finally:
        torch.set_flush_denormal(False)


def test_a_compiler_that_fails_is_reported_in_one_line(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert not compiled.is_available.__wrapped__()
    (message,) = caplog.messages
    assert message.startswith("the compiled passes are not used, which only costs speed: ")
    assert "\n" not in message


def test_a_compiler_that_hangs_is_not_waited_for(tmp_path, monkeypatch, caplog):
    compiler = tmp_path / "slow"
    compiler.write_text("#!/bin/sh\nexec sleep 1000\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled, "PATIENCE", 0.2)
    assert not compiled.is_available.__wrapped__()
    assert caplog.messages == [
        "the compiled passes are not used, which only costs speed: "
        f"the C++ compiler ({compiler}) has not ended after 0.2 seconds"
    ]


@needs_compiler
def test_source_that_does_not_compile_is_reported_in_one_line(tmp_path, monkeypatch, caplog):
    source = tmp_path / "fused.cpp"
    source.write_text("int main() { return no_such_name; }")
    monkeypatch.setattr(compiled, "SOURCES", [source])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert not compiled.is_available.__wrapped__()
    (message,) = caplog.messages
    assert "no_such_name" in message
    assert "\n" not in message
