"""The cells of the figures and of the table, at the paper's scale and without its corpora."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from processes import ROOT

from charrnn.config import build
from charrnn.data.corpora import for_figures as catalogue
from charrnn.data.corpora.tokens import Source, Tokens
from charrnn.data.vocabulary import CHARACTERS, Vocabulary
from charrnn.errors import BadInput
from charrnn.runs.identity import run_identity, run_name
from charrnn.sweeps.cells import compose_cells
from charrnn.training.build import check

PAPER = ["scale=paper", "corpora=authors"]
CORPORA = {"english", "finnish", "linux", "music"}


@pytest.fixture(scope="module")
def cells():
    """The cells of every experiment of the paper but Figure 10, which has those of Figure 9."""
    return {
        name: compose_cells(name, PAPER) for name in ("fig7", "fig8", "fig9", "fig11", "table4")
    }


def run_of(cfg) -> str:
    """The name of a cell's run, for a corpus of which nothing is known but its name."""
    vocabulary = Vocabulary((), CHARACTERS)
    tokens = Tokens(build(cfg.data).name, np.empty(0), vocabulary, "", Source("", "", Path()))
    return run_name(run_identity(cfg, tokens), cfg)


def values(cells, *fields: str) -> list[tuple]:
    """The values of the cells' fields, in order."""
    return [
        tuple(build(cfg.data).name if f == "corpus" else pick(cfg, f) for f in fields)
        for cfg in cells
    ]


def pick(cfg, field: str):
    return cfg.backbone[field] if field in cfg.backbone else cfg[field]


def test_300_cells_are_222_runs(cells):
    named = {name: [run_of(cfg) for cfg in group] for name, group in cells.items()}
    counts = {name: len(runs) for name, runs in named.items()}
    assert counts == {"fig7": 80, "fig8": 80, "fig9": 80, "fig11": 60, "table4": 16}
    trained: set[str] = set()
    new = {}
    for name in ("fig7", "fig8", "fig9", "fig11"):
        new[name] = len(set(named[name]) - trained)
        trained |= set(named[name])
    # Figure 9 adds scheme 4; Figure 11 three trainings of 15 pairs, three of which are in Figure 9.
    assert new == {"fig7": 80, "fig8": 80, "fig9": 20, "fig11": 42}
    assert len(trained) == 222
    for group in cells.values():
        check(group[0])


def test_figures_7_to_9_are_the_grids_of_the_paper(cells):
    fields = ("corpus", "scheme", "num_layers", "hidden_size", "k1", "k2")
    strides = (20, 40, 60, 80, 100)
    for name, scheme in (("fig7", 1), ("fig8", 2)):
        assert set(values(cells[name], *fields)) == {
            (corpus, scheme, layers, hidden, k1, 100)
            for corpus in CORPORA
            for layers in (1, 2)
            for hidden in (128, 512)
            for k1 in strides
        }
    assert set(values(cells["fig9"], *fields)) == {
        (corpus, scheme, 1, 512, k1, 100)
        for corpus in CORPORA
        for scheme in (1, 2, 3, 4)
        for k1 in strides
    }


def test_figure_11_computes_k1_from_k2(cells):
    pairs = {20: (20, 13, 7), 40: (40, 27, 13), 60: (60, 40, 20), 80: (80, 53, 27)}
    pairs[100] = (100, 67, 33)
    fields = ("corpus", "scheme", "num_layers", "hidden_size", "k2", "k1")
    assert values(cells["fig11"], *fields) == [
        ("music", scheme, 1, 512, k2, k1)
        for scheme in (1, 2, 3, 4)
        for k2, strides in pairs.items()
        for k1 in strides
    ]


def test_table_4_is_16_cells_on_english(cells):
    fields = ("corpus", "num_layers", "hidden_size", "scheme", "k1")
    assert values(cells["table4"], *fields) == [
        ("english", layers, hidden, scheme, 40)
        for layers in (1, 2)
        for hidden in (128, 512)
        for scheme in (1, 2, 3, 4)
    ]


def test_figure_10_has_the_cells_of_figure_9():
    words = [*PAPER, "data=music", "k1=20"]
    runs, others = (map(run_of, compose_cells(name, words)) for name in ("fig9", "fig10"))
    assert list(runs) == list(others)


