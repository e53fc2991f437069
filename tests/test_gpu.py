"""On a GPU: the numbers of a CPU, the same bits again, bounded memory, and runs side by side.

Expected values come from the eager passes in double precision on the CPU, which other tests compare
with the plain model.
"""

from __future__ import annotations

import copy
import itertools
import json
import signal
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from processes import Command
from pytorch_lightning.accelerators import CUDAAccelerator
from test_resume import assert_same
from torch import nn
from watching import end, wait_until

from charrnn.backbone import cuda_graphs
from charrnn.backbone.acceleration import eager_only
from charrnn.backbone.gru import GRUNetwork
from charrnn.backbone.lstm_eager import FEW
from charrnn.backbone.minimal import MinGRUNetwork, MinLSTMNetwork
from charrnn.backbone.network import Backbone, Network
from charrnn.backbone.rnn import RNNNetwork
from charrnn.config import conf_folder
from charrnn.datamodule.batches import Batch
from charrnn.devices import has_gpu
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.runs.checkpoints import batches_kept
from charrnn.sampling.samplers import SAMPLERS, STREAMS, Choice
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.timed_step import make_step
from charrnn.training.train_run import prepare, train

GPU = "cuda"
ON_GPU = "device=gpu"
pytestmark = pytest.mark.gpu
if not has_gpu():
    pytest.skip("torch finds no GPU here", allow_module_level=True)

V, H, T, B = 13, 24, 21, 8
BITING_CLIP = 0.0005
CELLS = {
    **{
        f"lstm {peepholes}{' norm' * layer_norm}": (
            partial(Backbone, peepholes=peepholes, layer_norm=layer_norm)
        )
        for peepholes in ("lasagne", "paper", "none")
        for layer_norm in (False, True)
    },
    **{
        f"gru {reset_gate}{' norm' * layer_norm}": (
            partial(GRUNetwork, reset_gate=reset_gate, layer_norm=layer_norm)
        )
        for reset_gate in ("after", "before")
        for layer_norm in (False, True)
    },
    "rnn": RNNNetwork,
    **{
        f"{network.identity_name} {candidate}": partial(network, candidate=candidate)
        for network in (MinGRUNetwork, MinLSTMNetwork)
        for candidate in ("linear", "positive")
    },
}
each_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)
each_depth = pytest.mark.parametrize("layers", [1, 2])


def built(make, layers=1, seed=0, **more) -> Network:
    """A network on the CPU, in double precision, all of whose parameters are random."""
    network = make(V, layers, H, 32, grad_clip=BITING_CLIP, **more).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.4, generator=generator)
    return network


def tokens(seed=0, length=T, batch=B) -> torch.Tensor:
    return torch.randint(V, (length, batch), generator=torch.Generator().manual_seed(seed))


