"""The other recurrent cells, written plainly: one step of one layer, for reference.

A step is a function of the parameters, by the names of `load_arrays` without the layer's, of the
input x (B, I), the state h (B, H) and the bound at the pre-activations. The rest of the network is
that of reference.py.
"""

from __future__ import annotations

import itertools
import math

import torch
from reference import ClipGradient, Parameters, cross_entropy
from torch import Tensor


def clipped(x: Tensor, bound: float | None) -> Tensor:
    return x if bound is None else ClipGradient.apply(x, bound)


def rnn(p: Parameters, x: Tensor, h: Tensor, bound: float | None) -> Tensor:
    """Eq. 6."""
    return torch.tanh(clipped(x @ p["W_in"] + h @ p["W_hid"] + p["b"], bound))


def gru_after(p: Parameters, x: Tensor, h: Tensor, bound: float | None) -> Tensor:
    """cuDNN's, as torch.nn.GRU documents it, with its biases b_ir + b_hr and b_iz + b_hz summed."""
    (Wr, Wz, Wn), (Ur, Uz, Un), (br, bz, bn) = gates(p, 3)
    r = torch.sigmoid(clipped(x @ Wr + h @ Ur + br, bound))
    z = torch.sigmoid(clipped(x @ Wz + h @ Uz + bz, bound))
    n = torch.tanh(clipped(x @ Wn + bn + r * (h @ Un + p["b_new"]), bound))
    return (1 - z) * n + z * h


def gru_before(p: Parameters, x: Tensor, h: Tensor, bound: float | None) -> Tensor:
    """Cho et al. (2014), Eq. 5 to 8, with biases."""
    (Wr, Wz, W), (Ur, Uz, U), (br, bz, b) = gates(p, 3)
    r = torch.sigmoid(clipped(x @ Wr + h @ Ur + br, bound))
    z = torch.sigmoid(clipped(x @ Wz + h @ Uz + bz, bound))
    new = torch.tanh(clipped(x @ W + (r * h) @ U + b, bound))
    return z * h + (1 - z) * new


def normalised_gru(reset_gate: str):
    """A GRU of which the sums over the inputs, and over the state, are normalised."""

    def step(p: Parameters, x: Tensor, h: Tensor, bound: float | None) -> Tensor:
        (Wr, Wz, Wn), (Ur, Uz, Un), (br, bz, bn) = gates(p, 3)
        H = h.shape[1]
        gain_in, gain_hid = p["gains"]
        rz = norm(torch.cat([x @ Wr, x @ Wz], 1)) * gain_in[: 2 * H]
        rz = rz + norm(torch.cat([h @ Ur, h @ Uz], 1)) * gain_hid[: 2 * H]
        r = torch.sigmoid(clipped(rz[:, :H] + br, bound))
        z = torch.sigmoid(clipped(rz[:, H:] + bz, bound))
        new = norm(x @ Wn) * gain_in[2 * H :] + bn
        if reset_gate == "after":
            new = new + r * (norm(h @ Un) * gain_hid[2 * H :] + p["b_new"])
        else:
            new = new + norm((r * h) @ Un) * gain_hid[2 * H :]
        return (1 - z) * torch.tanh(clipped(new, bound)) + z * h

    return step


def mingru(candidate: str):
    """Feng et al. (2024), Section 3.1.2; `positive` with the g of their Appendix B."""

    def step(p: Parameters, x: Tensor, h: Tensor, bound: float | None) -> Tensor:
        z, v = (clipped(x @ p["W_in"] + p["b"], bound)).chunk(2, 1)
        z = 1 / (1 + torch.exp(-z))
        return (1 - z) * h + z * positive(v, candidate)

    return step


def minlstm(candidate: str):
    """Feng et al. (2024), Section 3.2.3; `positive` with the g of their Appendix B."""

    def step(p: Parameters, x: Tensor, h: Tensor, bound: float | None) -> Tensor:
        f, i, v = (clipped(x @ p["W_in"] + p["b"], bound)).chunk(3, 1)
        f, i = 1 / (1 + torch.exp(-f)), 1 / (1 + torch.exp(-i))
        return f / (f + i) * h + i / (f + i) * positive(v, candidate)

    return step


def gates(p: Parameters, number: int) -> list[tuple[Tensor, ...]]:
    """For each of W_in, W_hid and b, the parts of the gates."""
    return [p[name].chunk(number, -1) for name in ("W_in", "W_hid", "b")]


def norm(x: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()


def positive(v: Tensor, candidate: str) -> Tensor:
    return v if candidate == "linear" else torch.where(v >= 0, v + 0.5, 1 / (1 + torch.exp(-v)))


class Model:
    """The network of reference.py with another cell.

    Args:
        p: the parameters, by the names of `load_arrays`.
        name: of the cell in them.
        cell: its step.
        bound: at the pre-activations, or None.
    """

    def __init__(self, p: Parameters, name: str, cell, bound: float | None = None) -> None:
        self.p, self.cell, self.bound = p, cell, bound
        self.layers = []
        for n in itertools.count():
            start = f"{name}{n}."
            own = {key.removeprefix(start): p[key] for key in p if key.startswith(start)}
            if not own:
                break
            self.layers.append(own)

    def initial_state(self, batch_size: int) -> list[Tensor]:
        return [own["h0"].expand(batch_size, -1) for own in self.layers]

    def step(self, token: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Read one token (B,). Returns logits (B, |V|) and the state after it."""
        weight = self.layers[0]["W_in"]
        x = torch.nn.functional.one_hot(token, len(weight)).to(weight)
        after = []
        for own, h in zip(self.layers, state, strict=True):
            x = self.cell(own, x, h, self.bound)
            after.append(x)
        if "dense.W" in self.p:
            x = x @ self.p["dense.W"] + self.p["dense.b"]
            x = torch.where(x > 0, x, 0.01 * x)
        return x @ self.p["output.W"] + self.p["output.b"], after

    def run(self, tokens: Tensor, state: list[Tensor]) -> tuple[Tensor, list[list[Tensor]]]:
        """Read tokens (T, B). Returns logits (T, B, |V|) and the state after every token."""
        logits, states = [], []
        for token in tokens:
            output, state = self.step(token, state)
            logits.append(output)
            states.append(state)
        return torch.stack(logits), states

    def predict(self, read: list[int]) -> Tensor:
        """Logits (1, |V|) after some tokens, from the initial state."""
        state = self.initial_state(1)
        for token in read:
            logits, state = self.step(torch.tensor([token]), state)
        return logits

    def perplexity(self, tokens: list[int], k2: int, procedure: str) -> float:
        """Eq. 9, a token at a time."""
        losses, state = [], self.initial_state(1)
        for n, token in enumerate(tokens[:-1], start=1):
            logits, state = self.step(torch.tensor([token]), state)
            if n >= k2:
                if procedure == "windowed":
                    logits = self.predict(tokens[n - k2 : n])
                losses.append(cross_entropy(logits, torch.tensor([tokens[n]])).item())
        return math.exp(sum(losses) / len(losses))
