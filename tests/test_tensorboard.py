"""What TensorBoard is given, that measuring changes nothing, and what a browser shows of it."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import reference
import torch
from browser import visit
from helpers import gradients, model_and_parameters
from playwright.sync_api import expect
from processes import ROOT, Command
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from watching import wait_until

from charrnn.backbone.acceleration import eager_only
from charrnn.callbacks.state_size import state_size
from charrnn.commands.tensorboard import for_this_machine, serve
from charrnn.errors import CharRNNError
from charrnn.logger.tensorboard import TensorBoard
from charrnn.runs.folder import RunFolder
from charrnn.training.build import build_scheme
from charrnn.training.train_run import prepare, train


def events(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def series(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events(folder).Scalars(tag)]


def events_of(run: RunFolder) -> dict[str, Path]:
    """The folders of a run's events, by the scheme that they are named after."""
    digest = run.path.name.rpartition("_")[2]
    folders = (run.path.parent / "tensorboard").glob(f"* {digest}")
    return {" ".join(folder.name.split()[1:3]): folder for folder in folders}


def chart_of(run: RunFolder) -> str:
    """The tag of the perplexity: the text may change, so its hash stands beside its name."""
    sha256 = json.loads((run.path / "identity.json").read_text())["corpus"]["sha256"]
    return f"perplexity/text@{sha256[:6]}"


@pytest.mark.parametrize("eager", [True, False])
def test_the_clipped_elements_are_those_that_the_reference_clips(monkeypatch, eager):
    clipped = []

    def backward(ctx, gradient):
        clipped.append(int((gradient.abs() > ctx.bound).sum()))
        return gradient.clamp(-ctx.bound, ctx.bound), None

    monkeypatch.setattr(reference.ClipGradient, "backward", staticmethod(backward))
    backbone, p = model_and_parameters(layers=2, grad_clip=0.02)
    tokens_TB = torch.randint(7, (9, 4), generator=torch.Generator().manual_seed(0))
    targets_TB = tokens_TB.roll(1, 0)
    logits, _ = reference.run(p, tokens_TB, reference.initial_state(p, 4), clip=0.02)
    # Not averaged, for gradients of which the bound holds some.
    loss = torch.nn.functional.cross_entropy
    loss(logits.flatten(0, 1), targets_TB.flatten(), reduction="sum").backward()

    for layer in backbone.recurrent_layers():
        layer.num_clipped = torch.zeros((), dtype=torch.int64)
    with eager_only() if eager else torch.enable_grad():
        hidden_TBH, _ = backbone.recur(tokens_TB, backbone.initial_state(4))
        found = backbone.readout(hidden_TBH).flatten(0, 1)
        loss(found, targets_TB.flatten(), reduction="sum").backward()
    counted = [int(layer.num_clipped) for layer in backbone.recurrent_layers()]
    assert sum(counted) == sum(clipped)
    assert all(0 < number < 9 * 4 * 4 * 5 for number in counted)
    for name, gradient in gradients(backbone).items():
        torch.testing.assert_close(gradient, p[name].grad)


def test_the_size_of_a_state():
    # Two layers of one unit, two sequences. tanh(3) = 0.995, tanh(2) = 0.964.
    lower = torch.tensor([[0.0], [4.0]]), torch.tensor([[3.0], [-1.0]])
    upper = torch.tensor([[4.0], [0.0]]), torch.tensor([[0.0], [-2.0]])
    size = {name: value.item() for name, value in state_size([lower, upper]).items()}
    assert size == {
        "mean_abs_cell": 1.5,
        "max_abs_cell": 3.0,
        "norm": pytest.approx((5 + math.sqrt(16 + 1 + 4)) / 2),
        "saturated_share": 0.25,
    }


