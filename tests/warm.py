"""What every command does first, done once by the process that commands are forked off.

Hydra looks for its plugins, its parsers build their tables, and much is imported on first use.
"""

from __future__ import annotations

from hydra import compose, initialize_config_dir

from charrnn.config import conf_folder, register_resolvers
from charrnn.training.build import check

register_resolvers()
with initialize_config_dir(str(conf_folder()), version_base="1.3"):
    check(compose("train", ["scale=smoke", "data=stdlib"]))
