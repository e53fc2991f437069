"""On a pretended GPU everything computes what it computes on a CPU, and seldom makes the GPU wait.

See fake_cuda.py. Expected values are those of the same code on a CPU, to the bit: other tests hold
them to the reference.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from fake_cuda import CUDA, FakeCuda
from helpers import plain_trainer
from hydra.utils import instantiate
from omegaconf import OmegaConf
from own_loops import data, scheme_of
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy

import charrnn
from charrnn import devices
from charrnn.backbone.acceleration import eager_only
from charrnn.backbone.gru import GRUNetwork
from charrnn.backbone.minimal import MinGRUNetwork, MinLSTMNetwork
from charrnn.backbone.network import Backbone
from charrnn.backbone.rnn import RNNNetwork
from charrnn.config import conf_folder
from charrnn.datamodule.batches import Batch
from charrnn.datamodule.parts import Parts
from charrnn.devices import Place
from charrnn.evaluation.by_position import perplexity_by_position
from charrnn.evaluation.far_past import gain_from_far_past
from charrnn.evaluation.in_parts import InParts
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.evaluation.reading_on import effective_remembrance, read_on
from charrnn.sampling.samplers import SAMPLERS, STREAMS, Choice
from charrnn.schemes.losses import WEIGHTINGS
from charrnn.schemes.starts import STARTS
from charrnn.schemes.truncated_bptt import BPTT
from charrnn.training.train_run import train

V = 5
TOKENS_TB = torch.randint(V, (2, 4, 3), generator=torch.Generator().manual_seed(0))
TEXT_N = torch.randint(V, (60,), generator=torch.Generator().manual_seed(1))

CELLS = {
    "lstm, peepholes of lasagne": partial(Backbone, peepholes="lasagne"),
    "lstm, peepholes of the paper": partial(Backbone, peepholes="paper"),
    "lstm, no peepholes": partial(Backbone, peepholes="none", grad_clip=None),
    "lstm, normalised": partial(Backbone, layer_norm=True),
    "lstm, normalised, no peepholes": partial(Backbone, layer_norm=True, peepholes="none"),
    "gru, reset after": partial(GRUNetwork, reset_gate="after"),
    "gru, reset before": partial(GRUNetwork, reset_gate="before"),
    "gru, reset after, normalised": partial(GRUNetwork, reset_gate="after", layer_norm=True),
    "gru, reset before, normalised": partial(GRUNetwork, reset_gate="before", layer_norm=True),
    "rnn": RNNNetwork,
    "mingru": MinGRUNetwork,
    "mingru, positive": partial(MinGRUNetwork, candidate="positive"),
    "minlstm": MinLSTMNetwork,
    "minlstm, positive": partial(MinLSTMNetwork, candidate="positive"),
}
Scheme4 = charrnn.Scheme4
SCHEMES = {
    **{f"1, start={name}": partial(charrnn.Scheme1, start=name) for name in STARTS},
    **{f"3, {name}": partial(charrnn.Scheme3, weighting=name, k3=2) for name in WEIGHTINGS},
    "1, noise, reset": partial(charrnn.Scheme1, start="noise", reset=0.5),
    "2": charrnn.Scheme2,
    "4": Scheme4,
    "4, learned": partial(Scheme4, start="learned", k3=1),
    "4, reset": partial(Scheme4, reset=0.5),
    "4, recompute": partial(Scheme4, recompute=True),
    "4, no restart": partial(Scheme4, restart=False),
    "bptt": BPTT,
    "bptt, all": partial(BPTT, weighting="linear", reset=0.5, recompute=True, start="learned"),
}
ALL_OF_4 = partial(Scheme4, reset=0.5, recompute=True, restart=False, start="learned")
OPTIMIZERS = sorted(path.stem for path in (conf_folder() / "optimizer").iterdir())


@pytest.fixture(autouse=True)
def eager():
    with eager_only():
        yield


def backbone_of(cell=Backbone, layers=1):
    return cell(V, layers, hidden_size=4, dense_size=3).double()


def optimizer_of(name):
    make = instantiate(OmegaConf.load(conf_folder() / "optimizer" / f"{name}.yaml"))
    # On a GPU torch takes these itself, unless the tensors are of a class that it does not know.
    return make if make.keywords.get("fused") or "lasagne" in name else partial(make, foreach=True)


def train_on(batch, scheme, optimizer, number):
    """The loss of a batch; its gradients stay where they are."""
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = scheme.training_step(batch)
        loss.backward()
        losses.append(loss.detach())
        return loss

    scheme.optimizer_step(0, number, optimizer, closure)
    (loss,) = losses
    return loss


def trained(make, backbone, device, optimizer="adam"):
    """Losses, weights and states after four batches, and where the last two waited."""
    torch.manual_seed(0)
    scheme = make(backbone, optimizer_of(optimizer), 2, 3).to(device)
    made = scheme.configure_optimizers()
    losses, tokens_TB = [], TOKENS_TB.to(device)
    for n in range(4):
        if n == 2:  # constants have been copied
            FakeCuda.now.waits.clear()
        batch = Batch(tokens_TB[n % 2, :-1], tokens_TB[n % 2, 1:], number=n % 2)
        losses.append(train_on(batch, scheme, made, n))
    waits = [*FakeCuda.now.waits]
    values = [*losses, *scheme.parameters()]
    values += [x for layers in (scheme.carried, scheme.reached) for layer in layers for x in layer]
    assert all(value.device == torch.device(device) for value in values)
    return [value.detach().cpu() for value in values], waits


def assert_same_on_cuda(make, *arguments, optimizer="adam"):
    with FakeCuda():
        expected, _ = trained(make, backbone_of(*arguments), "cpu", optimizer)
        found, waits = trained(make, backbone_of(*arguments), "cuda:0", optimizer)
    # Not to the bit: on a GPU, scans and sums over tokens are made in another order.
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert waits == []


def test_the_pretended_gpu_refuses_tensors_of_the_cpu_and_notes_what_waits():
    with FakeCuda() as gpu:
        here = torch.arange(6.0, device="cuda:0").view(2, 3)
        assert here.device == (2 * here).sum(0).device == CUDA
        for wrong in (
            lambda: here + torch.ones(3),
            lambda: torch.cat([here, torch.ones(2, 3)]),
            lambda: here.index_select(0, torch.tensor([1])),
            lambda: here.normal_(generator=torch.Generator()),
        ):
            with pytest.raises(RuntimeError, match="cuda:0"):
                wrong()
        assert gpu.waits == []
        assert (here[1] * torch.tensor(2.0)).tolist() == [6, 8, 10]
        assert here.sum().item() == 15
        assert here.cpu().add(torch.ones(3)).sum() == 21
        assert torch.ones(3).to("cuda:0", non_blocking=True).is_cuda
        assert len(gpu.waits) == 4
        assert here[here > 3].shape == (2,)
        assert len(gpu.waits) == 5
        torch.ones(3).pin_memory().to("cuda:0", non_blocking=True)
        assert len(gpu.waits) == 5


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns_the_same_on_cuda(cell):
    # A GPU computes linear recurrences in another order.
    assert_same_on_cuda(ALL_OF_4, CELLS[cell], 2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_learns_the_same_on_cuda(scheme):
    assert_same_on_cuda(SCHEMES[scheme])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_the_same_on_cuda(optimizer):
    assert_same_on_cuda(charrnn.Scheme1, optimizer=optimizer)


def in_parts(backbone, tokens_N, k2):
    reader = InParts(backbone, k2)
    for part in Parts(tokens_N, k2):
        reader.read(part)
    return reader.perplexities()


MEASURES = {
    **PROCEDURES,
    "in parts": in_parts,
    "by position": lambda *given: perplexity_by_position(*given).tolist(),
    "far past": partial(gain_from_far_past, near=2),
    "reading on": lambda *given: [each.tolist() for each in read_on(*given[:2], 40, 9)],
    "remembrance": lambda *given: effective_remembrance(*given[:2], [1, 3, 9]).tolist(),
}


@pytest.fixture
def short(monkeypatch):
    """So short chunks and blocks that the text takes several."""
    for module in ("perplexity", "by_position"):
        monkeypatch.setattr(f"charrnn.evaluation.{module}.WINDOWS", 16)
    monkeypatch.setattr("charrnn.evaluation.perplexity.WINDOWS_ON_A_GPU", 16)
    for module in ("datamodule.parts", "evaluation.in_parts", "evaluation.perplexity"):
        monkeypatch.setattr(f"charrnn.{module}.CHUNK", 16)
    monkeypatch.setattr("charrnn.evaluation.perplexity.BLOCK", 10)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_the_same_on_cuda(measure, short):
    backbone = backbone_of(layers=2).eval()
    expected = MEASURES[measure](backbone, TEXT_N, 4)
    with FakeCuda():
        assert MEASURES[measure](backbone.to("cuda:0"), TEXT_N.to("cuda:0"), 4) == expected


@pytest.mark.parametrize("measure", ["windowed", "progressive", "in parts", "by position"])
def test_the_gpu_need_not_wait_before_a_text_is_read(measure, short, monkeypatch):
    backbone, reads = backbone_of().eval(), []
    recur = Backbone.recur
    with FakeCuda() as gpu:
        backbone, text_N = backbone.to("cuda:0"), TEXT_N.to("cuda:0")
        gpu.waits.clear()

        def spy(*arguments):
            reads.append(len(gpu.waits))
            return recur(*arguments)

        monkeypatch.setattr(Backbone, "recur", spy)
        MEASURES[measure](backbone, text_N, 4)
    assert len(reads) > 3
    assert {*reads} == {0}


@pytest.mark.parametrize(
    ("cell", "prompt_on"), [*((cell, "cpu") for cell in CELLS), (next(iter(CELLS)), "cuda:0")]
)
@pytest.mark.parametrize("procedure", SAMPLERS)
def test_the_same_text_is_drawn_on_cuda_wherever_the_prompt_is(procedure, cell, prompt_on):
    backbone, choice = backbone_of(CELLS[cell]).eval(), Choice(seed=3, top_k=4)

    def drawn(prompt_N):
        one = SAMPLERS[procedure](backbone, prompt_N, 2, choice)
        two = STREAMS[procedure](backbone, prompt_N, 2, choice, 2)
        return [next(one) for _ in range(4)], [next(two) for _ in range(4)]

    expected = drawn(TEXT_N[:3])
    with FakeCuda():
        backbone.to("cuda:0")
        assert drawn(TEXT_N[:3].to(prompt_on)) == expected


@pytest.mark.parametrize("scheme", ["1, start=passed", "4", "bptt"])
def test_the_state_that_a_scheme_carries_moves_with_it(scheme):
    @torch.no_grad()
    def losses(*places):
        torch.manual_seed(0)
        moving = SCHEMES[scheme](backbone_of(), optimizer_of("adam"), 2, 3)
        for n, place in enumerate(places):
            inputs_TB, targets_TB = TOKENS_TB[n % 2, :-1].to(place), TOKENS_TB[n % 2, 1:].to(place)
            yield moving.to(place).training_step(Batch(inputs_TB, targets_TB, n)).item()

    with FakeCuda():
        assert [*losses("cpu", "cuda:0", "cpu")] == [*losses("cpu", "cpu", "cpu")]


class OfFakeCuda(CPUAccelerator):
    """Lets Lightning use the pretended GPU."""

    def setup_device(self, device: torch.device) -> None:
        assert device == CUDA


def on_fake_cuda(*_):
    """Arguments of Lightning's Trainer."""
    return {"accelerator": "auto", "strategy": SingleDeviceStrategy("cuda:0", OfFakeCuda())}


