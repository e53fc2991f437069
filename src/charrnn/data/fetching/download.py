"""Downloading one file over HTTPS into the cache: once, verified, and all or nothing.

The standard library's urllib handles redirects, proxies and CA bundles. urllib3, requests, httpx or
pooch would be another dependency, and do not limit the time for finding and trying a host's
addresses either.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from filelock import FileLock
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from charrnn.console import console
from charrnn.data.fetching.packages import FetchError, require_fetching
from charrnn.errors import reason
from charrnn.files import open_file

ANSWER_SECONDS = 8.0
"""Time for a server to answer, including name lookup, all its addresses, and redirects."""
STALL_SECONDS = 10.0
"""Time without a single byte after which a download is given up."""
LARGEST_FILE = 1 << 28
"""Bytes that are read at most if the size of a file is not known in advance."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web, identified by its content.

    Attributes:
        url: its address: https, or plain http on this machine (127.0.0.1, localhost) for tests.
        filename: its name in the cache.
        blob_id: its Git blob id, 40 hexadecimal digits.
        size: its size in bytes, if known; a server that sends more is cut off.
    """

    url: str
    filename: str
    blob_id: str
    size: int | None = None


def git_blob_id(path: Path) -> str:
    """The id that Git gives to a file's content: the SHA-1 of its size and its bytes."""
    with open_file(path) as file:
        blob = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size)
        return hashlib.file_digest(file, lambda: blob).hexdigest()


def verify(path: Path, file: RemoteFile) -> None:
    """Raise FetchError unless ``path`` can be read and has the content of ``file``."""
    try:
        found = git_blob_id(path)
    except OSError as error:
        found = reason(error)
    if found != file.blob_id:
        raise FetchError(
            f"{path} is not {file.filename} (expected Git blob id {file.blob_id}, found: {found}): "
            f"give the path of an unchanged copy of {file.url}."
        )


def download(file: RemoteFile, folder: Path) -> Path:
    """Download a file to ``folder`` unless it is already there, verify it, and return its path.

    The file appears under its name in one step, after its content was checked; a damaged file of
    that name stays until then. If several processes need the same file, one downloads it while the
    others wait.

    Raises:
        FetchError: if the download fails, the content differs, or the folder cannot be written.
    """
    path = folder / file.filename
    try:
        if not _is_there(path, file):
            require_fetching(file.filename)
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{file.filename}.lock"):
                if not _is_there(path, file):  # unless another process has just downloaded it
                    _fetch(file, path)
    except URLError as error:
        damaged = f", and {path} is damaged" if path.exists() else ""
        raise FetchError(
            f"{file.filename} cannot be downloaded from {file.url} ({error.reason}){damaged}: "
            "check the network (HTTPS_PROXY, SSL_CERT_FILE), try again later, or put the file at "
            f"{path} yourself."
        ) from error
    except OSError as error:
        raise FetchError(
            f"{file.filename} cannot be saved in {folder} ({reason(error)}): "
            "free some space, or set the environment variable CHARRNN_DATA to another folder."
        ) from error
    return path


def _is_there(path: Path, file: RemoteFile) -> bool:
    return path.exists() and git_blob_id(path) == file.blob_id


def _fetch(file: RemoteFile, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        # This process holds the lock, so a killed process must have left a file of this name.
        part.unlink(missing_ok=True)
        with part.open("xb") as target, closing(_body(file)) as body:
            target.writelines(body)
            target.flush()
            os.fsync(target.fileno())
        # Read back rather than hashed while downloading: a blob id starts with the size, which not
        # every server sends, and this checks what is on the disk.
        if git_blob_id(part) != file.blob_id:
            raise URLError("its content is not the expected one")
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _body(file: RemoteFile) -> Generator[bytes, None, None]:
    """The bytes that the server sends. Every failure is a URLError, which no disk raises."""
    room = LARGEST_FILE if file.size is None else file.size
    columns = *Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    try:
        with _answer(file.url) as response, bar:
            task = bar.add_task(file.filename, total=file.size or response.length)
            while chunk := response.read1(1 << 16):
                room -= len(chunk)
                if room < (response.length or 0):
                    raise URLError("the server sends more bytes than expected")
                yield chunk
                bar.advance(task, len(chunk))
            if response.length:  # number of bytes that the server announced but did not send
                raise IncompleteRead(b"", response.length)
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed address
        if isinstance(error, HTTPError):
            error.close()
        raise URLError(" ".join(_problem(error).split())) from error


def _problem(error: BaseException) -> str:
    """What went wrong with a download, in words that can continue a sentence."""
    match error:
        case HTTPError(code=code, reason=text):
            circle = "its redirects form a loop or lead to an address that is not https"
            return circle if code < 400 else f"the server answered {code} {text}"
        case URLError(reason=cause):
            return _problem(cause) if isinstance(cause, BaseException) else cause
        case TimeoutError():
            return "the server did not answer in time"
        case IncompleteRead():
            return "the connection ended in the middle of the file"
    return reason(error)


def _answer(url: str) -> HTTPResponse:
    """The server's answer, which has to arrive within ANSWER_SECONDS."""
    # urllib's timeout restarts for every address and redirect, and getaddrinfo has no timeout, so
    # this needs a thread. It may be left behind; as a daemon it does not block the exit.
    if not _is_allowed(url):
        raise URLError("this is not an https address")
    request = Request(url, headers={"User-Agent": "charrnn"})  # some hosts reject urllib
    answer: Future[HTTPResponse] = Future()

    def ask() -> None:
        try:
            response = build_opener(_Redirects).open(request, timeout=STALL_SECONDS)
        except BaseException as error:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)
            elif isinstance(error, HTTPError):
                error.close()
        else:
            if answer.set_running_or_notify_cancel():
                answer.set_result(response)
            else:
                response.close()

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.result(ANSWER_SECONDS)
    except TimeoutError:
        if answer.cancel():  # a late answer is closed at once
            raise
        return answer.result()


class _Redirects(HTTPRedirectHandler):
    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        if 300 <= response.status < 400:
            response.close()  # otherwise urllib reads the redirect's body, however long it is
        return response

    https_response = http_response

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if not _is_allowed(newurl, from_https=req.type == "https"):
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_allowed(url: str, from_https: bool = False) -> bool:
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    return parts.scheme == "https" or (is_local and not from_https)