@pytest.mark.parametrize("scheme", [1, 4])
def test_what_is_measured_and_written_changes_no_weight(config, tmp_path, scheme):
    settings = (f"scheme={scheme}", "num_batches=12", "k1=100", "backbone.dropout=0.25")
    much = train(config(*settings, "log_every=1", "sampling.log_length=9"))
    elsewhere = f"output_dir={tmp_path / 'little'}"
    little = train(config(*settings, "log_every=1000", "sampling.log_length=0", elsewhere))
    assert much.path.name == little.path.name
    same = (folder.path / "weights.pt" for folder in (much, little))
    assert next(same).read_bytes() == next(same).read_bytes()
    one, other = (f.read_table()["perplexity"] for f in (much, little))
    assert one.equals(other)


def test_a_run_tells_tensorboard_of_its_training(config):
    settings = ("scheme=4", "precision=64", "log_every=2", "backbone.grad_clip=1e-7")
    cfg = config(*settings)
    run = train(cfg)
    folder = events_of(run)["scheme 4"]
    steps = [128, 256, 384]
    tokens_per_second = series(folder, "train/tokens_per_second")
    assert [step for step, _ in tokens_per_second] == steps
    seconds = run.read_table()["train_seconds"].iloc[-1]
    # Twice two batches, and then twice two: the mean speed is their harmonic mean.
    speed = 3 / sum(1 / value for _, value in tokens_per_second)
    assert speed == pytest.approx(6 * 64 * 100 / seconds, rel=0.3)

    # The second batch, once more by hand.
    datamodule = prepare(cfg).datamodule
    scheme = build_scheme(cfg, len(datamodule.tokens.vocabulary))
    optimizer = scheme.configure_optimizers()
    for batch, _ in zip(datamodule.batches, range(2), strict=False):
        optimizer.zero_grad()
        (layer,) = scheme.backbone.recurrent_layers()
        layer.num_clipped = torch.zeros((), dtype=torch.int64)
        loss = scheme.training_step(batch)
        loss.backward()
        norm = sum(p.grad.square().sum() for p in scheme.parameters() if p.grad is not None) ** 0.5
        optimizer.step()
    _, c_BH = scheme.carried[0]
    share = layer.num_clipped.item() / (100 * 64 * 4 * 16)
    assert 0.05 < share < 0.95
    expected = {
        "train/loss": loss.item(),
        "train/gradient_norm": norm.item(),
        "train/clipped_share": share,
        "state/mean_abs_cell": c_BH.abs().mean().item(),
    }
    for tag, value in expected.items():
        assert series(folder, tag)[0] == (128, pytest.approx(value, rel=1e-5))


def test_every_reading_of_a_run_is_one_of_tensorboards_runs(config):
    run = train(config("scheme=1", "evaluate_at=[1,3]"))
    table = run.read_table()
    for scheme, procedure in (("1", "windowed"), ("3", "progressive")):
        folder = events_of(run)[f"scheme {scheme}"]
        rows = table[table["procedure"] == procedure]
        shown = series(folder, chart_of(run))
        assert [step for step, _ in shown] == rows["train_sequences"].tolist()
        assert [value for _, value in shown] == pytest.approx(rows["perplexity"].tolist(), rel=1e-6)
        assert series(folder, "perplexity_final")[-1] == shown[-1]
        assert series(folder, "perplexity_best")[-1][1] == min(value for _, value in shown)
        columns = events(folder).summary_metadata["_hparams_/session_start_info"].plugin_data
        assert f"scheme\x12\x03\x1a\x01{scheme}".encode() in columns.content
        texts = events(folder).Tensors("sample/text_summary")
        assert [text.step for text in texts] == [64, 192, 384]
        # The last one is the beginning of what the trained model has written at the end.
        (text,) = texts[-1].tensor_proto.string_val
        drawn = (run.path / f"sample-{procedure}.txt").read_text()[100:]
        lines = [line.removeprefix("    ") for line in text.decode().split("\n")]
        assert "\n".join(lines) == drawn[:3].removesuffix("\n")


