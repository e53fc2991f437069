"""The loops, each with the implementations that are timed in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from charrnn.backbone.acceleration import eager_only
from charrnn.backbone.gru import GRULayer, GRUNetwork
from charrnn.backbone.lstm_autograd import prepare_cpu
from charrnn.backbone.network import Backbone, Network
from charrnn.backbone.rnn import RNNLayer, RNNNetwork
from charrnn.benchmark import floors, peers
from charrnn.benchmark.case import Case
from charrnn.benchmark.measure import Entry, float32_products
from charrnn.config import conf_folder
from charrnn.datamodule.batches import Batch
from charrnn.evaluation.perplexity import PROCEDURES, windows_at_a_time
from charrnn.sampling.samplers import SAMPLERS, Choice
from charrnn.schemes.base import MakeOptimizer, Scheme
from charrnn.schemes.scheme_2 import Scheme2
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.timed_step import make_step

Entries = dict[str, Entry]

PASS = 500
"""Tokens in the pass of eval-progressive; the time per token does not depend on their number."""
TOKENS = {"windowed": 2, "rolling": 10, "progressive": 50}
"""Tokens drawn per call when a sampler is timed."""
STEPS = {"cpu": 1, "cuda": 5}
"""Training steps per call: on a GPU, Python may prepare a step while the one before is computed."""


def train_step(case: Case) -> Entries:
    """Loss, backward pass and optimizer: scheme 1 everywhere, and our scheme 2.

    On a GPU, rows with TF32 are added. The others are in full single precision: for nn.LSTM too,
    whose products cuDNN would compute as TF32 by default.
    """
    batch = random_batch(case)
    steps: dict[str, Callable[[], None]] = {
        "ours": our_step(Scheme1, case, batch),
        "ours, eager": _eagerly(our_step(Scheme1, case, batch)),
        "ours, scheme 2": our_step(Scheme2, case, batch),
        "floor": floors.train_step(case),
        **{name: _peer_step(_peer(name, case), batch) for name in peers.PEERS},
    }
    if case.device != "cpu":
        steps["ours, TF32"] = _in_tf32(our_step(Scheme1, case, batch))
        steps["nn.LSTM, TF32"] = _in_tf32(_peer_step(_peer("nn.LSTM", case), batch))
    return {name: steps_of(step, case) for name, step in steps.items()}


def train_step_gru(case: Case) -> Entries:
    """The same of GRU layers, scheme 1 only, and of torch's."""
    return _train_step_of_cell(replace(case, gates=GRULayer.num_gates), GRUNetwork, nn.GRU)


def train_step_rnn(case: Case) -> Entries:
    """The same of tanh layers, scheme 1 only, and of torch's."""
    return _train_step_of_cell(replace(case, gates=RNNLayer.num_gates), RNNNetwork, nn.RNN)


def _train_step_of_cell(
    case: Case, network: Callable[..., Network], layers: peers.Layers
) -> Entries:
    batch = random_batch(case)
    peer = peers.TorchLayers(case, layers).to(case.device)
    steps = {
        "ours": our_step(Scheme1, case, batch, network),
        "floor": floors.train_step(case),
        f"nn.{layers.__name__}": _peer_step(peer, batch),
    }
    return {name: steps_of(step, case) for name, step in steps.items()}


def steps_of(step: Callable[[], None], case: Case) -> Entry:
    """As many steps as are timed together on the case's device."""
    return _repeated(step, STEPS[case.device])


def random_batch(case: Case) -> Batch:
    """A training batch of random tokens."""
    tokens_TB = case.tokens(case.k2 + 1, case.batch)
    return Batch(tokens_TB[:-1], tokens_TB[1:], number=0)


def our_step(
    scheme_class: type[Scheme], case: Case, batch: Batch, network: Callable[..., Network] = Backbone
) -> Callable[[], None]:
    """A training step of a scheme, without Lightning."""
    backbone = our_backbone(case, network)
    scheme = scheme_class(backbone, _adam(), k1=case.k2, k2=case.k2).to(case.device)
    return make_step(partial(scheme.training_step, batch), scheme.configure_optimizers())