def computed(network, seeds=(0, 1), batch=B) -> dict[str, torch.Tensor]:
    """What two sequences, the second from the state in the first one, lead to.

    Returns:
        Logits, final states, the loss, the gradients of all parameters, and how many gradients at
        the gates were clipped.
    """
    device, dtype = network.output.weight.device, network.output.weight.dtype
    network.zero_grad()
    for layer in network.recurrent_layers():
        if layer.num_clipped is None:
            layer.num_clipped = torch.zeros((), dtype=torch.int64, device=device)
        layer.num_clipped.zero_()
    first, second = (tokens(seed, batch=batch).to(device) for seed in seeds)
    _, earlier = network.recur(first, network.initial_state(batch))
    carried = [tuple(part[T // 2] for part in layer) for layer in earlier]
    hidden, trajectory = network.recur(second[:-1], carried)
    logits = network.readout(hidden)
    last = [part[-1] for layer in trajectory for part in layer]
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), second[1:].flatten())
    directions = torch.randn(
        len(last), batch, H, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    ).to(device, dtype)
    loss = loss + (torch.stack(last) * directions).mean()
    loss.backward()
    clipped = torch.stack([layer.num_clipped for layer in network.recurrent_layers()])
    found = {"logits": logits, "loss": loss, "last": torch.stack(last), "clipped": clipped}
    found |= {name: parameter.grad for name, parameter in network.named_parameters()}
    return {name: value.detach().cpu().double().clone() for name, value in found.items()}


def assert_close(found, expected, bound) -> None:
    """Every tensor's relative error, in the Euclidean norm, is below the bound."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        error = (found[name] - value).norm() / value.norm()
        assert error < bound, f"{name}: {error:.1e}"


@each_cell
@each_depth
def test_outputs_states_and_gradients_are_those_of_the_cpu(make, layers):
    with eager_only():
        expected = computed(built(make, layers))
    assert_close(computed(built(make, layers).to(GPU)), expected, 1e-12)
    single = computed(built(make, layers).float().to(GPU))
    # An element within rounding of the bound is counted or not.
    clipped, in_double = single.pop("clipped"), expected.pop("clipped")
    assert (in_double > 0).all()
    assert clipped.tolist() == pytest.approx(in_double.tolist(), rel=0.02)
    assert_close(single, expected, 1e-4)


@each_cell
def test_repeated_steps_are_the_eager_ones(make):
    """In turn for two networks and two batch sizes, as their weights change in place."""
    networks = [built(make, 2, seed).to(GPU) for seed in (0, 1)]
    for number in range(4):
        for network, batch in itertools.product(networks, (B, 3)):
            seeds = number, number + 1
            found = computed(network, seeds, batch)
            with eager_only():
                expected = computed(network, seeds, batch)
            assert_close(found, expected, 1e-12)
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter -= 0.1 * parameter.grad


@each_cell
def test_a_later_call_leaves_earlier_outputs_and_their_gradients_as_they_are(make):
    """Two forward passes, and only then the backward passes, the first one's last."""
    network = built(make).to(GPU)

    def gradients() -> list[torch.Tensor]:
        network.zero_grad()
        both = [network.recur(tokens(n).to(GPU), network.initial_state(B))[0] for n in (0, 1)]
        kept = [hidden.detach().clone() for hidden in both]
        with torch.inference_mode():
            network.recur(tokens(2).to(GPU), network.initial_state(B))
        for n in (1, 0):
            assert torch.equal(both[n], kept[n])
            (both[n] ** 2).sum().backward()
        return [*kept, *(p.grad.clone() for p in network.layers.parameters())]

    for _ in range(3):
        found = gradients()
        with eager_only():
            expected = gradients()
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)


@each_cell
@pytest.mark.parametrize("scheme_class", [Scheme1, Scheme4])
def test_training_with_dropout_is_the_eager_training(make, scheme_class):
    def trained() -> list[torch.Tensor]:
        network = built(make, 2, dropout=0.5).to(GPU)
        scheme = scheme_class(network, partial(torch.optim.Adam, fused=True), k1=5, k2=T)
        step = make_step(scheme.training_step, scheme.configure_optimizers())
        torch.manual_seed(0)  # for dropout
        for number in range(6):
            tokens_TB = tokens(number, T + 1).to(GPU)
            step(Batch(tokens_TB[:-1], tokens_TB[1:], number))
        return [parameter.detach() for parameter in network.parameters()]

    found = trained()
    with eager_only():
        expected = trained()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@each_cell
def test_perplexities_and_samples_are_those_of_the_cpu(make):
    network = built(make, 2).eval()
    text, choice = tokens(4, 150, 1)[:, 0], Choice(temperature=8, seed=3)
    both = network, copy.deepcopy(network).to(GPU)
    for measure in PROCEDURES.values():
        with eager_only():
            expected = measure(both[0], text, 20)
        found = measure(both[1], text.to(GPU), 20)
        assert found.value == pytest.approx(expected.value, rel=1e-11)
    for name, sample in SAMPLERS.items():
        drawn = []
        for each in both:
            prompt = text[:25].to(each.output.weight.device)
            drawn.append([*itertools.islice(sample(each, prompt, 20, choice), 40)])
            streams = STREAMS[name](each, prompt, 20, choice, 3)
            drawn[-1] += itertools.islice(streams, 10)
        assert len({*drawn[0][:40]}) > 3
        assert drawn[0] == drawn[1]


FIFTY = (
    *("num_batches=50", "k2=20", f"evaluate_at={[*range(1, 51)]}", "sampling.length=0"),
    "datamodule.test_size=100",
)
OPTIMIZERS = sorted(path.stem for path in (conf_folder() / "optimizer").iterdir())


