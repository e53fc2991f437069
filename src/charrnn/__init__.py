"""How should a recurrent network be trained and sampled? De Boom et al. 2018, as a benchmark.

What a notebook needs is imported when it is first used, so `import charrnn` itself takes no time:

>>> import charrnn
>>> charrnn.corpus("stdlib").name
'stdlib'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.api.corpora import corpus
    from charrnn.api.models import load_run, perplexity, sample
    from charrnn.api.results import results
    from charrnn.backbone.network import Backbone
    from charrnn.datamodule.module import CharDataModule
    from charrnn.schemes.scheme_2 import Scheme2
    from charrnn.schemes.scheme_4 import Scheme4
    from charrnn.schemes.schemes_1_and_3 import Scheme1, Scheme3

__version__ = "0.2.0"

__all__ = [
    "Backbone",
    "CharDataModule",
    "Scheme1",
    "Scheme2",
    "Scheme3",
    "Scheme4",
    "__version__",
    "corpus",
    "load_run",
    "perplexity",
    "results",
    "sample",
]

_MODULES = {
    "Backbone": "charrnn.backbone.network",
    "CharDataModule": "charrnn.datamodule.module",
    "Scheme1": "charrnn.schemes.schemes_1_and_3",
    "Scheme2": "charrnn.schemes.scheme_2",
    "Scheme3": "charrnn.schemes.schemes_1_and_3",
    "Scheme4": "charrnn.schemes.scheme_4",
    "corpus": "charrnn.api.corpora",
    "load_run": "charrnn.api.models",
    "perplexity": "charrnn.api.models",
    "results": "charrnn.api.results",
    "sample": "charrnn.api.models",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
