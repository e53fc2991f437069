"""The idioms against their loops, written out in plain torch; resuming; what they refuse."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import reference
import torch
from helpers import fit, random_arrays
from test_resume import SETTINGS, assert_same

from charrnn.backbone.initial_weights import load_arrays
from charrnn.backbone.network import Backbone
from charrnn.data.corpora.base import TextFile
from charrnn.datamodule.batches import TrainBatches, random_lengths
from charrnn.datamodule.module import CharDataModule
from charrnn.errors import BadInput
from charrnn.runs.checkpoints import NEWEST, batches_in
from charrnn.schemes.idioms import AWDLSTM, KerasStateful, WordLanguageModel
from charrnn.training.train_run import prepare, train

LR, CLIP, K2, B, BATCHES = 0.5, 0.05, 8, 4, 14
IDIOMS = ("keras_stateful", "word_language_model", "awd_lstm")


def zero_state(p):
    return [(torch.zeros_like(h), torch.zeros_like(c)) for h, c in reference.initial_state(p, B)]


def detached(state):
    return [(h.detach(), c.detach()) for h, c in state]


def batchified(train):
    """`batchify` of PyTorch's example: (N // B, B), a lane in every column."""
    length = len(train) // B
    return torch.tensor(train[: length * B].astype("int64")).view(B, length).t()


def loss_of(p, source, i, length, state):
    """`get_batch`, the forward pass and the mean loss of all its tokens."""
    logits, states = reference.run(p, source[i : i + length], state)
    return reference.multi_loss(logits, source[i + 1 : i + 1 + length]), states[-1]


def keras_loop(p, learned, source, lengths):
    """`model.fit(..., shuffle=False)` for each epoch, and then `model.reset_states()`."""
    updates = 0
    while updates < BATCHES:
        state = zero_state(p)
        for i in range(0, len(source) - K2, K2):
            loss, after = loss_of(p, source, i, K2, state)
            for tensor, gradient in zip(
                learned, torch.autograd.grad(loss, learned, allow_unused=True), strict=True
            ):
                tensor.data -= LR * gradient
            state = detached(after)
            if (updates := updates + 1) == BATCHES:
                return


def word_language_model_loop(p, learned, source, lengths):
    """`train` of PyTorch's example, with its clip_grad_norm_ spelled out."""
    updates = 0
    while updates < BATCHES:
        hidden = zero_state(p)
        for i in range(0, len(source) - K2, K2):
            hidden = detached(hidden)
            loss, hidden = loss_of(p, source, i, K2, hidden)
            gradients = torch.autograd.grad(loss, learned)
            norm = sum(float((g**2).sum()) for g in gradients) ** 0.5
            assert norm > CLIP  # otherwise nothing is tested
            for tensor, gradient in zip(learned, gradients, strict=True):
                tensor.data -= LR * gradient * CLIP / (norm + 1e-6)
            if (updates := updates + 1) == BATCHES:
                return


def awd_lstm_loop(p, learned, source, lengths):
    """`train` of AWD-LSTM, with its lengths given."""
    lengths = iter(lengths)
    updates = 0
    while updates < BATCHES:
        hidden, i = zero_state(p), 0
        while updates < BATCHES:
            seq_len = next(lengths)
            if i + seq_len + 1 > len(source):
                break
            hidden = detached(hidden)
            loss, hidden = loss_of(p, source, i, seq_len, hidden)
            gradients = torch.autograd.grad(loss, learned)
            norm = sum(float((g**2).sum()) for g in gradients) ** 0.5
            assert norm > CLIP
            for tensor, gradient in zip(learned, gradients, strict=True):
                tensor.data -= LR * seq_len / K2 * gradient * CLIP / (norm + 1e-6)
            i += seq_len
            updates += 1


