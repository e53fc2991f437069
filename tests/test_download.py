"""Downloads from a real server on this machine, and the ways in which they fail."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from charrnn.data.fetching import download as module
from charrnn.data.fetching.download import RemoteFile, download, git_blob_id, verify
from charrnn.data.fetching.packages import FetchError

CONTENT = bytes(range(256)) * 1200
HALF = len(CONTENT) // 2
REST = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT) - HALF, CONTENT[HALF:])
"""The second half as a chunk, and the end of the chunks."""
NAME = "corpus.txt"
LOCK = f".{NAME}.lock"
PART = f".{NAME}.part"
BLOB_ID = hashlib.sha1(f"blob {len(CONTENT)}\0".encode() + CONTENT).hexdigest()

# A separate process: prints when it starts, why it failed, and what the folder contains at the end.
SCRIPT = f"""
import os, signal, sys
from pathlib import Path
from charrnn.data.fetching.download import RemoteFile, download
signal.signal(signal.SIGINT, signal.default_int_handler)
url, folder = sys.argv[1:]
print("ready", flush=True)
try:
    download(RemoteFile(url, "{NAME}", "{BLOB_ID}"), Path(folder))
except Exception as error:
    print(type(error).__name__, error)
print(*sorted(os.listdir(folder)))
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append(self.path)
        self.close_connection = True
        self.server.answers[self.path](self)

    def do_CONNECT(self):
        self.server.requests.append(self.path)
        self.send_error(403)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """Gives the answers in `answers`, by path; `go_on` releases the ones that stall."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.answers, self.go_on = [], {}, threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Ignore clients that close the connection."""


def send(handler, body=CONTENT, status=200, **headers):
    handler.send_response(status)
    for name, value in ({"Content_Length": len(body)} | headers).items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


def answer(*args, **options):
    return lambda handler: send(handler, *args, **options)


def redirect(target):
    return answer(b"elsewhere", 302, Location=target)


def stall(handler):
    """The first half, and the second when the test allows it."""
    send(handler, CONTENT[:HALF], Content_Length=len(CONTENT))
    handler.server.go_on.wait(30)
    handler.wfile.write(CONTENT[HALF:])


def chunked(end):
    """The first half in one chunk, then ``end``."""
    body = b"%x\r\n%b\r\n" % (HALF, CONTENT[:HALF]) + end
    return answer(body, Content_Length=None, Transfer_Encoding="chunked")


