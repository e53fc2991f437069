"""A plain, slow model and its perplexities, as a reference for the real ones.

It follows the paper's Eq. 7 to 10 and Algorithms 1 to 5 literally, one token and one gate after
another, with plain autograd. Only the names of the parameters come from `load_arrays`.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

Parameters = dict[str, Tensor]
State = list[tuple[Tensor, Tensor]]


class ClipGradient(torch.autograd.Function):
    """The identity, with an elementwise clipped gradient: Lasagne's `grad_clip`."""

    @staticmethod
    def forward(ctx, x, bound):
        ctx.bound = bound
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(-ctx.bound, ctx.bound), None


def lstm_step(p: Parameters, n: int, x: Tensor, h: Tensor, c: Tensor, peepholes: str, clip):
    """One step of layer n for a batch: x (B, I), h and c (B, H)."""
    H = h.shape[1]
    gates = x @ p[f"lstm{n}.W_in"] + h @ p[f"lstm{n}.W_hid"] + p[f"lstm{n}.b"]
    if clip is not None:
        gates = ClipGradient.apply(gates, clip)
    i, f, g, o = (gates[:, k * H : (k + 1) * H] for k in range(4))
    if peepholes != "none":
        w_i, w_f, w_o = p[f"lstm{n}.W_peep"]
        i, f = i + w_i * c, f + w_f * c
    new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    if peepholes == "lasagne":
        o = o + w_o * new_c
    elif peepholes == "paper":
        o = o + w_o * c
    return torch.sigmoid(o) * torch.tanh(new_c), new_c


def initial_state(p: Parameters, batch_size: int) -> State:
    layers = sum(name.endswith(".W_hid") for name in p)
    return [
        tuple(p[f"lstm{n}.{s}"].expand(batch_size, -1) for s in ("h0", "c0")) for n in range(layers)
    ]


def step(p: Parameters, token: Tensor, state: State, peepholes: str, clip) -> tuple[Tensor, State]:
    """Read one token (B,). Returns logits (B, |V|) and the state after it."""
    x = torch.nn.functional.one_hot(token, len(p["lstm0.W_in"])).to(p["lstm0.W_in"])
    after = []
    for n, (h, c) in enumerate(state):
        x, c = lstm_step(p, n, x, h, c, peepholes, clip)
        after.append((x, c))
    if "dense.W" in p:
        x = x @ p["dense.W"] + p["dense.b"]
        x = torch.where(x > 0, x, 0.01 * x)
    return x @ p["output.W"] + p["output.b"], after


def run(p: Parameters, tokens: Tensor, state: State, peepholes="lasagne", clip=None):
    """Read tokens (T, B). Returns logits (T, B, |V|) and the state after every token."""
    logits, states = [], []
    for token in tokens:
        output, state = step(p, token, state, peepholes, clip)
        logits.append(output)
        states.append(state)
    return torch.stack(logits), states


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Eq. 10 for logits (B, |V|) and targets (B,), averaged over the batch."""
    log_p = logits - logits.exp().sum(1, keepdim=True).log()
    return -log_p[torch.arange(len(target)), target].mean()


def multi_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Algorithm 1, line 9."""
    return sum(cross_entropy(y, t) for y, t in zip(logits, targets, strict=True)) / len(targets)


def single_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Algorithm 2, line 9."""
    return cross_entropy(logits[-1], targets[-1])


def windowed_perplexity(p: Parameters, tokens: list[int], k2: int, peepholes="lasagne") -> float:
    """Eq. 9 with Algorithm 4, a window and a token at a time."""
    log_p = []
    for n in range(k2, len(tokens)):
        state = initial_state(p, 1)
        for token in tokens[n - k2 : n]:
            y, state = step(p, torch.tensor([token]), state, peepholes, None)
        log_p.append(-cross_entropy(y, torch.tensor([tokens[n]])).item())
    return math.exp(-sum(log_p) / len(log_p))


def progressive_perplexity(p: Parameters, tokens: list[int], k2: int, peepholes="lasagne") -> float:
    """Eq. 9 with Algorithm 5, a token at a time."""
    log_p = []
    state = initial_state(p, 1)
    for n, token in enumerate(tokens[:-1]):
        y, state = step(p, torch.tensor([token]), state, peepholes, None)
        if n + 1 >= k2:
            log_p.append(-cross_entropy(y, torch.tensor([tokens[n + 1]])).item())
    return math.exp(-sum(log_p) / len(log_p))


def truncated_bptt(p: Parameters, tokens: Tensor, k1: int, k2: int) -> list[Parameters]:
    """Section 2.1 for tokens (T + 1, B), in one pass from the zero state: each update's gradients.

    After the first k2 tokens, and then after every k1 tokens, the mean of the losses since the last
    update is backpropagated through k2 steps. Every step is computed only once, when its token is
    read. The weights do not change.
    """
    learned = {name: tensor for name, tensor in p.items() if not name.endswith(("h0", "c0"))}
    state = [
        (torch.zeros_like(h), torch.zeros_like(c)) for h, c in initial_state(p, tokens.shape[1])
    ]
    steps, gradients, counted = [], [], 0
    for token, target in itertools.pairwise(tokens):
        before = [tuple(s.detach().requires_grad_() for s in layer) for layer in state]
        y, state = step(p, token, before, "lasagne", None)
        steps.append((flat(before), cross_entropy(y, target), flat(state)))
        if len(steps) < k2 or (len(steps) - k2) % k1:
            continue
        since, counted = len(steps) - counted, len(steps)
        total = {name: torch.zeros_like(tensor) for name, tensor in learned.items()}
        arriving = [torch.zeros_like(s) for s in steps[-1][2]]
        for back, (inputs, loss, outputs) in enumerate(steps[: -k2 - 1 : -1]):
            losses = [loss / since] if back < since else []
            (*found,) = torch.autograd.grad(
                [*losses, *outputs],
                [*learned.values(), *inputs],
                [torch.ones_like(loss)] * len(losses) + arriving,
                retain_graph=True,
                allow_unused=True,
            )
            for name, gradient in zip(learned, found, strict=False):
                total[name] += 0 if gradient is None else gradient
            arriving = found[len(learned) :]
        gradients.append(total)
    return gradients


def flat(state: State) -> list[Tensor]:
    return [part for layer in state for part in layer]
