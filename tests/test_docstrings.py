"""The examples in the docstrings of the package run, and print what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest
from conftest import ROOT

PACKAGE = ROOT / "src" / "charrnn"
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text() and path.parent.name != "api"
]
"""tests/test_library.py runs the examples of the API, which need a trained run."""
HAVE_EXAMPLES = {
    *("charrnn.backbone.network.Backbone", "charrnn.data.corpora.base.TextFile"),
    *("charrnn.data.vocabulary.Vocabulary", "charrnn.datamodule.split.split"),
    *("charrnn.datamodule.batches.TrainBatches", "charrnn.datamodule.module.CharDataModule"),
    *("charrnn.evaluation.perplexity.windowed_perplexity", "charrnn.sampling.samplers.Choice"),
    *("charrnn.evaluation.perplexity.progressive_perplexity", "charrnn.schemes.base.Scheme"),
    *("charrnn.sampling.samplers.windowed_sampling", "charrnn.sampling.samplers.rolling_sampling"),
    *("charrnn.sampling.samplers.progressive_sampling", "charrnn.data.corpora.for_figures.choose"),
    "charrnn.schemes.losses.weighted_cross_entropy",
}
"""What a newcomer meets first."""


def examples(name: str) -> list[doctest.DocTest]:
    """The docstrings of a module that contain examples."""
    return [
        test
        for test in doctest.DocTestFinder().find(importlib.import_module(name))
        if test.examples
    ]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    found = examples(name)
    assert found
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for test in found:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_what_a_newcomer_meets_first_has_an_example():
    assert {test.name for name in MODULES for test in examples(name)} >= HAVE_EXAMPLES
