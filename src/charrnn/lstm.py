"""The recurrent layer: an LSTM with peepholes and Lasagne's gradient clipping (Table 3, Eq. 7).

Shapes are written into names: T time steps, B sequences, I inputs, H hidden units, G = 4H gate
units. Sequences are time-major, so that one step is one contiguous block. Along G the gates stand
in the order input, forget, cell candidate, output (i, f, g, o).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from charrnn.errors import require_choice, require_number, require_whole

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input

Peepholes = Literal["lasagne", "paper", "none"]
State = tuple[Tensor, Tensor]
"""Hidden and cell state of one layer, each of shape (B, H)."""


class PeepholeLSTM(nn.Module):
    """One LSTM layer over a whole sequence.

    Input and forget gates peep at c(n-1). The output gate peeps at c(n) with
    ``peepholes="lasagne"``, as the paper's experiments ran, at c(n-1) with ``"paper"``, as Eq. 7
    prints it; ``"none"`` is an LSTM without peepholes.

    Args:
        input_size: number of input features, or of distinct tokens when the input is one-hot.
        hidden_size: number of units, the paper's gamma.
        peepholes: see above.
        forget_bias: initial bias of the forget gate; the other biases start at 0.
        grad_clip: bound on each element of the gradient that arrives at the gates'
            pre-activations, at every time step; None leaves gradients as they are.

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
        require_whole("backbone.hidden_size", hidden_size, 1, "unit")
        require_choice("backbone.peepholes", peepholes, get_args(Peepholes))
        require_number("backbone.forget_bias", forget_bias, "a number", lambda _: True)
        if grad_clip is not None:
            require_number(
                "backbone.grad_clip", grad_clip, "a number above 0, or null", lambda x: x > 0
            )
        self.hidden_size = hidden_size
        self.peepholes = peepholes
        self.forget_bias = forget_bias
        self.grad_clip = grad_clip
        self.W_in_IG = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.W_hid_HG = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.bias_G = nn.Parameter(torch.empty(4 * hidden_size))
        # Rows: input, forget, output gate.
        peeps = torch.empty(3, hidden_size) if peepholes != "none" else None
        self.W_peep_3H = nn.Parameter(peeps) if peeps is not None else None
        self.h0_H = nn.Parameter(torch.empty(hidden_size))
        self.c0_H = nn.Parameter(torch.empty(hidden_size))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial values: orthogonal per gate, peepholes from Normal(0, 0.1)."""
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
        """The learned state at the start of every sequence, for ``batch_size`` of them."""
        return self.h0_H.expand(batch_size, -1), self.c0_H.expand(batch_size, -1)

    def forward(self, x: Tensor, state: State) -> State:
        """Run the layer over a sequence.

        Args:
            x: tokens (T, B) of an integer type, taken as one-hot vectors, or features (T, B, I).
            state: the state before the first step, (B, H) each.

        Returns:
            Hidden and cell states after every step, each (T, B, H).
        """
        if torch.is_grad_enabled():
            z_TBG = self._project(x)
            return _Recurrence.apply(
                z_TBG, *state, self.W_hid_HG, self.W_peep_3H, self.peepholes, self.grad_clip
            )
        return self._forward_without_grad(x, state)

    def _project(self, x: Tensor) -> Tensor:
        """The inputs' part of the gates, bias included; for tokens a look-up, not a product."""
        if x.is_floating_point():
            return nn.functional.linear(x, self.W_in_IG.t(), self.bias_G)
        return nn.functional.embedding(x, self.W_in_IG + self.bias_G)

    def _forward_without_grad(self, x: Tensor, state: State) -> State:
        """As forward, with the gates of one step in memory at a time."""
        h_TBH, c_TBH = _empty_states(x, state[0])
        # One table for all steps: adding the bias inside the loop would cost as much as a step.
        table_IG = None if x.is_floating_point() else self.W_in_IG + self.bias_G
        previous = state
        tanh_c_BH = torch.empty_like(h_TBH[0])
        for t in range(len(x)):
            if table_IG is None:
                z_BG = torch.addmm(self.bias_G, x[t], self.W_in_IG)
            else:
                z_BG = table_IG.index_select(0, x[t])
            new = h_TBH[t], c_TBH[t]
            _step_(z_BG, previous, new, tanh_c_BH, self.W_hid_HG, self.W_peep_3H, self.peepholes)
            previous = new
        return h_TBH, c_TBH


def _empty_states(x: Tensor, like_BH: Tensor) -> State:
    shape = (*x.shape[:2], like_BH.shape[-1])
    return like_BH.new_empty(shape), like_BH.new_empty(shape)