def endless(handler):
    """No length, and bytes until the client closes the connection."""
    send(handler, CONTENT, Content_Length=None)
    while True:
        handler.wfile.write(CONTENT)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CHARRNN_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(module.__file__).parents[2]), prepend=os.pathsep)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def tls(server, tmp_path):
    """The same server behind TLS; its certificate is for localhost, and signed by itself."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2"
    files = ["-keyout", key, "-out", certificate]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run([*command.split(), *files, *names], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"https://localhost:{server.server_port}"
    return server, certificate


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def remote(server, path="/file", **options):
    return RemoteFile(server.url + path, NAME, BLOB_ID, **options)


def names(folder):
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def refusal(file, folder):
    """The sentence that a download fails with; it has to leave nothing behind."""
    before = names(folder) - {LOCK}
    with pytest.raises(FetchError) as error:
        download(file, folder)
    assert names(folder) - {LOCK} == before
    assert "\n" not in str(error.value)
    return str(error.value)


def start(url, folder):
    command = [sys.executable, "-c", SCRIPT, url, folder]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **streams)
    assert process.stdout.readline() == "ready\n"
    return process


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_blob_id_is_the_one_of_git(tmp_path):
    (tmp_path / "empty").touch()
    assert git_blob_id(tmp_path / "empty") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    (tmp_path / "full").write_bytes(CONTENT)
    assert git_blob_id(tmp_path / "full") == BLOB_ID


def test_verify_refuses_other_content_and_no_content(tmp_path):
    file, path = RemoteFile("https://host.invalid/file", NAME, BLOB_ID), tmp_path / NAME
    with pytest.raises(FetchError, match="no such file"):
        verify(path, file)
    path.write_bytes(CONTENT)
    verify(path, file)
    path.write_bytes(CONTENT[1:])
    with pytest.raises(FetchError, match=f"is not {NAME} .*{BLOB_ID}"):
        verify(path, file)


@pytest.mark.parametrize("size", [None, len(CONTENT)])
@pytest.mark.parametrize("good", [answer(), answer(Content_Length=None), chunked(REST)])
def test_a_file_is_downloaded_once(server, folder, good, size):
    server.answers["/file"] = good
    for _ in range(2):
        path = download(remote(server, size=size), folder)
        assert path == folder / NAME
        assert path.read_bytes() == CONTENT
    assert server.requests == ["/file"]
    assert names(folder) == {NAME, LOCK}


def test_a_damaged_file_is_replaced_only_by_a_correct_one(server, folder):
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT[1:])
    server.answers["/file"] = answer(b"gone", 404)
    assert f"{folder / NAME} is damaged" in refusal(remote(server), folder)
    assert (folder / NAME).read_bytes() == CONTENT[1:]
    server.answers["/file"] = answer()
    assert download(remote(server), folder).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (answer(CONTENT[::-1]), "content is not the expected one"),
        (answer(b""), "content is not the expected one"),
        (answer(CONTENT[:HALF], Content_Length=None), "content is not the expected one"),
        (answer(CONTENT[:HALF], Content_Length=len(CONTENT)), "ended in the middle"),
        (chunked(b""), "ended in the middle"),
        (chunked(REST[:100]), "ended in the middle"),
        (answer(b"no such file", 404), "the server answered 404 Not Found"),
        (answer(b"sorry", 500), "the server answered 500 Internal Server Error"),
        (lambda handler: None, "closed connection without response"),
        (lambda handler: handler.wfile.write(b"220 ftp here\r\n"), "220 ftp here"),
        (stall, "did not answer in time"),
        (lambda handler: handler.server.go_on.wait(30), "did not answer in time"),
        (redirect("/file"), "redirects form a loop"),
        (redirect("file:///etc/passwd"), "not https"),
        (redirect("ftp://127.0.0.1/file"), "not https"),
        (redirect("http://host.invalid/file"), "not https"),
        (redirect("http://["), "Invalid IPv6 URL"),
        (endless, "more bytes than expected"),
        (answer(Content_Length=10 * len(CONTENT)), "more bytes than expected"),
    ],
)
def test_a_bad_answer_is_one_sentence_and_leaves_nothing(server, folder, monkeypatch, bad, reason):
    monkeypatch.setattr(module, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(module, "LARGEST_FILE", 2 * len(CONTENT))
    server.answers["/file"] = bad
    assert reason in refusal(remote(server), folder)


@pytest.mark.parametrize("bad", [endless, answer(CONTENT * 2)])
def test_a_file_of_known_size_is_read_no_further(server, folder, bad):
    server.answers["/file"] = bad
    assert "more bytes than expected" in refusal(remote(server, size=len(CONTENT)), folder)


def test_redirects_are_followed_and_their_own_bodies_ignored(server, folder):
    server.answers["/file"] = answer(b"", 302, Content_Length=9, Location="/other")
    server.answers["/other"] = redirect(f"{server.url}/last")
    server.answers["/last"] = answer()
    assert download(remote(server), folder).read_bytes() == CONTENT
    assert server.requests == ["/file", "/other", "/last"]


@pytest.mark.parametrize("url", ["http://host.invalid/file", "file:///etc/passwd", "file", ""])
def test_only_https_is_spoken_to_other_machines(folder, url):
    assert "this is not an https address" in refusal(RemoteFile(url, NAME, BLOB_ID), folder)


def test_https_needs_a_certificate_that_the_user_trusts(tls, folder, monkeypatch):
    server, certificate = tls
    server.answers = {"/file": answer(), "/away": redirect("http://localhost/file")}
    reason = refusal(remote(server), folder)
    assert "CERTIFICATE_VERIFY_FAILED" in reason
    assert "SSL_CERT_FILE" in reason
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert "not https" in refusal(remote(server, "/away"), folder)
    assert download(remote(server), folder).read_bytes() == CONTENT


def test_the_proxy_of_the_environment_is_asked(server, folder, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    file = RemoteFile("https://host.invalid/file", NAME, BLOB_ID)
    assert "Tunnel connection failed: 403 Forbidden" in refusal(file, folder)
    assert server.requests == ["host.invalid:443"]
    # Python 3.11.2 leaves the proxy's answer to the garbage collector, which may come in any test.
    for thread in threading.enumerate():
        if "(ask)" in thread.name:
            thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_an_unreachable_server_is_reported_soon(folder, monkeypatch):
    started = time.monotonic()
    file = RemoteFile("https://name.invalid/file", NAME, BLOB_ID)
    assert "check the network" in refusal(file, folder)
    assert time.monotonic() - started < 20
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"https://127.0.0.1:{closed.getsockname()[1]}/file"
    assert "connection refused" in refusal(RemoteFile(url, NAME, BLOB_ID), folder)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_an_answer_that_comes_too_late_is_closed(folder, monkeypatch, status):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/file"
        assert "did not answer in time" in refusal(RemoteFile(url, NAME, BLOB_ID), folder)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(20)
            while not connection.recv(1 << 16).endswith(b"\r\n\r\n"):
                pass
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\n".encode())
            assert connection.recv(1) == b""


def test_many_addresses_without_a_route_share_the_time(folder, monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        # Connections that nobody accepts: further ones are left without an answer.
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
        found = socket.getaddrinfo(*full.getsockname(), type=socket.SOCK_STREAM)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: 20 * found)
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
        monkeypatch.setattr(module, "STALL_SECONDS", 0.3)
        started = time.monotonic()
        file = RemoteFile("https://many.invalid/file", NAME, BLOB_ID)
        assert "did not answer in time" in refusal(file, folder)
        assert time.monotonic() - started < 3
        for connection in waiting:
            connection.close()


def test_two_processes_download_a_file_once(server, folder):
    server.answers["/file"] = stall
    url = f"{server.url}/file"
    with start(url, folder) as one, start(url, folder) as other:
        time.sleep(0.5)  # both are at it, one of them waiting for the other
        server.go_on.set()
        for process in (one, other):
            output, _ = process.communicate(timeout=20)
            assert output == f"{LOCK} {NAME}\n"
    assert server.requests == ["/file"]
    assert (folder / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_process_leaves_nothing_to_the_next(server, folder, end):
    server.answers["/file"] = stall
    with start(f"{server.url}/file", folder) as process:
        wait_for(lambda: PART in names(folder) and (folder / PART).stat().st_size > 0)
        process.send_signal(end)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == -end
    if end == signal.SIGINT:
        assert errors.endswith("KeyboardInterrupt\n")
        assert names(folder) == {LOCK}
    server.answers["/file"] = answer()
    assert download(remote(server), folder).read_bytes() == CONTENT
    assert names(folder) == {NAME, LOCK}


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made_is_one_sentence(server, tmp_path, place):
    (tmp_path / "file").touch()
    assert "environment variable CHARRNN_DATA" in refusal(remote(server), tmp_path / place)
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [("size=64k", "no space left on device"), ("ro", "read-only file system")],
)
def test_a_disk_that_takes_no_file_is_one_sentence(server, folder, options, reason):
    # A small disk in a namespace of its own, which disappears with the process.
    folder.mkdir()
    namespace = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = f"mount -t tmpfs -o {options} none {folder}"
    if shutil.which("unshare") is None or subprocess.run([*namespace, mount]).returncode:
        pytest.skip("no small disk can be mounted here")
    server.answers["/file"] = answer()
    command = [*namespace, f'{mount} && exec "$@"', "sh", sys.executable, "-c", SCRIPT]
    output = subprocess.check_output([*command, f"{server.url}/file", folder], text=True)
    _, error, left = output.splitlines()
    assert error.startswith("FetchError")
    assert reason in error
    assert left in {LOCK, ""}


def test_a_file_that_may_not_grow_is_one_sentence(server, folder):
    server.answers["/file"] = answer()
    limited = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (100_000, 100_000))\n" + SCRIPT
    command = [sys.executable, "-c", limited, f"{server.url}/file", folder]
    _, error, left = subprocess.check_output(command, text=True).splitlines()
    assert error.startswith("FetchError")
    assert "file too large" in error
    assert left == LOCK
