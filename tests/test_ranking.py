"""What a sweep prints at its end, with values worked out by hand."""

from __future__ import annotations

import math
import re

import pytest
from helpers import evaluation

from charrnn.errors import BadInput
from charrnn.runs.folder import RunFolder
from charrnn.sweeps.answer import SHOWN, print_ranking
from charrnn.sweeps.cells import Cell
from charrnn.sweeps.names import sweep_name
from charrnn.sweeps.ranking import best_of_each, rank


@pytest.fixture
def cell(config, tmp_path):
    """A cell with a run that ends at this perplexity after 100 batches, or with an error."""

    def make(final: float | None, *words: str, error: str | None = None) -> Cell:
        cfg = config("num_batches=100", *words)
        name = re.sub(r"\W", "-", "_".join(words)) + f"_{final}"
        folder = RunFolder(tmp_path / "runs" / name)
        if final is not None:
            folder.start(100, "", {}, {})
            folder.write_table(
                [
                    evaluation(batches, procedure, value)
                    for procedure, values in (
                        ("windowed", [90.0, final]),
                        ("progressive", [80.0, 2 * final]),
                    )
                    for batches, value in zip((1, 100), values, strict=True)
                ]
            )
            folder.finish({})
        return Cell([*words], cfg, " ".join(words), folder, error)

    return make


def test_replicates_are_joined_and_the_best_come_first_and_failed_ones_last(cell):
    """Roots: 4 times 9 is 36, so 6; 2 times 4 times 8 is 64, so 4."""
    cells = [
        cell(None, "scheme=1", "k1=10", "seed=0", error="MemoryError: full\nand more"),
        cell(4.0, "scheme=1", "k1=20", "seed=0"),
        cell(math.nan, "scheme=1", "k1=30", "seed=0"),
        cell(9.0, "scheme=1", "k1=20", "seed=1"),
        cell(2.0, "scheme=1", "k1=40", "seed=0"),
        cell(4.0, "scheme=1", "k1=40", "seed=1"),
        cell(8.0, "scheme=1", "k1=40", "seed=2"),
        cell(5.0, "scheme=1", "k1=50", "seed=0"),
        cell(None, "scheme=1", "k1=50", "seed=1", error="out of luck"),
        cell(3.0, "scheme=1", "k1=60", "seed=0"),
        cell(math.inf, "scheme=1", "k1=60", "seed=1"),
    ]
    trained = {one.folder.path for one in cells[4:6]}
    rows = rank(cells, trained)
    assert [row.values for row in rows] == [
        {"k1": k1} for k1 in ("40", "50", "20", "30", "60", "10")
    ]
    means = [row.mean for row in rows]
    assert means[:3] == pytest.approx([4, 5, 6])
    assert means[3:] == [math.inf, math.inf, None]
    assert [row.known for row in rows][:3] == [[2, 4, 8], [5], [4, 9]]
    assert [row.state for row in rows] == [
        "2 trained now, 1 reused",
        "1 reused, 1 failed: out of luck",
        "2 reused",
        "diverged",
        "1 reused, 1 diverged",
        "failed: MemoryError: full",
    ]


def test_each_scheme_is_read_as_it_samples(cell):
    """Read progressively, the runs made here have twice their windowed perplexity."""
    rows = rank([cell(5.0, "scheme=3"), cell(9.0, "scheme=1"), cell(4.0, "scheme=4")], set())
    assert [(row.values, row.mean) for row in rows] == [
        ({"scheme": "4"}, pytest.approx(8)),
        ({"scheme": "1"}, pytest.approx(9)),
        ({"scheme": "3"}, pytest.approx(10)),
    ]


def test_only_what_varies_has_a_column(cell):
    words = "scheme=1", "backbone.dropout=0.5", "optimizer.lr=0.001"
    (alone,) = rank([cell(5.0, *words)], set())
    assert alone.values == {"scheme": "1"}
    several = [
        cell(5.0, *words),
        cell(6.0, "scheme=1", "backbone.dropout=0.5", "optimizer.lr=0.01"),
        cell(7.0, "scheme=1", "backbone.dropout=0.5"),
        cell(8.0, "scheme=1", "backbone.dropout=0.5", "optimizer.lr=0.01", "backbone.seed=7"),
    ]
    assert [row.values for row in rank(several, set())] == [
        {"lr": "0.001", "backbone.seed": "0"},
        {"lr": "0.01", "backbone.seed": "0"},
        {"lr": "0.001", "backbone.seed": "0"},
        {"lr": "0.01", "backbone.seed": "7"},
    ]


