"""Every command on the page of faults ends as the page says, and in the words that stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import processes
import pytest
from conftest import ROOT

PAGE = ROOT / "docs" / "explanation" / "faults.md"
ROW = re.compile(r"^\| (?P<fault>.+) \| `(?P<command>.+)` \| (?P<status>\d) \| (?P<says>.+) \|$")
ROWS = [row.groups() for row in map(ROW.match, PAGE.read_text().splitlines()) if row]
TRAIN = ["data=textfile", "data.path=my.txt", "scale=smoke", "sampling.length=5"]
"""What `train` stands for on the page."""


def words_of(command: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The words of the last command of a line, as bash expands them, and its environment."""
    script = f"set -- {command}; printf '%s\\0' \"$@\""
    found = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=True)
    words = found.stdout.decode().split("\0")[:-1]
    first = next(n for n, word in enumerate(words) if not re.match(r"[A-Z_]+=", word))
    return words[first:], dict(word.split("=", 1) for word in words[:first])


def given(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Give a line of the page in a folder."""
    *before, last = re.split(r"; (?!do|done)", command)
    subprocess.run(["bash", "-c", "; ".join(before)], cwd=folder, check=True)
    words, environment = words_of(last, folder)
    if words[0] == "train":
        flags = [word for word in words[1:] if word == "-m"]
        device = [] if any(word.startswith("device=") for word in words) else ["device=cpu"]
        words = ["train", *flags, *TRAIN, *device, *words[1:]]
    environment = {"COLUMNS": "100"} | environment
    if "XDG_CACHE_HOME" in environment:
        environment["XDG_CACHE_HOME"] = str(folder / environment["XDG_CACHE_HOME"])
    return processes.run_command("charrnn", words, environment, folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a text, and with runs of two schemes that were trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "my.txt").write_text("the seat of the hat\n" * 500)
    result = given("train -m scheme=1,2 jobs=1 draw=false", folder)
    assert result.returncode == 0, result.stderr
    return folder


def plain(text: str) -> str:
    """Words with single spaces, and without the signs that format a page."""
    return " ".join(text.replace("\\|", "|").replace("`", "").split())


def pattern(says: str) -> re.Pattern[str]:
    """What stands on the page, with anything in place of an ellipsis."""
    return re.compile(".*".join(map(re.escape, plain(says).split("…"))))


def test_the_page_has_rows():
    assert len(ROWS) > 100


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_fault_is_met_as_the_page_says(row, trained, tmp_path):
    _, command, status, says = row
    folder = tmp_path / "world"
    shutil.copytree(trained, folder)
    result = given(command, folder)
    out = plain(result.stdout + " " + result.stderr)
    assert "Traceback" not in out, out
    assert (result.returncode, bool(pattern(says).search(out))) == (int(status), True), out