def _in_tf32(step: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with float32_products("high"):
            step()

    return run


def _eagerly(step: Callable[[], None]) -> Callable[[], None]:
    """The step in torch's own operations, as on machines that cannot compile anything faster."""

    def run() -> None:
        with eager_only():
            step()

    return run


def our_backbone(case: Case, network: Callable[..., Network] = Backbone) -> Network:
    """The network of a case, of LSTM layers or of others."""
    if case.device == "cpu":
        prepare_cpu()
    sizes = case.vocabulary, case.num_layers, case.hidden_size, case.dense_size
    return network(*sizes).to(case.device)


def _peer_step(peer: peers.Peer, batch: Batch) -> Callable[[], None]:
    optimizer = _adam()(peer.parameters())
    return make_step(partial(peers.loss, peer, batch.inputs_TB, batch.targets_TB), optimizer)


def _adam() -> MakeOptimizer:
    """The optimizer that a run has by default, for all implementations."""
    return instantiate(OmegaConf.load(conf_folder() / "optimizer" / "adam.yaml"))


def eval_windowed(case: Case) -> Entries:
    """Windowed perplexity; milliseconds per scored token."""
    windows = windows_at_a_time(torch.device(case.device))
    floor = floors.eval_windowed(case, windows)
    return _evaluating("windowed", case, case.tokens(case.k2 + windows), windows, floor)


def eval_progressive(case: Case) -> Entries:
    """Progressive perplexity; milliseconds per token read, scored or not."""
    floor = floors.eval_progressive(case, PASS)
    return _evaluating("progressive", case, case.tokens(PASS + 1), PASS, floor)


def _evaluating(
    procedure: str, case: Case, tokens_N: Tensor, per: int, floor: floors.Products
) -> Entries:
    backbone = our_backbone(case).eval()
    runs: dict[str, Callable[[], object]] = {
        "ours": partial(PROCEDURES[procedure], backbone, tokens_N, case.k2),
        "floor": floor,
    }
    for name, peer in _peers(case):
        runs[name] = partial(peers.PERPLEXITIES[procedure], peer, tokens_N, case.k2)
    return {name: Entry(run, per) for name, run in runs.items()}


def sampling_windowed(case: Case) -> Entries:
    """Algorithm 4 taken literally."""
    prompt_N = case.tokens(case.k2)
    return {
        "ours": _ours("windowed", case),
        "floor": _repeated(floors.sampling_windowed(case), TOKENS["windowed"]),
        **{
            name: _drawing(peers.windowed_sampling(peer, prompt_N), TOKENS["windowed"])
            for name, peer in _peers(case)
        },
    }


def sampling_rolling(case: Case) -> Entries:
    """Rolling sampling, with k2 open windows, next to literal windowed and progressive sampling.

    For nn.LSTM, literal windowed sampling: what a user would write to draw the same tokens.
    """
    torchs = _peer("nn.LSTM", case).eval()
    literal = peers.windowed_sampling(torchs, case.tokens(case.k2))
    return {
        "ours": _ours("rolling", case),
        "ours, literal": _ours("windowed", case),
        "ours, progressive": _ours("progressive", case),
        "floor": _repeated(floors.sampling_rolling(case), TOKENS["rolling"]),
        "nn.LSTM": _drawing(literal, TOKENS["windowed"]),
    }


def sampling_progressive(case: Case) -> Entries:
    """Algorithm 5, next to reading every weight once."""
    prompt_N, count = case.tokens(case.k2), TOKENS["progressive"]
    return {
        "ours": _ours("progressive", case),
        "floor": _repeated(floors.sampling_progressive(case), count),
        "weights read": _repeated(floors.read_weights(case), count),
        **{
            name: _drawing(peers.progressive_sampling(peer, prompt_N), count)
            for name, peer in _peers(case)
        },
    }


LOOPS: dict[str, Callable[[Case], Entries]] = {
    "train-step": train_step,
    "train-step-gru": train_step_gru,
    "train-step-rnn": train_step_rnn,
    "eval-windowed": eval_windowed,
    "eval-progressive": eval_progressive,
    "sampling-windowed": sampling_windowed,
    "sampling-rolling": sampling_rolling,
    "sampling-progressive": sampling_progressive,
}


def _peers(case: Case) -> Iterable[tuple[str, peers.Peer]]:
    return [(name, _peer(name, case).eval()) for name in peers.PEERS]


def _peer(name: str, case: Case) -> peers.Peer:
    return peers.PEERS[name](case).to(case.device)


def _ours(procedure: str, case: Case) -> Entry:
    backbone = our_backbone(case).eval()
    sampler = SAMPLERS[procedure](backbone, case.tokens(case.k2), case.k2, Choice())
    return _drawing(sampler, TOKENS[procedure])


def _drawing(sampler: Iterator[int], count: int) -> Entry:
    return Entry(lambda: [next(sampler) for _ in range(count)], count)


def _repeated(run: Callable[[], object], count: int) -> Entry:
    def repeat() -> None:
        for _ in range(count):
            run()

    return Entry(repeat, count)
