"""The example package of docs/examples: installed, found and used with no change in the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "plug-in"
WORDS = ["hydra.searchpath=[pkg://charrnn_example.conf]", "experiment=halves", "weighting=ends"]


@pytest.mark.slow
def test_a_scheme_a_cell_a_corpus_a_weighting_and_a_figure_of_a_package(tmp_path):
    installed, runs = tmp_path / "installed", tmp_path / "runs"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--no-deps", "--target", installed, EXAMPLE], check=True)
    places = os.pathsep.join(map(str, (installed, ROOT / "src", ROOT)))
    environment = {**os.environ, "PYTHONPATH": places}
    words = [*WORDS, "scale=smoke", "k1=20", "jobs=1", f"output_dir={runs}"]

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, *map(str, command)]
        return subprocess.run(
            whole, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    done = run("src/train.py", *words)
    assert done.returncode == 0, done.stderr
    identities = [json.loads(path.read_text()) for path in runs.glob("*/identity.json")]
    assert {one["training"] for one in identities} == {"half-loss", "multi-loss"}
    assert {one["backbone"]["name"] for one in identities} == {"leaky"}
    assert {one["corpus"]["name"] for one in identities} == {"counting"}
    assert {one["scheme"]["weighting"] for one in identities} == {"ends"}
    assert "A loss on half of each sequence" in (runs / "figures" / "halves-smoke.svg").read_text()
    grid = pd.read_csv(runs / "grids" / "halves-smoke.csv")
    assert set(grid["scheme"]) == {"3", "half"}
    sampled = run("-m", "charrnn", "sample", next(runs.glob("*half*")), "--length", "5")
    assert sampled.returncode == 0, sampled.stderr
    assert sampled.stdout.strip()


def test_a_weighting_that_no_package_has_is_refused_by_the_names_that_there_are(config):
    from charrnn.errors import BadInput
    from charrnn.training.build import check

    with pytest.raises(BadInput, match=r"weighting=ends .* one of uniform, linear, exponential, "):
        check(config("weighting=ends"))