def _split(gates_BG: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Input and forget gate together, cell candidate, output gate."""
    H = gates_BG.shape[1] // 4
    return gates_BG[:, : 2 * H], gates_BG[:, 2 * H : 3 * H], gates_BG[:, 3 * H :]


def _step_(
    z_BG: Tensor,
    state: State,
    new_state: State,
    tanh_c_BH: Tensor,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
) -> None:
    """One time step, from ``state`` to ``new_state``.

    ``z_BG`` holds the inputs' part and becomes the activated gates; ``tanh_c_BH`` is written.
    """
    h_BH, c_BH = state
    new_h_BH, new_c_BH = new_state
    H = h_BH.shape[1]
    z_BG.addmm_(h_BH, W_hid_HG)
    i_f_B2H, g_BH, o_BH = _split(z_BG)
    i_BH, f_BH = i_f_B2H[:, :H], i_f_B2H[:, H:]
    if W_peep_3H is not None:
        i_f_B2H.view(-1, 2, H).addcmul_(c_BH.unsqueeze(1), W_peep_3H[:2])
    i_f_B2H.sigmoid_()
    g_BH.tanh_()
    torch.mul(f_BH, c_BH, out=new_c_BH)
    new_c_BH.addcmul_(i_BH, g_BH)
    if W_peep_3H is not None:
        o_BH.addcmul_(new_c_BH if peepholes == "lasagne" else c_BH, W_peep_3H[2])
    o_BH.sigmoid_()
    torch.tanh(new_c_BH, out=tanh_c_BH)
    torch.mul(o_BH, tanh_c_BH, out=new_h_BH)


class _Recurrence(torch.autograd.Function):
    """The loop over time steps, with its backward pass written out.

    Takes the inputs' part of the gates, so that the gradient it returns for it is the clipped one
    that Lasagne hands to W_in, the bias and the layer below. The peephole terms enter after
    Lasagne's clipped node, hence their gradients use the values before clipping.
    """

    @staticmethod
    def forward(
        ctx: Any,
        z_TBG: Tensor,
        h_BH: Tensor,
        c_BH: Tensor,
        W_hid_HG: Tensor,
        W_peep_3H: Tensor | None,
        peepholes: Peepholes,
        grad_clip: float | None,
    ) -> State:
        ctx.set_materialize_grads(False)
        h_TBH, c_TBH = _empty_states(z_TBG, h_BH)
        tanh_c_TBH = torch.empty_like(c_TBH)
        # The caller's fresh projection is overwritten with the activated gates.
        gates_TBG = z_TBG.detach()
        previous = h_BH, c_BH
        for t in range(len(gates_TBG)):
            new = h_TBH[t], c_TBH[t]
            _step_(gates_TBG[t], previous, new, tanh_c_TBH[t], W_hid_HG, W_peep_3H, peepholes)
            previous = new
        ctx.save_for_backward(gates_TBG, h_TBH, c_TBH, tanh_c_TBH, h_BH, c_BH, W_hid_HG, W_peep_3H)
        ctx.peepholes, ctx.grad_clip = peepholes, grad_clip
        return h_TBH, c_TBH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_TBH: Tensor | None, dc_TBH: Tensor | None) -> tuple[Any, ...]:
        gates_TBG, h_TBH, c_TBH, tanh_c_TBH, h0_BH, c0_BH, W_hid_HG, W_peep_3H = ctx.saved_tensors
        T, B, H = h_TBH.shape
        dh_BH = h_TBH.new_zeros(B, H)
        dc_BH = h_TBH.new_zeros(B, H)
        dpeep_B3H = h_TBH.new_zeros(B, 3, H)
        di_f_B2H = h_TBH.new_empty(B, 2 * H)
        dg_BH = torch.empty_like(dh_BH)
        do_BH = torch.empty_like(dh_BH)
        dz_TBG = torch.empty_like(gates_TBG)
        for t in reversed(range(T)):
            gates_BG, dz_BG = gates_TBG[t], dz_TBG[t]
            tanh_c_BH, c_BH = tanh_c_TBH[t], c_TBH[t]
            previous_c_BH = c_TBH[t - 1] if t > 0 else c0_BH
            i_f_B2H, g_BH, o_BH = _split(gates_BG)
            dz_i_f_B2H, dz_g_BH, dz_o_BH = _split(dz_BG)
            if dh_TBH is not None:
                dh_BH += dh_TBH[t]
            if dc_TBH is not None:
                dc_BH += dc_TBH[t]

            # h = o * tanh(c)
            torch.mul(dh_BH, tanh_c_BH, out=do_BH)
            sigmoid_backward(do_BH, o_BH, grad_input=dz_o_BH)
            dc_BH += tanh_backward(dh_BH.mul_(o_BH), tanh_c_BH, grad_input=dg_BH)
            if W_peep_3H is not None and ctx.peepholes == "lasagne":
                dc_BH.addcmul_(dz_o_BH, W_peep_3H[2])
                dpeep_B3H[:, 2].addcmul_(dz_o_BH, c_BH)

            # c = f * previous_c + i * g
            torch.mul(dc_BH, g_BH, out=di_f_B2H[:, :H])
            torch.mul(dc_BH, previous_c_BH, out=di_f_B2H[:, H:])
            torch.mul(dc_BH, i_f_B2H[:, :H], out=dg_BH)
            sigmoid_backward(di_f_B2H, i_f_B2H, grad_input=dz_i_f_B2H)
            tanh_backward(dg_BH, g_BH, grad_input=dz_g_BH)
            dc_BH.mul_(i_f_B2H[:, H:])
            if W_peep_3H is not None:
                dc_BH.addcmul_(dz_i_f_B2H[:, :H], W_peep_3H[0])
                dc_BH.addcmul_(dz_i_f_B2H[:, H:], W_peep_3H[1])
                dpeep_B3H[:, :2].addcmul_(dz_i_f_B2H.view(B, 2, H), previous_c_BH.unsqueeze(1))
                if ctx.peepholes == "paper":
                    dc_BH.addcmul_(dz_o_BH, W_peep_3H[2])
                    dpeep_B3H[:, 2].addcmul_(dz_o_BH, previous_c_BH)

            if ctx.grad_clip is not None:
                dz_BG.clamp_(-ctx.grad_clip, ctx.grad_clip)
            torch.mm(dz_BG, W_hid_HG.t(), out=dh_BH)

        # One product for all steps: step t used h(t-1), and the first step the given state.
        dW_hid_HG = h0_BH.t() @ dz_TBG[0]
        dW_hid_HG.addmm_(h_TBH[:-1].flatten(0, 1).t(), dz_TBG[1:].flatten(0, 1))
        dW_peep_3H = dpeep_B3H.sum(0) if W_peep_3H is not None else None
        return dz_TBG, dh_BH, dc_BH, dW_hid_HG, dW_peep_3H, None, None