@pytest.mark.parametrize(
    ("idiom", "loop", "settings"),
    [
        (KerasStateful, keras_loop, {}),
        (WordLanguageModel, word_language_model_loop, {"clip_norm": CLIP}),
        (AWDLSTM, awd_lstm_loop, {"clip_norm": CLIP}),
    ],
)
def test_training_equals_the_literal_loop(tmp_path, idiom, loop, settings):
    """All weights after 14 batches, over the ends of epochs."""
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), 250)))
    fixed = {"order": idiom.orders[0], "rotation": 0, "offset": 0}
    datamodule = CharDataModule(TextFile(str(path)), K2, K2, B, test_size=50, **fixed)
    datamodule.setup()
    read = list(itertools.islice(datamodule.batches, BATCHES))
    lengths = [len(batch.inputs_TB) for batch in read]
    ends = [n for n in range(1, BATCHES) if read[n].number == 0]
    assert ends  # an epoch ends within the test
    for end in reversed(ends):  # where the loop finds too little room for what it draws next
        lengths.insert(end, 50)
    assert (len(set(lengths)) > 3) is (idiom is AWDLSTM)

    arrays = random_arrays(vocabulary=7, layers=2, hidden=5, dense=6, peepholes="lasagne")
    backbone = Backbone(7, 2, 5, 6, grad_clip=None).double()
    load_arrays(backbone, arrays)
    sgd = functools.partial(torch.optim.SGD, lr=LR)
    fit(idiom(backbone, sgd, K2, K2, **settings), datamodule, BATCHES)

    arrays |= {n: np.zeros_like(a) for n, a in arrays.items() if n.endswith(("h0", "c0"))}
    p = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    learned = [tensor for name, tensor in p.items() if not name.endswith(("h0", "c0"))]
    before = [tensor.detach().clone() for tensor in learned]
    loop(p, learned, batchified(datamodule.batches.train), lengths)
    assert all((a - b.detach()).abs().max() > 1e-4 for a, b in zip(before, learned, strict=True))
    expected = Backbone(7, 2, 5, 6).double()
    load_arrays(expected, {name: tensor.detach().numpy() for name, tensor in p.items()})
    for (name, found), wanted in zip(
        backbone.named_parameters(), expected.parameters(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12, msg=name)


def test_keras_stateful_trains_the_bits_of_scheme_4(config):
    settings = ("k1=100", "num_batches=7")  # an epoch has 3 batches
    keras, four = (train(config(f"scheme={name}", *settings)) for name in ("keras_stateful", 4))
    assert keras.path.name != four.path.name
    ours, theirs = keras.read_weights(), four.read_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("idiom", IDIOMS)
def test_a_stopped_run_resumes_to_the_same_bits(config, tmp_path, idiom):
    settings = (f"idiom={idiom}", *SETTINGS, "checkpoint_share=0", "k1=${k2}")
    whole = train(config(*settings, "evaluate_at=[4,11,26]", f"output_dir={tmp_path / 'whole'}"))
    for batches in (4, 11, 26):
        folder = train(config(*settings, f"num_batches={batches}", "evaluate_at=[]"))
        assert batches_in(folder.path / NEWEST) == batches
    assert_same(folder, whole)


def test_random_lengths_cut_each_lane_into_sequences_that_follow_each_other():
    N, k2 = 4099, 40
    batches = TrainBatches(np.arange(N), k2, k2, 4, order="random-lengths", rotation=0, seed=3)
    epochs = []
    for epoch in range(3):
        read = list(batches.epoch(epoch))
        for batch in read:
            assert torch.equal(batch.targets_TB, batch.inputs_TB + 1)
        lanes = torch.cat([batch.inputs_TB for batch in read])
        assert torch.equal(lanes, torch.arange(len(lanes))[:, None] + torch.arange(4) * (N // 4))
        last_target = int(read[-1].targets_TB[-1, -1])
        assert N - 1 - 2 * k2 < last_target <= N - 1
        epochs.append([len(batch.inputs_TB) for batch in read])
    assert len({tuple(lengths) for lengths in epochs}) == 3
    assert batches.per_epoch == len(epochs[0])
    counts = np.cumsum([len(lengths) for lengths in epochs])
    assert [batches.place(n) for n in (0, counts[0] - 1, counts[0], counts[1] + 2)] == [
        (0, 0),
        (0, counts[0] - 1),
        (1, 0),
        (2, 2),
    ]


def test_random_lengths_have_the_published_distribution():
    lengths = random_lengths(70, 200_000, np.random.default_rng(0))
    short = lengths < 52  # more than three standard deviations from either mean
    assert short.mean() == pytest.approx(0.05, abs=0.002)
    for part, mean in ((lengths[~short], 70), (lengths[short], 35)):
        assert part.mean() == pytest.approx(mean - 0.5, abs=0.15)  # int() rounds down
        assert part.std() == pytest.approx(5, abs=0.1)
    assert random_lengths(5, 1000, np.random.default_rng(0)).min() == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["scheme=keras_stateful"],
            r"^k1=20 cannot be used: it has to be k2=100 in keras-stateful",
        ),
        (["idiom=awd_lstm", "k1=50"], r"^k1=50 cannot be used: it has to be k2=100 in awd-lstm"),
        (["idiom=keras_stateful", "k3=9"], r"^k3=9 cannot be used: it has to be 100 or null"),
        (
            ["scheme=word_language_model", "k1=100"],
            r"^backbone\.grad_clip=50\.0 cannot be used: it has to be null in word-language-model",
        ),
        (
            ["idiom=word_language_model", "schemes.sword_language_model.clip_norm=0"],
            r"clip_norm=0 cannot be used: it has to be a number above 0",
        ),
        (
            ["scheme=awd_lstm", "k1=100", "backbone.grad_clip=null"],
            r"^datamodule.order=equidistant cannot be used: it has to be random-lengths in scheme",
        ),
        (["datamodule.order=random-lengths"], r"has to be equidistant or shuffled in scheme 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(config, words, message):
    with pytest.raises(BadInput, match=message):
        prepare(config(*words))


def test_an_idiom_is_one_word_and_none_is_no_change(config):
    plain, none = prepare(config("scheme=4")), prepare(config("scheme=4", "idiom=none"))
    assert plain.folder.path == none.folder.path
    names = {prepare(config(f"idiom={idiom}")).identity["training"] for idiom in IDIOMS}
    assert names == {"keras-stateful", "word-language-model", "awd-lstm"}


def test_the_rate_is_the_same_after_an_update_of_another_length(tmp_path):
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), 250)))
    order = "random-lengths"
    datamodule = CharDataModule(TextFile(str(path)), K2, K2, B, order, test_size=50)
    backbone = Backbone(7, hidden_size=5, dense_size=None, grad_clip=None)
    scheme = AWDLSTM(backbone, functools.partial(torch.optim.Adam, lr=0.1), K2, K2)
    fit(scheme, datamodule, 3)
    assert [g["lr"] for g in scheme.trainer.optimizers[0].param_groups] == [0.1]
