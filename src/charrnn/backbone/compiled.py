"""The passes that are written in C++, compiled at first use and cached.

They are those of charrnn.backbone.lstm_fused and charrnn.backbone.dense_fused.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import ninja
import platformdirs
import torch
from filelock import FileLock
from torch import Tensor

from charrnn.backbone.acceleration import DTYPES, is_eager_only
from charrnn.errors import reason
from charrnn.files import read_file, write_atomically
from charrnn.seals import Damaged, prove, sha256_of

log = logging.getLogger(__name__)

SOURCES = tuple(Path(__file__).with_name(f"{name}_fused.cpp") for name in ("lstm", "dense"))
SHARED = Path(__file__).with_name("fused.h")
"""What they include."""
PATIENCE = 60
"""Seconds that a C++ compiler may take for an empty file."""

# None of these lets the compiler reorder a sum.
FLAGS = ("-std=c++20", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
# On other systems, they run on one thread.
THREADS = ("-fopenmp",) if sys.platform == "linux" else ()
# By what torch itself found usable instead of -march=native: machines may share a cache folder.
VECTOR_WIDTH = {
    "AVX2": ("-mavx2", "-mfma"),
    "AVX512": (
        *(f"-mavx512{extension}" for extension in ("f", "dq", "bw", "vl")),
        "-mfma",
        "-mprefer-vector-width=512",
    ),
}


def can_compute(like: Tensor) -> bool:
    """Whether the compiled passes are to be used for tensors such as ``like``."""
    fits = like.device.type == "cpu" and like.dtype in DTYPES and not is_eager_only()
    return fits and is_available()


@functools.cache
def is_available() -> bool:
    """Return whether the compiled passes can be used; if not, log why in one line.

    The first call in a process loads them, and compiles them if necessary. ``CHARRNN_FUSED=0`` in
    the environment turns them off.
    """
    if os.environ.get("CHARRNN_FUSED") == "0":
        log.info("the compiled passes are turned off by CHARRNN_FUSED=0, which only costs speed")
        return False
    try:
        _load_library()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        problem = reason(error)
        lines = [line for line in problem.splitlines() if " error: " in line] or [problem]
        log.warning("the compiled passes are not used, which only costs speed: %s", lines[0])
        return False
    return True


def library_path() -> Path:
    """The compiled passes.

    The folder differs with the text of the sources, the version of torch and the kind of processor.
    """
    sources = (source.read_text() for source in (*SOURCES, SHARED))
    key = sha256_of("\n".join([torch.__version__, *_flags(), *sources]).encode())
    return platformdirs.user_cache_path("charrnn") / "fused" / key[:16] / "fused.so"


def _require_an_end(compiler: str) -> None:
    """Refuse a compiler that hangs, for which torch would wait without end.

    Raises:
        OSError: if nothing at all takes it longer than `PATIENCE`.
    """
    nothing = [compiler, "-x", "c++", "-fsyntax-only", os.devnull]
    try:
        subprocess.run(nothing, capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        hangs = f"the C++ compiler ({compiler}) has not ended after {PATIENCE} seconds"
        raise OSError(hangs) from error


def _flags() -> list[str]:
    return [*FLAGS, *THREADS, *VECTOR_WIDTH.get(torch.backends.cpu.get_cpu_capability(), ())]


def _load_library() -> None:
    library = library_path()
    library.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(library.with_name("lock")):
        if library.exists():
            if _is_intact(library):
                torch.ops.load_library(library)
                return
            log.warning("%s is damaged and is compiled again.", library)
        _compile(library)


def _is_intact(library: Path) -> bool:
    """Whether the library is the one that was compiled; loading another can kill the process."""
    try:
        prove(read_file(library), read_file(_digest_file(library)).hex())
    except (FileNotFoundError, Damaged):
        return False
    return True


def _digest_file(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _compile(library: Path) -> None:
    """Compile the passes, load them, and keep them as ``library``."""
    # Slow to import, and rarely needed.
    from torch.utils import cpp_extension

    compiler = cpp_extension.get_cxx_compiler()
    if not shutil.which(compiler):
        raise OSError(f"there is no C++ compiler ({compiler})")
    _require_an_end(compiler)
    log.info("compiling the passes, once for this machine")
    path = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([ninja.BIN_DIR, path])
    try:
        for left_over in library.parent.glob("compiling-*"):  # by a killed process
            shutil.rmtree(left_over)
        with tempfile.TemporaryDirectory(prefix="compiling-", dir=library.parent) as folder:
            cpp_extension.load(
                "fused",
                [*map(str, SOURCES)],
                extra_cflags=_flags(),
                extra_ldflags=list(THREADS),  # a copy, because torch extends it
                build_directory=folder,
                is_python_module=False,
            )
            compiled = Path(folder, "fused.so")
            write_atomically(_digest_file(library), bytes.fromhex(sha256_of(read_file(compiled))))
            os.replace(compiled, library)
    finally:
        os.environ["PATH"] = path
