"""`charrnn data`: list, inspect, fetch or build corpora."""

from __future__ import annotations

import argparse

from charrnn.commands.output import path_of
from charrnn.errors import require_whole

SETTINGS = {
    "k1": (20, "tokens between the starts of successive training sequences"),
    "k2": (100, "tokens in a training sequence"),
    "batch-size": (64, "sequences in a batch"),
    "test-size": (11_100, "tokens in the test split"),
}
"""What decides how a text is split, and how many batches an epoch has."""
ENCODING = "utf-8, utf-16, latin-1, cp1252 or another that Python knows (default: utf-8)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(required=True)
    listing = actions.add_parser("list", help="fetch every corpus that is available, and list all")
    listing.set_defaults(command=show)
    look = actions.add_parser("inspect", help="what a text file is, and what is odd about it")
    look.add_argument("file", metavar="FILE", type=path_of)
    for name, (default, unit) in SETTINGS.items():
        help_text = f"{unit} (default: {default}, as in the paper)"
        look.add_argument(f"--{name}", type=int, default=default, help=help_text)
    look.add_argument("--encoding", default="utf-8", help=ENCODING)
    look.set_defaults(command=inspect)
    build = actions.add_parser("build", help="make a corpus from its sources")
    kinds = build.add_subparsers(required=True)
    midi = kinds.add_parser("midi", help="notes of all MIDI files in a folder, as the paper did")
    midi.add_argument("folder", metavar="FOLDER", type=path_of)
    midi.set_defaults(command=build_midi)
    gutenberg = kinds.add_parser("gutenberg", help="texts of Project Gutenberg, without licences")
    gutenberg.add_argument("files", metavar="FILES", type=path_of, nargs="+")
    gutenberg.add_argument("--encoding", default="utf-8", help=ENCODING)
    gutenberg.set_defaults(command=build_gutenberg)
    for kind in (midi, gutenberg):
        kind.add_argument("out", metavar="OUT", type=path_of)


def show(_: argparse.Namespace) -> None:
    """Print a row per corpus, and why any is not available."""
    from charrnn.data.corpora.for_figures import overview

    print(overview())


def inspect(arguments: argparse.Namespace) -> None:
    """Print what a text is, as a run does when it starts, and a line for whatever is odd.

    Raises:
        BadInput: if the file is not a text in that encoding, or a number is out of its range.
    """
    from charrnn.data.corpora.base import TextFile, require_encoding
    from charrnn.data.corpora.tokens import Tokens, hash_of
    from charrnn.data.inspection import oddities, short_splits, split_summary, summary
    from charrnn.data.vocabulary import CHARACTERS
    from charrnn.datamodule.split import batches_per_epoch

    k1, k2, batch_size = arguments.k1, arguments.k2, arguments.batch_size
    for name, (_, unit) in SETTINGS.items():
        value = getattr(arguments, name.replace("-", "_"))
        require_whole(f"--{name}", value, 1, unit.partition(" ")[0].removesuffix("s"))
    require_encoding("--encoding", arguments.encoding)
    corpus = TextFile(str(arguments.file), encoding=arguments.encoding)
    text = corpus.text("FILE")
    tokens = Tokens(corpus.name, *CHARACTERS.tokenize(text), hash_of(text), corpus.source())
    train = len(tokens.tokens) - arguments.test_size
    per_epoch = batches_per_epoch(max(train, 0), k1, k2, batch_size)
    if per_epoch:
        print(f"{summary(tokens)}; {split_summary(train, arguments.test_size, [per_epoch])}.")
        short = short_splits(train, [per_epoch])
    else:
        print(f"{summary(tokens)}.")
        at = f"k2={k2}, a batch of {batch_size} and a test split of {arguments.test_size:,} tokens"
        short = iter([f"the text is too short for {at}; a run would refuse it."])
    for sentence in (*oddities(tokens), *short):
        print(f"{tokens.name}: {sentence}")


def build_midi(arguments: argparse.Namespace) -> None:
    """Write the notes of MIDI files as a corpus."""
    from charrnn.data.music.midi_reading import build

    print(build(arguments.folder, arguments.out))


def build_gutenberg(arguments: argparse.Namespace) -> None:
    """Write texts of Project Gutenberg as a corpus."""
    from charrnn.data.gutenberg import build_gutenberg as build

    number = build(arguments.files, arguments.out, arguments.encoding)
    print(f"{number:,} characters: {arguments.out}")
