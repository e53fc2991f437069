"""The recurrent layer: an LSTM with peepholes and Lasagne's gradient clipping (Table 3, Eq. 7).

Names end with shapes: T time steps, B sequences, I inputs, H hidden units, G = 4H gate units.
Sequences are time-major, so each step is one contiguous block. Along G the gates have the order
input, forget, cell candidate, output (i, f, g, o).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.backbone import lstm_autograd as recurrence
from charrnn.backbone import lstm_normalised as normalised
from charrnn.backbone.cuda_graphs_autograd import replay_with_gradients
from charrnn.backbone.layer import RecurrentLayer, Step
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes, check_arguments


class PeepholeLSTM(RecurrentLayer):
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
        layer_norm: whether sums and cell states are normalised, see
            charrnn.backbone.lstm_normalised. That has no fused passes on a CPU.

    Raises:
        BadInput: if an argument is out of its range.
    """

    name = "lstm"
    state_names = ("h", "c")
    num_gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        peepholes: Peepholes = "lasagne",
        forget_bias: float = 5.0,
        grad_clip: float | None = 50.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__(hidden_size, grad_clip)
        check_arguments(
            "backbone.", peepholes=peepholes, forget_bias=forget_bias, layer_norm=layer_norm
        )
        self.peepholes = peepholes
        self.forget_bias = forget_bias
        self.W_in_IG = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.W_hid_HG = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.bias_G = nn.Parameter(torch.empty(4 * hidden_size))
        # Rows: input, forget, output gate.
        peeps = torch.empty(3, hidden_size) if peepholes != "none" else None
        self.W_peep_3H = nn.Parameter(peeps) if peeps is not None else None
        # Rows: of the sums over the inputs and over the state; gain and shift of the cell state.
        gains, cell = torch.empty(2, 4 * hidden_size), torch.empty(2, hidden_size)
        self.gains_2G = nn.Parameter(gains) if layer_norm else None
        self.cell_2H = nn.Parameter(cell) if layer_norm else None
        self.add_initial_state()

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial values: an orthogonal matrix per gate, peepholes from Normal(0, 0.1)."""
        with torch.no_grad():
            for weight in (self.W_in_IG, self.W_hid_HG):
                for gate in weight.chunk(4, dim=1):
                    gate.copy_(nn.init.orthogonal_(torch.empty_like(gate), generator=generator))
            self.bias_G.zero_().chunk(4)[1].fill_(self.forget_bias)
            if self.W_peep_3H is not None:
                self.W_peep_3H.normal_(0.0, 0.1, generator=generator)
            if self.gains_2G is not None and self.cell_2H is not None:
                self.gains_2G.fill_(1.0)
                self.cell_2H.zero_()[0].fill_(1.0)
            for zero in self.initial_parameters():
                zero.zero_()

    def forward(self, x: Tensor, state: State) -> State:
        if self.gains_2G is not None and self.cell_2H is not None:
            in_G, hid_G = self.gains_2G
            sums_TBG = normalised.input_sums(x, self.W_in_IG, self.bias_G, in_G)
            weights = self.W_hid_HG, self.W_peep_3H, hid_G, self.cell_2H
            arguments = sums_TBG, *state, *weights, self.peepholes, self.grad_clip
            return replay_with_gradients(normalised.run, *arguments, num_clipped=self.num_clipped)
        own = self.W_in_IG, self.bias_G, self.W_hid_HG, self.W_peep_3H
        return recurrence.run(x, state, *own, self.peepholes, self.grad_clip, self.num_clipped)

    def stepper(self) -> Step:
        if self.gains_2G is not None:
            return super().stepper()
        table_IG = self.W_in_IG + self.bias_G
        weights = self.W_hid_HG, self.W_peep_3H, self.peepholes

        def step_(x: Tensor, before: State, after: State) -> None:
            if x.is_floating_point():
                sums_BG = torch.addmm(self.bias_G, x, self.W_in_IG)
                recurrence.step_(sums_BG, None, before, after, *weights)
            else:
                recurrence.step_(table_IG, x, before, after, *weights)

        return step_

    def arrays(self) -> dict[str, Tensor]:
        named = super().arrays()
        return {"b" if name == "bias" else name: each for name, each in named.items()}
