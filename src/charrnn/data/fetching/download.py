"""Fetching one file over HTTPS into a cache folder: once, verified, whole or not at all.

The standard urllib knows redirects, proxies and CA bundles, and is no further dependency. urllib3,
requests, httpx and pooch bound the time for names and for a host's many addresses no better.
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

ANSWER_SECONDS = 8.0  # until a server answers, names, addresses and redirects included
STALL_SECONDS = 10.0  # without a byte
LARGEST = 1 << 28  # bytes of a file whose size is not known beforehand


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web, pinned by its content.

    Attributes:
        url: where it is; https, or plain http from this machine (127.0.0.1, localhost), for tests.
        filename: its name in the cache.
        blob_id: its Git blob id, 40 hexadecimal digits.
        size: bytes, if known: no more than these are kept of what the server sends.
    """

    url: str
    filename: str
    blob_id: str
    size: int | None = None


def git_blob_id(path: Path) -> str:
    """The name that Git gives to a file's content: SHA-1 over its size and its bytes."""
    with path.open("rb") as file:
        blob = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size)
        return hashlib.file_digest(file, lambda: blob).hexdigest()


def verify(path: Path, file: RemoteFile) -> None:
    """Raise FetchError unless ``path`` can be read and holds the content of ``file``."""
    try:
        found = git_blob_id(path)
    except OSError as error:
        found = str(error.strerror)
    if found != file.blob_id:
        raise FetchError(
            f"{path} is not {file.filename} (its Git blob id is {file.blob_id}, here: {found}): "
            f"name an unchanged copy of {file.url}."
        )


def download(file: RemoteFile, folder: Path) -> Path:
    """The path of the verified file in ``folder``, downloaded unless it is already there.

    The file gets its name only after its content was checked, and in one step; a damaged one stays
    until then. Processes that want the same file at the same time wait for the first of them.

    Raises:
        FetchError: if the file cannot be had, its content differs, or the folder cannot be written.
    """
    path = folder / file.filename
    try:
        if not _is_there(path, file):
            require_fetching(file.filename)
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{file.filename}.lock"):
                if not _is_there(path, file):  # fetched by another process meanwhile
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
            f"{file.filename} cannot be kept in {folder} ({error.strerror or error}): "
            "free some space, or name another folder in the environment variable CHARRNN_DATA."
        ) from error
    return path


def _is_there(path: Path, file: RemoteFile) -> bool:
    return path.exists() and git_blob_id(path) == file.blob_id


def _fetch(file: RemoteFile, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        # The lock is held, so a file of this name is what a killed process left.
        part.unlink(missing_ok=True)
        with part.open("xb") as target, closing(_body(file)) as body:
            target.writelines(body)
            target.flush()
            os.fsync(target.fileno())
        # Read again rather than hashed on the way: a blob id begins with the size, which a server
        # need not tell beforehand, and this is what the disk holds.
        if git_blob_id(part) != file.blob_id:
            raise URLError("its content is not the expected one")
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _body(file: RemoteFile) -> Generator[bytes, None, None]:
    """What the server sends. Whatever goes wrong is a URLError, which a disk never raises."""
    room = LARGEST if file.size is None else file.size
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
            if response.length:  # bytes that the server announced and did not send
                raise IncompleteRead(b"", response.length)
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed address
        if isinstance(error, HTTPError):
            error.close()
        raise URLError(" ".join(_reason(error).split())) from error


def _reason(error: BaseException) -> str:
    match error:
        case HTTPError(code=code, reason=text):
            circle = "its redirects lead in a circle or to an address that is not https"
            return circle if code < 400 else f"the server answered {code} {text}"
        case URLError(reason=cause):
            return _reason(cause) if isinstance(cause, BaseException) else cause
        case TimeoutError():
            return "the server did not answer in time"
        case IncompleteRead():
            return "the connection ended in the middle of the file"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _answer(url: str) -> HTTPResponse:
    """The server's answer, awaited for ANSWER_SECONDS."""
    # urllib's timeout starts anew for every address and redirect, and getaddrinfo has none: hence a
    # thread, which may be left behind. A daemon does not hold up the exit.
    if not _is_allowed(url):
        raise URLError("it is not an https address")
    request = Request(url, headers={"User-Agent": "charrnn"})  # some hosts turn away urllib
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
        if answer.cancel():  # an answer that comes later is closed, and nothing else
            raise
        return answer.result()


class _Redirects(HTTPRedirectHandler):
    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        if 300 <= response.status < 400:
            response.close()  # else urllib reads the redirect's own body, however long that is
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
