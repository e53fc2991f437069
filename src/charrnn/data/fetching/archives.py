"""Reading archives without trusting them: chosen members only, safe names, bounded sizes."""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from charrnn.data.fetching.packages import FetchError
from charrnn.errors import reason

MEMBER_LIMIT = 64 * 2**20
"""Largest size of one member, in bytes, unpacked. The largest that is needed has a tenth of it."""
TOTAL_LIMIT = 512 * 2**20
"""Largest size of all chosen members together, in bytes, unpacked."""

Select = Callable[[str], bool]


class BadArchive(FetchError):
    """An archive that cannot be read, or cannot be trusted."""


def zip_members(archive: Path | bytes, select: Select) -> dict[str, bytes]:
    """The members of a zip archive that ``select`` chooses by name, sorted by name.

    Raises:
        BadArchive: if the archive is damaged, has a member with an absolute path or `..`, unpacks
            to more than the limits, or has no such member.
    """
    file = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    label = "inner archive" if isinstance(archive, bytes) else str(archive)
    budget = _Budget(label)
    contents = {}
    with _readable(label), zipfile.ZipFile(file) as opened:
        for info in sorted(opened.infolist(), key=lambda info: info.filename):
            _check_name(info.filename, label)
            if select(info.filename) and not info.is_dir():
                with opened.open(info) as member:
                    contents[info.filename] = budget.read(member)
    if not contents:
        raise BadArchive(f"{label} does not contain the expected files.")
    return contents


def tar_members(stream: IO[bytes], label: str, select: Select) -> dict[str, bytes]:
    """The regular files of a tar archive that ``select`` chooses by name, sorted by name.

    Args:
        stream: the archive, compressed or not, read from front to back.
        label: name of the archive in error messages.
        select: decides whether to read a member, given its name without a leading `./`.

    Raises:
        BadArchive: see zip_members.
    """
    budget = _Budget(label)
    with _readable(label):
        files = _tar_files(stream, label)
        contents = {name: budget.read(file) for name, file in files if select(name)}
    if not contents:
        raise BadArchive(f"{label} does not contain the expected files.")
    return dict(sorted(contents.items()))


@contextmanager
def tar_member(stream: IO[bytes], label: str, suffix: str) -> Iterator[IO[bytes]]:
    """The first file of a tar archive whose name ends with ``suffix``, as a stream.

    Raises:
        BadArchive: if no file has such a name, or the archive is damaged.
    """
    with _readable(label), closing(_tar_files(stream, label)) as files:
        for name, file in files:
            if name.endswith(suffix):
                yield file
                return
    raise BadArchive(f"{label} does not contain {suffix}.")


def _tar_files(stream: IO[bytes], label: str) -> Generator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=stream, mode="r|*") as opened:
        for member in opened:
            name = member.name.removeprefix("./")
            _check_name(name, label)
            file = opened.extractfile(member) if member.isfile() else None
            if file is not None:
                yield name, file


@contextmanager
def _readable(label: str) -> Iterator[None]:
    """Turn the errors that the archive modules raise into one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        raise BadArchive(f"{label} is damaged ({error}).") from error
    except (EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadArchive(f"{label} cannot be read ({reason(error)}).") from error


def ar_member(archive: Path, prefix: str) -> io.BufferedReader:
    """The first member of an ar archive (such as a .deb) whose name starts with ``prefix``.

    Raises:
        BadArchive: if no member has such a name.
    """
    file = archive.open("rb")
    if file.read(8) == b"!<arch>\n":
        # A header of 60 bytes: name 16, date 12, owner 6, group 6, mode 8, size 10, end 2.
        while len(header := file.read(60)) == 60 and header[48:58].strip().isdigit():
            size = int(header[48:58])
            if header.startswith(prefix.encode()):
                return io.BufferedReader(_Section(file, size))
            file.seek(size + size % 2, io.SEEK_CUR)
    file.close()
    raise BadArchive(f"{archive} does not contain {prefix}*.")


class _Section(io.RawIOBase):
    """The next ``size`` bytes of a file, as a file of its own."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)

    def close(self) -> None:
        self.file.close()
        super().close()


class _Budget:
    """Counts how many bytes may still be unpacked."""

    def __init__(self, label: str) -> None:
        self.label, self.left = label, TOTAL_LIMIT

    def read(self, member: IO[bytes]) -> bytes:
        limit = min(MEMBER_LIMIT, self.left)
        # The size stated in an archive may be wrong: try to read one byte more than the limit.
        content = member.read(limit + 1)
        if len(content) > limit:
            allowed = f"{MEMBER_LIMIT:,} bytes per file, {TOTAL_LIMIT:,} in all"
            raise BadArchive(f"{self.label} unpacks to more than is allowed ({allowed}).")
        self.left -= len(content)
        return content


def _check_name(name: str, label: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise BadArchive(f"{label} has a member {name!r} whose path leads out of the archive.")
