"""The recurrent layer's passes by fused.cpp, compiled at first use and kept in the cache folder."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import ninja
import platformdirs
import torch
from filelock import FileLock
from torch import Tensor

log = logging.getLogger(__name__)

DTYPES = (torch.float32, torch.float64)
"""The precisions that it is compiled for."""

SOURCE = Path(__file__).with_suffix(".cpp")
PEEPHOLES = ("none", "paper", "lasagne")
"""In the order of fused.cpp's enumeration."""

# None of these lets the compiler reorder a sum.
FLAGS = ["-std=c++20", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]
# Elsewhere, torch's loops in it run on one thread.
THREADS = ["-fopenmp"] if sys.platform == "linux" else []
# By what torch itself found usable, not -march=native: a cache folder may be shared by machines.
VECTOR_WIDTH = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": [
        *(f"-mavx512{extension}" for extension in ("f", "dq", "bw", "vl")),
        "-mfma",
        "-mprefer-vector-width=512",
    ],
}


def forward(*arguments: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
    """As charrnn.backbone.eager.forward."""
    *tensors, peepholes, for_backward = arguments
    return torch.ops.charrnn.forward(*tensors, PEEPHOLES.index(peepholes), for_backward)


def backward(*arguments: Any) -> tuple[Tensor | None, ...]:
    """As charrnn.backbone.eager.backward."""
    *tensors, peepholes, grad_clip, num_clipped = arguments
    kind = PEEPHOLES.index(peepholes)
    return torch.ops.charrnn.backward(*tensors, kind, grad_clip, num_clipped)


def step_(*arguments: Any) -> None:
    """As charrnn.backbone.eager.step_."""
    inputs, tokens_B, before, after, W_hid_HG, W_peep_3H, peepholes = arguments
    kind = PEEPHOLES.index(peepholes)
    torch.ops.charrnn.step_(inputs, tokens_B, *before, *after, W_hid_HG, W_peep_3H, kind)


@functools.cache
def is_available() -> bool:
    """Whether the passes can be used: compiles them if need be, and says in one line why not.

    ``CHARRNN_FUSED=0`` in the environment leaves them out.
    """
    # Numbers below 1e-38 would be computed a hundred times slower, and change nothing.
    torch.set_flush_denormal(True)
    if os.environ.get("CHARRNN_FUSED") == "0":
        return False
    try:
        _load_library()
    except (OSError, RuntimeError) as error:
        lines = [line for line in str(error).splitlines() if " error: " in line] or [str(error)]
        log.warning("the fused recurrence is not used, which costs speed only: %s", lines[0])
        return False
    return True


def library_path() -> Path:
    """Where the compiled passes lie: a folder for each source, torch and kind of processor."""
    key = hashlib.sha256("\n".join([torch.__version__, *_flags(), SOURCE.read_text()]).encode())
    return platformdirs.user_cache_path("charrnn") / "fused" / key.hexdigest()[:16] / "fused.so"


def _flags() -> list[str]:
    return FLAGS + THREADS + VECTOR_WIDTH.get(torch.backends.cpu.get_cpu_capability(), [])


def _load_library() -> None:
    library = library_path()
    library.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(library.with_name("lock")):
        if library.exists():
            try:
                torch.ops.load_library(library)
                return
            except OSError as error:
                log.warning("%s is damaged (%s) and is compiled anew.", library, error)
        _compile(library)


def _compile(library: Path) -> None:
    """Compile and load it, then keep it as ``library``."""
    # Slow to import, and needed once.
    from torch.utils import cpp_extension

    compiler = cpp_extension.get_cxx_compiler()
    if not shutil.which(compiler):
        raise OSError(f"there is no C++ compiler ({compiler})")
    log.info("compiling the fused recurrence, once for this machine")
    path = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([ninja.BIN_DIR, path])
    try:
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            cpp_extension.load(
                "fused",
                [str(SOURCE)],
                extra_cflags=_flags(),
                extra_ldflags=THREADS,
                build_directory=folder,
                is_python_module=False,
            )
            os.replace(Path(folder, "fused.so"), library)
    finally:
        os.environ["PATH"] = path