def test_a_diverged_run_is_shown_too(config):
    run = train(config("optimizer.lr=1e30", "scheme=2"))
    folder = events_of(run)["scheme 2"]
    last = events(folder).Tensors("sample/text_summary")[-1]
    (text,) = last.tensor_proto.string_val
    assert b"not finite" in text
    assert math.isnan(series(folder, "perplexity_final")[-1][1])


def test_the_best_perplexity_is_that_before_the_divergence(tmp_path):
    with closing(TensorBoard({"windowed": tmp_path}, "text", {"windowed": {}})) as written:
        written.add_perplexity("windowed", [9.0, 8.0, math.nan], step=64)
        written.add_perplexity("windowed", [9.0, 8.0, math.nan, math.inf], step=128)
    assert series(tmp_path, "perplexity_best") == [(64, 8.0), (128, 8.0)]
    assert series(tmp_path, "perplexity_final")[-1] == (128, math.inf)


def test_names_tell_runs_apart(config, tmp_path):
    def names(*words: str) -> set[str]:
        run = train(config("scale.num_batches=1", *words))
        return {path.name.removesuffix(run.path.name[-10:]) for path in events_of(run).values()}

    rest = "k1=20 k2=100 r=1 gamma=16 seed="
    assert names("scheme=1") == {f"text scheme 1 {rest}0 ", f"text scheme 3 {rest}0 "}
    assert names("scheme=4", "seed=1") == {f"text scheme 4 {rest}1 "}
    # Departures from the scheme at its scale are in the name, too; the length of a run is not.
    for word, shown in {
        "backbone.dropout=0.5": "dropout=0.5",
        "optimizer=rmsprop": "optimizer=rmsprop alpha=0.9 lr=0.001",
        "backbone.grad_clip=null": "grad_clip=null",
        "precision=64": "precision=64",
        "datamodule.seed=3": "datamodule.seed=3",
        "num_batches=2": "",
    }.items():
        assert names("scheme=4", word) == {f"text scheme 4 {rest}0 {shown}".rstrip() + " "}


def test_a_name_has_only_characters_that_tensorboard_can_select(config, tmp_path):
    path = tmp_path / "Ääni \u6b4c.txt"
    path.write_text("the seat of the hat\n" * 1000)
    run = train(config("data=textfile", f"data.path='{path}'", "num_batches=1", "scheme=4"))
    (folder,) = (run.path.parent / "tensorboard").iterdir()
    assert folder.name.startswith("Ääni U+6B4C scheme 4 k1=20 ")


def test_a_name_fits_a_file_system_whatever_the_corpus(config, tmp_path):
    path = tmp_path / f"{'Ä' * 20}{'long' * 48}.txt"
    path.write_text("the seat of the hat\n" * 1000)
    run = train(config("data=textfile", f"data.path='{path}'", "num_batches=1"))
    for folder in (run.path.parent / "tensorboard").iterdir():
        assert len(folder.name.encode()) <= 211
        assert folder.name.endswith(run.path.name[-10:])
        assert len(series(folder, "perplexity_final")) > 0


def test_without_a_folder_of_events_one_sentence_says_so(tmp_path):
    with pytest.raises(CharRNNError, match="nowhere/tensorboard is not a directory: train a run"):
        serve(tmp_path / "nowhere", "127.0.0.1", 0)


def test_only_who_asks_for_it_is_bound_elsewhere():
    def listens(*words: str, **exported: str) -> list[str]:
        command = ["make", "--no-print-directory", "--dry-run", "tensorboard", *words]
        env = {**os.environ, **exported}
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1].split()[2:]

    assert listens(HOST="0.0.0.0", BIND="0.0.0.0", PORT="80") == [
        "--host",
        "127.0.0.1",
        "--port",
        "6006",
    ]
    assert listens("BIND=::1", "PORT=7007") == ["--host", "::1", "--port", "7007"]