@pytest.mark.parametrize(
    "words",
    [
        *(("scheme=1", f"optimizer={name}") for name in OPTIMIZERS),
        *((f"scheme={name}",) for name in ("2", "4", "bptt")),
    ],
)
def test_a_run_has_the_losses_and_perplexities_of_a_run_on_the_cpu(config, tmp_path, words):
    """Fifty batches in double precision, each evaluated."""
    settings = *words, *FIFTY, "precision=64"
    tables = []
    for name, device in (("cpu", "device=cpu"), ("gpu", ON_GPU)):
        cfg = config(*settings, device, f"output_dir={tmp_path / name}")
        tables.append(train(cfg).read_table())
    for column in ("batches", "procedure", "epoch", "tokens_scored"):
        assert (tables[0][column] == tables[1][column]).all()
    assert len(tables[0]) >= 50
    for column in ("train_loss", "perplexity"):
        assert tables[1][column].to_numpy() == pytest.approx(tables[0][column].to_numpy(), rel=1e-9)


@pytest.mark.parametrize(
    "cell", [(), ("backbone=gru", "backbone.layer_norm=true"), ("backbone=minlstm",)]
)
@pytest.mark.parametrize(
    ("less", "bound"),
    [
        # Of its 8 bits, bfloat16 loses 0.4 % in every factor; TF32, with 11 bits, 0.05 %.
        ("precision=bf16-mixed", 0.05),
        ("trainer.matmul_precision=high", 0.02),
    ],
)
def test_a_run_in_less_precision_stays_close_to_one_in_single_precision(
    config, tmp_path, cell, less, bound
):
    """Ten batches, each evaluated; and the settings do change how products are computed."""
    settings = *cell, *FIFTY, "backbone.hidden_size=128", "backbone.dense_size=128", ON_GPU
    settings += "num_batches=10", "evaluate_at=[1,2,3,4,5,6,7,8,9,10]", "optimizer.lr=0.0001"
    single = train(config(*settings, f"output_dir={tmp_path / 'single'}")).read_table()
    found = train(config(*settings, less, f"output_dir={tmp_path / 'less'}")).read_table()
    assert len(found) >= 10
    for column in ("train_loss", "perplexity"):
        values = found[column].to_numpy()
        assert np.isfinite(values).all()
        assert values == pytest.approx(single[column].to_numpy(), rel=bound)
    if torch.cuda.get_device_capability() >= (8, 0):  # older ones have neither type
        assert (found["train_loss"] != single["train_loss"]).any()


def test_graphs_that_are_forgotten_leave_later_ones_in_order(monkeypatch):
    """A run has other shapes than the one before it in the same process."""
    monkeypatch.setattr(cuda_graphs, "MOST", 8)
    with eager_only():
        expected = [computed(built(Backbone), batch=batch) for batch in range(1, 7)]
    network = built(Backbone).to(GPU)
    for _ in range(2):
        for batch in range(1, 7):
            for _ in range(4):
                assert_close(computed(network, batch=batch), expected[batch - 1], 1e-12)


def test_graphs_outlive_what_is_freed_after_a_run(monkeypatch):
    """Lightning frees cuBLAS's memory, too. The next run may have the same shapes."""
    monkeypatch.setattr(cuda_graphs, "MOST", 4)
    network = built(Backbone).float().to(GPU)

    def gradient(length: int) -> dict[str, torch.Tensor]:
        network.zero_grad()
        read = tokens(0, length, 64).to(GPU)
        network.recur(read, network.initial_state(64))[0].square().mean().backward()
        return {"W_hid": network.layers[0].W_hid_HG.grad.clone()}

    for length in range(100, 106):  # graphs are forgotten at the third and the fifth
        for _ in range(3):
            gradient(length)
        with eager_only():
            expected = gradient(length)
        CUDAAccelerator().teardown()
        # They take what was freed.
        others = [torch.zeros(1 << 20, device=GPU) for _ in range(100)]
        for _ in range(3):
            assert_close(gradient(length), expected, 1e-5)
        assert not any(other.any() for other in others)


BATCHES = 60
STOPPABLE = (
    *(f"num_batches={BATCHES}", "k2=30", "backbone.dropout=0.5", "evaluate_at=[1,40]", ON_GPU),
    *("datamodule.test_size=200", "sampling.length=20", "checkpoint_share=1000"),
)