def test_the_command_lines_values_replace_the_experiments():
    words = [
        "scale=smoke",
        "corpora='shakespeare,chorales'",
        "k2=30,45",
        "k1_share=1/2",
        "seed=0,1",
    ]
    grid = compose_cells("fig11", [*words, "scheme=2"])
    assert values(grid, "corpus", "k2", "k1", "seed") == [
        ("chorales", k2, k1, seed) for k2, k1 in ((30, 15), (45, 23)) for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("target", "figures", "tables"),
    [
        ("fig7", 1, 0),
        ("fig8", 1, 0),
        ("fig10", 1, 0),
        ("k3", 1, 0),
        ("table4", 0, 1),
        ("all", 5, 1),
    ],
)
def test_make_passes_its_words_on(target, figures, tables):
    words = ["SCALE=smoke", "CORPORA=stdlib,music", "SEEDS=0,1", "DEVICE=cpu"]
    command = ["make", "--dry-run", f"reproduce-{target}", *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    (last,) = (line for line in result.stdout.splitlines() if "scale=smoke" in line)
    looped = re.findall(r"for figure in ([^;]*);", last)
    assert sum(len(names.split()) for names in looped) == figures
    if figures:
        assert "experiment=$figure scale=smoke 'corpora=\"stdlib,music\"' seed=0,1" in last
        assert "analysis.drawing.figure $figure --scale smoke --corpora stdlib,music" in last
    speed = "analysis.speed.table4 scale=smoke 'corpora=\"stdlib,music\"' device=cpu"
    assert last.count(speed) == tables


def test_make_evidence_passes_its_words_on():
    words = ["PART=2", "DEVICE=gpu", "LAUNCHER=slurm", "MORE=launcher.partition=long"]
    command = ["make", "--no-print-directory", "--dry-run", "evidence", *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    asked = "device=gpu launcher=slurm launcher.partition=long"
    assert "analysis.programme 2 " in result.stdout
    assert result.stdout.rstrip().endswith(f" jobs=auto {asked}")


def test_every_module_that_make_runs_is_there():
    modules = set(re.findall(r"python -m ([\w.]+)", (ROOT / "Makefile").read_text()))
    assert {"analysis.drawing.figure", "charrnn.benchmark"} < modules
    for module in modules - {"pip", "pytest", "venv"}:
        spec = importlib.util.find_spec(module)
        assert spec is not None, module
        runs = spec.submodule_search_locations is None or importlib.util.find_spec(
            f"{module}.__main__"
        )
        assert runs, module


def test_a_scale_for_a_gpu_elsewhere_is_not_decided_by_a_machine_without_one(monkeypatch):
    """On a login node `auto` would be the scale of a CPU."""
    monkeypatch.setattr("charrnn.devices.has_gpu", lambda: False)
    for asked in ("device=gpu", "launcher.gpus_per_node=1"):
        words = ["data=stdlib", "launcher=slurm", "scheme=1", "k1=20", asked]
        with pytest.raises(BadInput, match=r"^scale=auto cannot .* auto is paper on a GPU\.$"):
            compose_cells("fig9", words)
        cells = compose_cells("fig9", [*words, "scale=paper"])
        assert {cell.scale.name for cell in cells} == {"paper"}
    assert {cell.scale.name for cell in compose_cells("fig9", words[:1])} == {"quick"}


def test_one_corpus_is_or_stands_for_the_papers():
    assert catalogue.choose("music of authors") == "music"
    assert catalogue.choose("english of substitutes") == "shakespeare"
    assert catalogue.choose("music of shakespeare,chorales") == "chorales"
    assert catalogue.choose("linux of shakespeare,stdlib,linux") == "stdlib"
    assert catalogue.choose("music of shakespeare,stdlib") == "shakespeare"
    with pytest.raises(BadInput, match=r"^data=prose .* one of english, finnish, linux, music\."):
        catalogue.choose("prose of authors")


def test_corpora_on_the_command_line_replace_the_experiments_which_are_not_fetched(monkeypatch):
    def fetch(corpora):
        raise AssertionError(f"{corpora} was asked for")

    monkeypatch.setattr("charrnn.sweeps.cells.choose", fetch)
    cells = compose_cells("fig9", ["scale=smoke", "data=stdlib", "scheme=1,2"])
    assert values(cells, "corpus", "scheme", "k1") == [
        ("stdlib", scheme, k1) for scheme in (1, 2) for k1 in (20, 100)
    ]
    with pytest.raises(AssertionError, match="auto was asked for"):
        compose_cells("fig9", ["scale=smoke"])
