"""A small corpus, and a scheme for it, as a user of Lightning sets them up."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from helpers import model_and_parameters

import charrnn

K1, K2 = 3, 5


def data(tmp_path, **settings) -> charrnn.CharDataModule:
    """A random text of seven letters: 5 batches in an epoch, and 70 tokens for the test."""
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), 150)))
    settings = {"batch_size": 4, "test_size": 70} | settings
    module = charrnn.CharDataModule(charrnn.corpus("textfile", path=str(path)), K1, K2, **settings)
    module.setup()
    return module


def scheme_of(scheme_class=charrnn.Scheme1, **architecture):
    backbone, _ = model_and_parameters(**architecture)
    return scheme_class(backbone, partial(torch.optim.Adam, lr=0.01), K1, K2)


def weights(scheme) -> torch.Tensor:
    return torch.cat([value.flatten() for value in scheme.state_dict().values()])
