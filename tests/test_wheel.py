"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

USED = """
import sys
from importlib.resources import files
import analysis.drawing.figure, analysis.report.__main__
import charrnn, hydra_plugins
from analysis.reference.table import REFERENCE
from analysis.report.page import HERE
from charrnn.config import conf_folder
places = [charrnn.__file__, hydra_plugins.__path__[0], REFERENCE, HERE, conf_folder()]
assert all(str(place).startswith(sys.argv[1]) for place in places), places
assert (REFERENCE / "results.csv.xz").stat().st_size > 1000
assert (HERE / "page.html.j2").exists()
assert (files("charrnn") / "py.typed").is_file()
print(charrnn.corpus("stdlib").name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_packages_their_data_and_the_marks_of_their_types(wheel):
    found = set(zipfile.ZipFile(wheel).namelist())
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        [*git, "src", "analysis", "conf"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kept = [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    places = (name.removeprefix("src/").replace("conf/", "charrnn/conf/", 1) for name in kept)
    pictures = (".png", ".svg")
    wanted = {name for name in places if "/" in name and not name.endswith(pictures)}
    assert {"charrnn/py.typed", "analysis/py.typed", "analysis/reference/results.csv.xz"} <= wanted
    assert {"charrnn/backbone/lstm_fused.cpp", "charrnn/conf/train.yaml"} <= wanted
    assert {name for name in found if ".dist-info/" not in name} == wanted


def test_the_installed_packages_need_no_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-c", USED, str(tmp_path / "installed")],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "installed"), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("stdlib", 0), done.stderr