def test_a_trainer_of_the_users_own_finds_the_same_on_cuda(tmp_path):
    found = []
    for where in ({"accelerator": "cpu"}, on_fake_cuda()):
        scheme = scheme_of(Scheme4)
        with FakeCuda():
            trainer = plain_trainer(**where, max_epochs=2)
            trainer.fit(scheme, datamodule=data(tmp_path))
            trainer.test(scheme, datamodule=data(tmp_path), verbose=False)
        found.append({name: value.item() for name, value in trainer.callback_metrics.items()})
    assert len(found[0]) == 4
    assert found[0] == pytest.approx(found[1], rel=1e-5)  # in single precision


@pytest.fixture
def run_on(config, monkeypatch, tmp_path):
    """Trains a run on a device: its tables and weights, without times."""
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    monkeypatch.setattr(devices, "num_gpus", lambda: 1)
    monkeypatch.setattr(devices, "gpu_name", lambda index=0: "pretended")
    monkeypatch.setattr(devices, "_use", lambda index: None)
    on_a_cpu = Place.for_trainer
    monkeypatch.setattr(
        Place, "for_trainer", lambda place: on_fake_cuda() if place.gpu else on_a_cpu(place)
    )

    def run(device, folder, *words):
        small = ("backbone.hidden_size=4", "backbone.dense_size=4", "k2=10", "k1=10", "log_every=2")
        small += (
            "precision=64",
            "datamodule.test_size=230",
            "datamodule.val_size=30",
            "evaluate_at=[2,4]",
        )
        cfg = config(*small, *words, f"device={device}", f"output_dir={tmp_path / folder}")
        with FakeCuda() as gpu:
            trained = train(cfg)
        assert bool(gpu.waits) == (device == "gpu")
        table = trained.read_table().drop(columns=["train_seconds", "train_cpu_seconds"])
        texts = {path.name: path.read_text() for path in trained.path.glob("sample*")}
        assert texts
        diagnostics = pd.read_csv(trained.path / "diagnostics.csv", engine="python")
        weights = {name: value.tolist() for name, value in trained.read_weights().items()}
        return table, diagnostics, weights, texts

    return run


def assert_same_run(found, expected):
    for one, other in zip(found[:2], expected[:2], strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-9)
    assert found[2].keys() == expected[2].keys()
    for name, values in found[2].items():
        assert np.allclose(values, expected[2][name], rtol=1e-9, atol=1e-12)
    assert found[3] == expected[3]


def test_a_run_is_the_same_on_cuda(run_on):
    words = "scheme=4", "num_batches=4", "logger=csv"
    assert_same_run(run_on("gpu", "on cuda", *words), run_on("cpu", "on the cpu", *words))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [("gpu", "cpu"), ("cpu", "gpu"), ("gpu", "gpu")])
@pytest.mark.parametrize("scheme", ["scheme=4", "start=passed"])
def test_a_run_resumes_on_another_device(run_on, scheme, devices):
    first, then = devices
    run_on(first, "resumed", scheme, "num_batches=2", "evaluate_at=[2]")
    expected = run_on("cpu", "whole", scheme, "num_batches=4")
    assert_same_run(run_on(then, "resumed", scheme, "num_batches=4"), expected)
