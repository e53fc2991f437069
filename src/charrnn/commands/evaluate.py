"""`charrnn eval`: perplexity of a text under a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from charrnn.commands.output import path_of
from charrnn.commands.trained_run import TrainedRun
from charrnn.commands.which_run import add_run_arguments, find_runs
from charrnn.console import print_table
from charrnn.data.corpora import read_text
from charrnn.data.vocabulary import NOTES, Vocabulary
from charrnn.errors import require
from charrnn.evaluation.perplexity import PROCEDURES

DESCRIPTION = """\
Perplexity and bits per token of a text, by default of the run's own test split. Both procedures
score the tokens that follow the first k2. A text with tokens that the run's corpus does not
have is refused."""
PROTOCOL = {
    "windowed": "each token from exactly the {k2} before it, from the initial state (Algorithm 4)",
    "progressive": "read once from the initial state, one state carried all along (Algorithm 5)",
}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "eval", help="perplexity of a text under a trained model", description=DESCRIPTION
    )
    add_run_arguments(parser)
    parser.add_argument("--text", type=path_of, help="UTF-8 file (default: the run's test split)")
    parser.set_defaults(command=evaluate)


def evaluate(arguments: argparse.Namespace) -> None:
    """Print a row a procedure, and what was scored how.

    Raises:
        CharRNNError: if the run or the text cannot be used.
    """
    (reference,) = find_runs(arguments, number=1)
    run, vocabulary = reference.run, reference.run.vocabulary()
    if arguments.text is None:
        tokens_N = run.datamodule().test_tokens
        what = f"test split of {run.identity['corpus']['name']}"
    else:
        tokens_N = _read(arguments.text, run, vocabulary)
        what = str(arguments.text)
    backbone = run.backbone(len(vocabulary))
    tokens_N = tokens_N.to(backbone.output.weight.device)
    unit = "note" if vocabulary.tokenization is NOTES else "character"
    table = Table("procedure", "perplexity", f"bits per {unit}", "tokens scored")
    for procedure, measure in PROCEDURES.items():
        perplexity, scored = measure(backbone, tokens_N, run.k2)
        bits = torch.tensor(perplexity, dtype=torch.float64).log2().item()
        table.add_row(procedure, f"{perplexity:.9g}", f"{bits:.6g}", str(scored))
    print(f"run: {run}")
    print(f"text: {what}, {len(tokens_N)} tokens, of which the first k2={run.k2} are not scored")
    print_table(table, fits=False)
    for procedure, words in PROTOCOL.items():
        print(f"{procedure}: {words.format(k2=run.k2)}")


def _read(path: Path, run: TrainedRun, vocabulary: Vocabulary) -> Tensor:
    text = read_text(path, "--text")
    tokens = vocabulary.encode(text, "--text", path)
    require(len(tokens) > run.k2, "--text", path, f"longer than k2={run.k2} tokens")
    return torch.from_numpy(tokens)