def test_corpora_are_ranked_each_by_itself(cell, tmp_path):
    texts = [tmp_path / f"{name}.txt" for name in ("first", "second")]
    found = {}
    for n, (text, k1, final) in enumerate(
        [(texts[0], 20, 9.0), (texts[0], 40, 8.0), (texts[1], 20, 3.0), (texts[1], 40, 4.0)]
    ):
        found[n] = cell(final, "data=textfile", f"data.path={text}", f"k1={k1}")
    rows = rank([*found.values()], set())
    assert [(row.values["corpus"], row.mean) for row in rows] == [
        ("first", pytest.approx(8)),
        ("first", pytest.approx(9)),
        ("second", pytest.approx(3)),
        ("second", pytest.approx(4)),
    ]
    assert [row.mean for row in best_of_each(rows, 2)] == pytest.approx([8, 3])


def test_the_table_and_how_much_of_a_long_one_is_shown(cell, capsys):
    cells = [cell(4.0, "k1=20", "seed=0"), cell(9.0, "k1=20", "seed=1"), cell(8.0, "k1=40")]
    print_ranking("mine", rank(cells, set()), "charrnn status")
    _, title, words, head, *lines = capsys.readouterr().out.splitlines()
    assert words == "k1: tokens from the start of one training sequence to the start of the next."
    assert title.startswith("mine: final perplexity of the test split, best first; the geometric ")
    assert head.split()[:5] == ["k1", "perplexity", "lowest", "highest", "replicates"]
    assert [line.split() for line in lines] == [
        ["20", "6.00", "4.00", "9.00", "2", "2.58", "100", "2", "reused"],  # log2(6) = 2.585
        ["40", "8.00", "8.00", "8.00", "1", "3.00", "100", "reused"],
    ]
    many = [cell(2.0 + n, f"k1={n + 1}") for n in range(SHOWN + 3)]
    many.append(cell(None, "k1=99", error="out of luck"))
    print_ranking("mine", rank(many, set()), "charrnn status --runs x")
    _, _, _, _, *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(n + 1) for n in range(SHOWN)]
    assert last == "and 4 more rows: charrnn status --runs x shows every cell."


def test_a_name_is_a_files_and_nobody_elses():
    assert sweep_name(None, None) == "sweep"
    assert sweep_name(None, "fig9") == "fig9"
    assert sweep_name("fig9", "fig9") == "fig9"
    assert sweep_name("my_text-2", "fig9") == "my_text-2"
    assert sweep_name(2024, None) == "2024"
    for name in ("", "a b", "../a", "a.b", "é", "x" * 101):
        with pytest.raises(BadInput, match=r"^name=.* made of letters, digits, - and _"):
            sweep_name(name, None)
    for name in ("fig9", "reading-gap", "all", "table4"):
        with pytest.raises(BadInput, match=r" one that no experiment and no figure "):
            sweep_name(name, None)


def lines_of(out: str, start: str) -> list[str]:
    return [line.strip() for line in out.splitlines() if line.strip().startswith(start)]


