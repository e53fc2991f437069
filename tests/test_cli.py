"""The commands as a user gives them, each in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mido
import pandas as pd
import pytest
from processes import ROOT, Command, run_command

from charrnn import __version__
from charrnn.config import scale_for_this_machine


def runs(tmp_path):
    return sorted(p.parent.name for p in (tmp_path / "runs").glob("*/finished.json"))


def test_the_sweep_of_the_four_schemes(command, tmp_path):
    first = command("-m", "scheme=1,2,3,4", "k1=20,40", "draw=false")
    assert first.returncode == 0, first.stderr
    lines = first.stderr.splitlines()
    assert lines[0] == f"charrnn {__version__}: starting; loading PyTorch takes a few seconds"
    assert (
        lines[1]
        == "scale=smoke (as asked for); to change it: scale=paper, long, laptop, quick or smoke"
    )
    assert "scheme=3 k1=20: same training as scheme=1 k1=20, trained once" in lines
    assert "8 cells, 6 distinct runs, 6 of them to train" in lines
    assert any("left for the sweep" in line for line in lines)
    assert "Warning" not in first.stderr
    assert len(runs(tmp_path)) == 6

    grid = pd.read_csv(tmp_path / "runs" / "grids" / "sweep-smoke.csv")
    assert len(grid) == 8
    assert sorted(set(grid["run"])) == runs(tmp_path)
    by_cell = grid.set_index(["scheme", "k1"])
    assert by_cell.loc[(1, 20), "run"] == by_cell.loc[(3, 20), "run"]
    assert by_cell.loc[(1, 20), "procedure"] == "windowed"
    assert by_cell.loc[(3, 20), "procedure"] == "progressive"

    marker = tmp_path / "runs" / runs(tmp_path)[0] / "finished.json"
    before = marker.stat().st_mtime_ns
    again = command("-m", "scheme=1,2,3,4", "k1=20,40", "draw=false")
    assert again.returncode == 0
    assert "8 cells, 6 distinct runs, 0 of them to train" in again.stderr
    assert "scheme=2 k1=40: trained before, reused" in again.stderr
    assert marker.stat().st_mtime_ns == before


def test_one_run_with_the_default_scale_says_which_and_why(command, tmp_path):
    result = command("scale=auto", "num_batches=1", "backbone.hidden_size=4", "scheme=4")
    assert result.returncode == 0, result.stderr
    reason = {"quick": "no GPU was found here", "paper": "a GPU was found here"}[
        scale_for_this_machine()
    ]
    assert f"({reason}); to change it: scale=" in result.stderr.splitlines()[1]
    assert len(runs(tmp_path)) == 1


@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_bad_input_is_one_sentence_and_nothing_is_written(command, tmp_path, mode):
    values = "k1=20,0" if mode else "k1=0"
    result = command(*mode, values)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last == "error: k1=0 cannot be used: it has to be a whole number, at least 1 token."
    assert not runs(tmp_path)


def test_one_failing_run_leaves_the_others_running(command, tmp_path, text_file):
    """A file that cannot be written where the run's folder should be: a real failure."""
    assert command("k1=40").returncode == 0
    (path,) = (tmp_path / "runs").glob("*/finished.json")
    folder = path.parent
    shutil.rmtree(folder)
    folder.write_text("in the way")
    result = command("-m", "k1=40,60,80", "scheme=1,3", "draw=false")
    assert result.returncode == 1
    assert "2 of 6 cells have no result." in result.stderr
    assert f"failed: k1=40 scheme=1: {folder} cannot be written: not a directory." in result.stderr
    assert f"failed: k1=40 scheme=3: {folder} cannot be written: not a directory." in result.stderr
    assert any("k1-80" in run for run in runs(tmp_path))


