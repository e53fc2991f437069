"""The recurrent layer: an LSTM with peepholes and Lasagne's gradient clipping (Table 3, Eq. 7).

Names end with shapes: T time steps, B sequences, I inputs, H hidden units, G = 4H gate units.
Sequences are time-major, so each step is one contiguous block. Along G the gates have the order
input, forget, cell candidate, output (i, f, g, o).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.backbone import lstm_autograd as recurrence
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes, check_arguments


class PeepholeLSTM(nn.Module):
    """One LSTM layer, run over whole sequences.

    The input and forget gates peep at the cell state c(n-1). The output gate peeps at c(n) with
    ``peepholes="lasagne"``, as in the paper's experiments, and at c(n-1) with ``"paper"``, as Eq. 7
    is printed. ``"none"`` is an LSTM without peepholes.

    Args:
        input_size: number of input features, or of unique tokens if the input is one-hot.
        hidden_size: number of units, the paper's gamma.
        peepholes: `lasagne`, `paper` or `none`.
        forget_bias: initial bias of the forget gate; the other biases start at 0.
        grad_clip: bound on each element of the gradient at the gates' pre-activations, at every
            time step; None does not clip.

    Attributes:
        num_clipped: a tensor in which backward passes count the clipped elements (see
            charrnn.backbone.lstm_autograd.run), or None.

    Raises:
        BadInput: if an argument is out of its range.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        peepholes: Peepholes = "lasagne",
        forget_bias: float = 5.0,
        grad_clip: float | None = 50.0,
    ) -> None:
        super().__init__()
        check_arguments(
            "backbone.",
            hidden_size=hidden_size,
            peepholes=peepholes,
            forget_bias=forget_bias,
            grad_clip=grad_clip,
        )
        self.hidden_size = hidden_size
        self.peepholes = peepholes
        self.forget_bias = forget_bias
        self.grad_clip = grad_clip
        self.num_clipped: Tensor | None = None
        self.W_in_IG = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.W_hid_HG = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.bias_G = nn.Parameter(torch.empty(4 * hidden_size))
        # Rows: input, forget, output gate.
        peeps = torch.empty(3, hidden_size) if peepholes != "none" else None
        self.W_peep_3H = nn.Parameter(peeps) if peeps is not None else None
        self.h0_H = nn.Parameter(torch.empty(hidden_size))
        self.c0_H = nn.Parameter(torch.empty(hidden_size))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial values: an orthogonal matrix per gate, peepholes from Normal(0, 0.1)."""
        with torch.no_grad():
            for weight in (self.W_in_IG, self.W_hid_HG):
                for gate in weight.chunk(4, dim=1):
                    gate.copy_(nn.init.orthogonal_(torch.empty_like(gate), generator=generator))
            self.bias_G.zero_().chunk(4)[1].fill_(self.forget_bias)
            if self.W_peep_3H is not None:
                self.W_peep_3H.normal_(0.0, 0.1, generator=generator)
            self.h0_H.zero_()
            self.c0_H.zero_()

    def initial_state(self, batch_size: int) -> State:
        """The learned initial state, for ``batch_size`` sequences."""
        return self.h0_H.expand(batch_size, -1), self.c0_H.expand(batch_size, -1)

    def forward(self, x: Tensor, state: State) -> State:
        """Run the layer over a sequence.

        Args:
            x: tokens (T, B) of an integer type, which stand for one-hot vectors, or features
                (T, B, I).
            state: the state before the first step, each (B, H).

        Returns:
            Hidden and cell states after every step, each (T, B, H).
        """
        weights = self.W_in_IG, self.bias_G, self.W_hid_HG, self.W_peep_3H
        clipping = self.grad_clip, self.num_clipped
        return recurrence.run(x, state, *weights, self.peepholes, *clipping)