@pytest.mark.parametrize(
    ("sent", "scheme", "cell"),
    [
        (signal.SIGKILL, "4", ()),
        (signal.SIGTERM, "1", ("backbone=gru",)),
        (signal.SIGKILL, "2", ("backbone.layer_norm=true", "precision=bf16-mixed")),
        (signal.SIGKILL, "bptt", ("backbone=minlstm",)),
    ],
)
def test_twice_and_after_a_stop_a_run_has_the_same_bits(
    config, tmp_path, text_file, sent, scheme, cell
):
    settings = (*cell, *STOPPABLE, f"scheme={scheme}")
    runs = [train(config(*settings, f"output_dir={tmp_path / name}")) for name in ("one", "two")]
    assert_same(*runs)
    again = config(*settings, f"output_dir={tmp_path / 'stopped'}")
    folder = prepare(again).folder
    words = [f"output_dir={tmp_path / 'stopped'}", "data=textfile", f"data.path={text_file}"]
    words += ["scale=smoke", *settings]
    with Command("src/train.py", words, read=["stderr"]) as process:
        wait_until(lambda: batches_kept(folder.path) >= 15, process)
        process.send_signal(sent)
        assert process.wait() in (-sent, 128 + sent)
    assert 15 <= batches_kept(folder.path) < BATCHES
    assert not folder.is_finished
    assert_same(train(again), runs[0])
    samples = [{p.name: p.read_text() for p in f.path.glob("sample-*")} for f in (folder, runs[0])]
    assert samples[0]
    assert samples[0] == samples[1]


@pytest.mark.parametrize(
    ("passes", "copies", "workspaces"), [(eager_only, 2, 4), (nullcontext, 4, 8)]
)
def test_a_training_step_of_the_papers_size_takes_little_memory(passes, copies, workspaces):
    """The eager passes keep each activation and its gradient.

    CUDA graphs of them also keep what the forward pass returns and what the backward pass is given.
    """
    backbone = Backbone(100, num_layers=1, hidden_size=512, dense_size=1024).to(GPU)
    scheme = Scheme1(backbone, partial(torch.optim.Adam, fused=True), k1=20, k2=100)
    step = make_step(scheme.training_step, scheme.configure_optimizers())
    tokens_TB = torch.randint(100, (101, 64), device=GPU)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with passes():
        for number in range(4):
            step(Batch(tokens_TB[:-1], tokens_TB[1:], number))
    peak = torch.cuda.max_memory_allocated() - before

    # (100 + 512 + 1) * 2048 for the gates, 5 * 512 peepholes and initial states, 513 * 1024 for the
    # dense layer and 1025 * 100 for the output.
    parameters = 1_885_796
    # For each of 6,400 tokens: 4 * 512 for the gates, 3 * 512 for the hidden state, the cell state
    # and its tanh, 1024 for the dense layer, and 2 * 100 for logits and log-probabilities.
    activations = 30_771_200
    # Of each parameter the gradient and Adam's two averages. cuBLAS takes 32 MiB for each stream of
    # each thread.
    bound = 4 * (3 * parameters + copies * activations) + workspaces * 32 * 2**20
    assert 4 * activations < peak < bound


def test_two_runs_at_once_share_a_gpu_and_say_its_name(start, tmp_path):
    settings = "num_batches=20", "k1=20,40", "jobs=2", "draw=false"
    sweep = start("-m", *settings, ON_GPU)
    said = end(sweep)
    assert sweep.returncode == 0, said
    provenances = [*tmp_path.glob("runs/*/provenance.json")]
    assert len(provenances) == 2
    for path in provenances:
        assert (path.parent / "finished.json").exists()
        machine = json.loads(path.read_text())["machine"]
        assert machine["device"].startswith("cuda:")
        assert machine["gpu"] == torch.cuda.get_device_name(machine["device"])


@each_cell
@pytest.mark.parametrize("sequences", [1, FEW, FEW + 1])
def test_reading_without_a_backward_pass_is_that_of_the_cpu(make, sequences):
    network = built(make, 2)
    texts = [tokens(number, batch=sequences) for number in range(3)]

    def read(place) -> list[torch.Tensor]:
        network.to(place)
        state, found = network.initial_state(sequences), []
        with torch.inference_mode():
            for text in texts:  # the second one is recorded, and the third one replayed
                hidden, trajectory = network.recur(text.to(place), state)
                state = [tuple(part[-1] for part in layer) for layer in trajectory]
                found += [hidden.cpu(), *(part.cpu() for layer in state for part in layer)]
        return found

    with eager_only():
        expected = read("cpu")
    for one, other in zip(read(GPU), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)