def test_a_corpus_that_cannot_be_fetched_costs_its_cells_only(
    command, text_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("CHARRNN_DATA", "/proc/nowhere")  # nothing can be written there
    own = tmp_path / "conf" / "data" / "own_text.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(f"defaults: [textfile]\npath: {text_file}\n")
    words = ["-m", "data=own_text,shakespeare", "scale=smoke", "k1=20", "sampling.length=0"]
    words += ["draw=false"]
    result = command(f"--config-dir={tmp_path / 'conf'}", *words, defaults=False)
    assert result.returncode == 1
    assert "1 of 2 cells have no result." in result.stderr
    assert "set the environment variable CHARRNN_DATA to another folder" in result.stderr
    assert len(runs(tmp_path)) == 1


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_the_usage_and_the_common_fields_first(command, flag):
    result = command(flag, defaults=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "python src/train.py -m scheme=1,2,3,4 k1=20,40" in result.stdout
    shown = re.findall(r"^    (\w+)=", result.stdout, re.MULTILINE)
    assert shown[:5] == ["experiment", "scheme", "data", "k1", "k2"]
    assert "docs/glossary.md" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_help_with_a_word_is_charrnn_help(command):
    result = command("--help", "scale", defaults=False)
    assert result.stdout.startswith("Group scale: ")
    assert result.stdout == charrnn("help", "scale").stdout
    wrong = charrnn("help", "hiden_size")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "it has to be a field, a group or an option, such as hidden_size, " in wrong.stderr


def test_the_flags_of_hydra_go_on_to_hydra(command):
    result = command("--cfg=job", "k1=7", defaults=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "k1: 7\n" in result.stdout
    assert "Hydra" in charrnn("train", "--hydra-help").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "completed"),
    [("optimizer=r", ["optimizer=rmsprop"]), ("backbone.forget", ["backbone.forget_bias="])],
)
def test_the_tab_key_completes_fields_and_values_in_bash(typed, completed):
    line = f"python src/train.py {typed}"
    script = f"""
        eval "$(python src/train.py -sc install=bash)"
        COMP_LINE="{line}" COMP_POINT={len(line)} COMP_WORDS=({line}) COMP_CWORD=2
        hydra_bash_completion
        echo "${{COMPREPLY[@]}}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    shell = ["bash", "-c", script]
    result = subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (result.stderr, result.stdout.split()) == ("", completed)


def test_a_plan_without_an_experiment_is_refused():
    result = charrnn("plan", "scale=smoke")
    assert result.returncode == 2
    assert result.stderr.startswith("error: charrnn plan needs the name of an experiment, such as")


@pytest.mark.slow
def test_a_plan_of_an_experiment_of_ones_own(text_file, tmp_path):
    own = tmp_path / "my conf"
    (own / "experiment").mkdir(parents=True)
    lines = ["# @package _global_", "hydra: {mode: MULTIRUN, sweeper: {params: {k1: '20,40'}}}"]
    lines += ["own: {width: 3}", "backbone: {hidden_size: '${own.width}'}"]
    (own / "experiment" / "mine.yaml").write_text("\n".join(lines))
    words = ["scale=smoke", "data=textfile", f"data.path={text_file}", "device=cpu"]
    result = charrnn("plan", "mine", *words, "--config-dir", own)
    assert result.returncode == 0, result.stderr
    assert "2 cells, 2 distinct runs: 2 planned; 2 to train" in result.stdout
    assert "multi-loss  1  3 " in result.stdout


@pytest.mark.slow
def test_the_status_of_runs_in_no_sweep(command, tmp_path):
    nothing = charrnn("status", "--runs", tmp_path / "runs")
    assert nothing.returncode == 2
    assert nothing.stderr.startswith(f"error: {tmp_path / 'runs'} has no runs: train one first")
    command("num_batches=2")
    (run,) = runs(tmp_path)
    alone = charrnn("status", "--runs", tmp_path / "runs")
    assert alone.returncode == 0, alone.stderr
    assert [line.split() for line in alone.stdout.splitlines()] == [
        ["run", "state"],
        [run, "finished"],
    ]
    command("-m", "scheme=2,4", "num_batches=2")
    unfinished = tmp_path / "runs" / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_text("k1: 20\nnum_batches: 9\n")
    both = charrnn("status", "--runs", "~/runs", HOME=str(tmp_path)).stdout.splitlines()
    assert "2 cells of 2 runs: 2 finished" in both
    assert [line.split() for line in both[-2:]] == [[run, "finished"], ["unfinished", "waiting"]]


def test_the_console_script_is_the_same_command():
    result = charrnn("help", "scale")
    assert (result.returncode, result.stderr) == (0, "")
    assert run_command("charrnn", ["help", "scale"]).stdout == result.stdout
    result = run_command("charrnn", ["train", "k1=0"])
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: k1=0 ")
    result = run_command("charrnn", [])
    assert result.returncode == 2
    assert result.stderr.startswith("usage: charrnn [-h]")


def charrnn(*words, **environment):
    return subprocess.run(
        [Path(sys.executable).with_name("charrnn"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_corpora_are_built_from_midi_and_from_gutenberg(tmp_path):
    folder = tmp_path / "midi"
    folder.mkdir()
    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=64, time=1)])
    mido.MidiFile(tracks=[track]).save(folder / "a.mid")
    out = tmp_path / "music.txt"
    result = run_command("charrnn", ["data", "build", "midi", folder, out])
    assert result.returncode == 0, result.stderr
    assert out.read_text() == "60\n"
    text = tmp_path / "text.txt"
    text.write_text("To be.\n")
    words = ["data", "build", "gutenberg", text, text, tmp_path / "all.txt"]
    result = run_command("charrnn", words)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "all.txt").read_text() == "To be.\n\nTo be.\n"
    result = run_command("charrnn", ["data", "build", "midi", tmp_path / "nowhere", out])
    assert result.returncode == 2
    assert result.stderr.startswith("error: FOLDER=")
    assert out.read_text() == "60\n"


def test_the_corpora_of_a_figure_are_chosen_in_one_word(command, tmp_path):
    """Names stay as they are; what the experiment sweeps can be replaced on the command line."""
    words = ["experiment=fig9", "scale=smoke", "corpora='stdlib'", "scheme=4", "num_batches=1"]
    words += ["draw=false"]
    result = command(*words, defaults=False)
    assert result.returncode == 0, result.stderr
    grid = pd.read_csv(tmp_path / "runs" / "grids" / "fig9-smoke.csv")
    assert set(grid["corpus"]) == {"stdlib"}
    assert set(grid["scheme"]) == {4}
    assert set(grid["k1"]) == {20, 100}
    result = command("experiment=fig9", "scale=smoke", "corpora=nothing", defaults=False)
    assert result.returncode == 2
    assert "error: data=nothing cannot be used: it has to be one of chorales, " in result.stderr


def test_figure_9_from_its_experiment_to_its_files(command, tmp_path):
    result = command("experiment=fig9", "draw=false")  # on the small text, at smoke scale
    assert result.returncode == 0, result.stderr
    assert "8 cells, 6 distinct runs, 6 of them to train" in result.stderr
    grid = pd.read_csv(tmp_path / "runs" / "grids" / "fig9-smoke.csv")
    cells = {(scheme, k1) for scheme in (1, 2, 3, 4) for k1 in (20, 100)}
    assert set(zip(grid["scheme"], grid["k1"], strict=True)) == cells
    assert set(grid["num_layers"]) == {1}
    words = ["fig9", "--scale", "smoke", "--runs", tmp_path / "runs"]
    drawn = run_command("analysis.drawing.figure", words)
    assert drawn.returncode == 0, drawn.stderr
    png, svg, table = map(Path, drawn.stdout.split())
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()
    assert len(pd.read_csv(table)) == 8 * 3  # evaluations after 1, 3 and 6 batches


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_no_success_and_no_result(tmp_path, text_file, sent, status):
    words = [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
    words += ["scale=smoke", "num_batches=100000", "evaluate_at=[3]", "checkpoint_share=1000"]
    with Command("src/train.py", words, read=["stderr"]) as process:
        assert any("batch      3" in line for line in process.stderr)
        process.send_signal(sent)
        _, rest = process.communicate()
    assert process.returncode == status
    assert re.search(r"ended by SIG\w+; the same command resumes from batch \d+\.", rest)
    assert not runs(tmp_path)