@contextmanager
def serving(runs: Path) -> Iterator[str]:
    """TensorBoard's address, as the command prints it."""
    words = ["tensorboard", "--runs", runs, "--port", "0"]
    with Command("charrnn", words, read=["stdout"]) as process:
        lines = iter(process.stdout.readline, "")
        yield next(line.split()[1] for line in lines if line.startswith("TensorBoard: "))
        process.terminate()
        assert process.wait() == 0


@pytest.mark.slow
def test_a_browser_shows_scalars_the_table_of_runs_and_texts(command, tmp_path):
    assert command("-m", "scheme=1,2,3,4", "log_every=2", "draw=false").returncode == 0
    names = [f"scheme {n}" for n in (1, 2, 3, 4)]
    with serving(tmp_path / "runs") as address, visit(address) as v:
        port = int(address.rstrip("/").rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
        card = v.page.locator("card-view", has_text="perplexity/text@")
        card.locator("line-chart svg, line-chart canvas").first.wait_for()
        for name in names:
            v.page.get_by_text(name).first.wait_for()
        assert v.errors == []

        v.page.goto(f"{address}?smoothing=0#custom_scalars")
        v.page.reload()
        v.page.get_by_text("Perplexity of the schemes").wait_for()
        matches = v.page.get_by_text("Matches (4)")
        # The perplexity, the reading gap, and all four of the training.
        expect(matches).to_have_count(6)

        v.page.goto(f"{address}?smoothing=0#hparams")
        v.page.reload()
        v.page.get_by_text("perplexity_final").first.wait_for()
        for name in names:
            v.page.get_by_text(f"text {name}").first.wait_for()

        v.page.goto(f"{address}?smoothing=0#text")
        v.page.reload()
        v.page.get_by_text("step 384").first.wait_for()
        wait_until(lambda: v.page.locator("tf-text-loader code").count() >= 4)
        assert v.errors == []
        assert {request.split("/")[2] for request in v.requests} == {f"127.0.0.1:{port}"}


@pytest.mark.slow
def test_of_more_runs_than_tensorboard_selects_the_terminal_says_how_to_see_them(tmp_path):
    for number in range(41):
        folders = {"windowed": tmp_path / "tensorboard" / f"Ääni U+6B4C {number}"}
        with closing(TensorBoard(folders, "Ääni \u6b4c", {"windowed": {}})) as written:
            for step in (64, 128):
                written.add_perplexity("windowed", [9.0 - step / 64], step)
    with serving(tmp_path) as address, visit(f"{address}#custom_scalars") as v:
        v.page.get_by_text("Matches (0)").first.wait_for()
        v.page.get_by_text("Toggle All Runs").click()
        v.page.get_by_text("Matches (41)").first.wait_for()
        assert v.errors == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("127.0.0.1:6006", "200 OK"), ("localhost", "200 OK"), ("[::1]:1", "200 OK")),
        *(("evil.example:6006", "403 Forbidden"), ("127.0.0.1.evil.example", "403 Forbidden")),
        *(("", "403 Forbidden"), (None, "403 Forbidden")),
    ],
)
def test_a_page_of_this_machine_answers_to_its_own_names_only(host, status):
    def app(_, start_response):
        start_response("200 OK", [])
        return [b"runs"]

    said = []
    environ = {} if host is None else {"HTTP_HOST": host}
    body = b"".join(for_this_machine(app)(environ, lambda first, _: said.append(first)))
    assert said == [status]
    assert (body == b"runs") is (status == "200 OK")


@pytest.mark.parametrize(
    ("words", "field"), [((0, "999.1.1.1"), "--host=999.1.1.1"), ((70_000,), "--port=70000")]
)
def test_an_address_that_there_is_not_is_refused(tmp_path, words, field):
    (tmp_path / "tensorboard").mkdir()
    port, host = (*words, "127.0.0.1")[:2]
    with pytest.raises(CharRNNError, match=rf"^{field} cannot be used: it has to be a "):
        serve(tmp_path, host, port)
