"""Where the configuration lies, and the resolvers that its files use."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import OmegaConf

from charrnn.help import help_text


def conf_folder() -> Path:
    """The folder `conf`: the checkout's, or in an installed package the one that came with it."""
    package = Path(__file__).parent
    checkout = package.parent.parent / "conf"
    return checkout if (checkout / "train.yaml").exists() else package / "conf"


def scale_for_this_machine() -> str:
    """The scale that `scale=auto` stands for here."""
    return "paper" if torch.cuda.is_available() else "quick"


def register_resolvers() -> None:
    """Make the project's resolvers known; to be called before a configuration is composed."""
    OmegaConf.register_new_resolver(
        "charrnn.scale_for_this_machine", scale_for_this_machine, replace=True
    )
    OmegaConf.register_new_resolver("charrnn.help", lambda: help_text(conf_folder()), replace=True)
