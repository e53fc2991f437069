"""`charrnn eval`: perplexity of a text under a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from charrnn.commands import by_position
from charrnn.commands.output import figure_and_table, path_of
from charrnn.commands.which_run import add_run_arguments, find_runs
from charrnn.console import print_table
from charrnn.data.corpora.base import TextFile, require_encoding
from charrnn.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from charrnn.commands.trained_run import TrainedRun

DESCRIPTION = """\
Perplexity and bits per token of a text, by default of the run's own test split. Both sampling
procedures score the tokens that follow the first k2 (the tokens in a training sequence): windowed
sampling predicts each token from exactly the k2 before it, progressive sampling reads the text once
and carries its state along. A text with tokens that the run's corpus does not have is refused."""
PROTOCOL = {
    "windowed": "each token from exactly the {k2} before it, from the initial state (Algorithm 4)",
    "progressive": "the text read once, the state carried along (Algorithm 5)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = DESCRIPTION
    add_run_arguments(parser)
    parser.add_argument("--text", type=path_of, help="a file (default: the run's test split)")
    parser.add_argument(
        "--encoding",
        help="of --text: utf-8, utf-16, latin-1, cp1252 or another that Python knows (default: "
        "that of the run's own text)",
    )
    parser.add_argument(
        "--by-position",
        action="store_true",
        help="how it predicts after 1, 2, ... tokens, far beyond the length of its training "
        "sequences, how much it remembers, and how large its state grows; writes a figure and its "
        "table",
    )
    parser.add_argument(
        "--positions",
        type=int,
        metavar="N",
        help="with --by-position: how many tokens are read (default: 100 k2)",
    )
    parser.add_argument(
        "--out",
        type=path_of,
        help="with --by-position: a .png (default: figures/by-position-HASH.png in the folder of "
        "all runs); the table goes beside it, as .csv",
    )
    parser.set_defaults(command=evaluate)


def evaluate(arguments: argparse.Namespace) -> None:
    """Print a row per procedure, and what was scored how.

    Raises:
        CharRNNError: if the run or the text cannot be used.
    """
    import torch

    from charrnn.evaluation.perplexity import PROCEDURES

    for option, value in (("--positions", arguments.positions), ("--out", arguments.out)):
        require(value is None or arguments.by_position, option, value, "given with --by-position")
    positions = arguments.positions
    require(positions is None or positions > 1, "--positions", positions, "at least 2 tokens")
    if arguments.out is not None:
        figure_and_table(arguments.out, "by-position")
    (reference,) = find_runs(arguments, number=1)
    run = reference.run
    if arguments.text is None:
        require(arguments.encoding is None, "--encoding", arguments.encoding, "given with --text")
        tokens_N = run.datamodule().test_tokens
        what = f"test split of {run.identity['corpus']['name']}"
    else:
        tokens_N = _read(arguments.text, run, arguments.encoding)
        what = str(arguments.text)
    tokens_N = tokens_N.to(run.backbone.output.weight.device)
    print(f"run: {run}")
    if arguments.by_position:
        print(f"text: {what}, {len(tokens_N)} tokens")
        by_position.show(run, tokens_N, arguments)
        return
    unit = run.vocabulary.tokenization.name.removesuffix("s")
    table = Table("procedure", "perplexity", f"bits per {unit}", "error", "tokens scored")
    for procedure, measure in PROCEDURES.items():
        perplexity, scored, error = measure(run.backbone, tokens_N, run.k2)
        bits = torch.tensor(perplexity, dtype=torch.float64).log2().item()
        known = f"{error:.1%}" if error == error else ""  # unknown for few tokens
        table.add_row(procedure, f"{perplexity:.9g}", f"{bits:.6g}", known, str(scored))
    print(f"text: {what}, {len(tokens_N)} tokens, of which the first k2={run.k2} are not scored")
    print_table(table, fits=False)
    for procedure, words in PROTOCOL.items():
        print(f"{procedure}: {words.format(k2=run.k2)}")


def _read(path: Path, run: TrainedRun, encoding: str | None) -> Tensor:
    """The tokens of a text (N,), read as the run's own text was."""
    import torch

    if encoding is not None:
        require_encoding("--encoding", encoding)
    own = run.cfg.data
    text_file = TextFile(
        str(path),
        encoding=encoding or own.get("encoding", "utf-8"),
        newlines=own.get("newlines", "keep"),
    )
    text = text_file.text("--text")
    tokens = run.vocabulary.encode(text, "--text", path)
    require(len(tokens) > run.k2, "--text", path, f"longer than k2={run.k2} tokens")
    return torch.from_numpy(tokens)