def test_a_sweep_ends_with_its_table_its_figure_and_what_comes_next(command, tmp_path):
    words = "-m", "scheme=1,2,3", "seed=0,1", "name=mine", "num_batches=2"
    first = command(*words)
    assert first.returncode == 0, first.stderr
    assert "Warning" not in first.stderr
    runs = tmp_path / "runs"
    figures = {path.name for path in (runs / "figures").iterdir()}
    assert figures == {f"mine-smoke.{suffix}" for suffix in ("png", "svg", "csv")}
    assert "sweep mine" in (runs / "figures" / "mine-smoke.svg").read_text()
    assert [path.name for path in (runs / "grids").glob("*.csv")] == ["mine-smoke.csv"]
    title, rest = first.stdout.lstrip().split("\n", 1)
    assert title.startswith("mine, scale=smoke: final perplexity of the test split, best first")
    table, steps = rest.split("next:")
    explained, _, *rows = table.splitlines()
    assert explained == "scheme: a way to train together with a way to sample."
    rows = [row.split() for row in rows]
    assert sorted(row[0] for row in rows) == ["1", "2", "3"]
    assert [float(row[1]) for row in rows] == sorted(float(row[1]) for row in rows)
    assert all(row[-3:] == ["2", "trained", "now"] for row in rows)
    assert lines_of(steps, "see the figure") == [
        f"see the figure      {runs}/figures/mine-smoke.png"
    ]
    (sample,) = re.findall(r"charrnn sample (\w+) --procedure \w+ --runs", steps)
    assert len([path for path in runs.iterdir() if path.name.endswith(sample)]) == 1
    assert f"charrnn status --runs {runs}" in steps
    assert f"python -m analysis.report --scale smoke --runs {runs}" in steps

    before = {path: path.stat().st_mtime_ns for path in (runs / "figures").iterdir()}
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split() == first.stdout.replace("trained now", "reused").split()
    assert {path: path.stat().st_mtime_ns for path in (runs / "figures").iterdir()} == before


def test_the_command_that_lets_the_best_run_write_works(command, charrnn, tmp_path):
    swept = command("-m", "scheme=1,4", "num_batches=2", "draw=false")
    assert not (tmp_path / "runs" / "figures").exists()
    (found,) = re.findall(r"charrnn (sample .*)$", swept.stdout, re.MULTILINE)
    status, text, _ = charrnn(*found.split(), "--length", 9)
    assert status == 0
    assert len(text) >= 9
    (drawing,) = re.findall(r"python -m (.*)$", swept.stdout.partition("every")[0], re.MULTILINE)
    assert drawing == f"analysis.drawing.figure sweep --scale smoke --runs {tmp_path / 'runs'}"


def test_a_figure_that_fails_does_not_fail_the_sweep(command, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "figures").write_text("in the way")
    result = command("-m", "scheme=2", "num_batches=2")
    assert result.returncode == 0, result.stderr
    assert len(lines_of(result.stderr, "sweep was not drawn: ")) == 1
    assert "Traceback" not in result.stderr
    assert "next:" in result.stdout


@pytest.mark.slow
def test_a_failed_run_is_in_the_table_and_can_be_tried_again(command, tmp_path):
    command("-m", "scheme=2", "k1=20", "num_batches=2", "draw=false")
    (run,) = (tmp_path / "runs").glob("*/finished.json")
    run.unlink()
    (run.parent / "failed.txt").write_text("Traceback\nRuntimeError: out of luck\n")
    result = command("-m", "scheme=2", "k1=20,40", "num_batches=2", "draw=false")
    assert result.returncode == 1
    table = result.stdout.split("next:")[0].splitlines()
    assert table[-2].split()[0] == "40"
    assert table[-1].split()[:5] == ["20", "-", "-", "2", "failed:"]
    assert "RuntimeError: out of luck" in table[-1]
    (retry,) = lines_of(result.stdout, "try again")
    assert retry.endswith("k1=20,40 num_batches=2 draw=false retry_failed=true")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "scheme=1,2", "name=a/b"], "error: name=a/b cannot be used: it has to be made of "),
        (["-m", "scheme=1,2", "name=a,b"], "error: name=a cannot be used: it has to be the same "),
        (["scheme=1", "name=fig9"], "error: name=fig9 cannot be used: it has to be one that no "),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_a_sentence(command, tmp_path, words, message):
    result = command(*words)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(message)
    assert not (tmp_path / "runs").exists()


def test_a_single_run_ends_with_both_readings(command, tmp_path):
    for _ in range(2):  # trained, then reused
        result = command("scheme=3", "num_batches=2")
        assert result.returncode == 0, result.stderr
        (run,) = (tmp_path / "runs").glob("*/finished.json")
        last = RunFolder(run.parent).read_table().set_index("procedure")["perplexity"][-2:]
        told = ", ".join(
            f"{name} {last[name]:.2f} ({math.log2(last[name]):.2f} bits per token)"
            for name in ("windowed", "progressive")
        )
        assert result.stdout.splitlines()[1] == f"final perplexity after 2 batches: {told}"
        digest = run.parent.name.rpartition("_")[2]
        assert f"charrnn sample {digest} --procedure progressive --runs " in result.stdout
