"""`charrnn data`: list, fetch or build corpora."""

from __future__ import annotations

import argparse

from charrnn.commands.output import path_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(required=True)
    listing = actions.add_parser("list", help="fetch every corpus that is available, and list all")
    listing.set_defaults(command=show)
    build = actions.add_parser("build", help="make a corpus from its sources")
    kinds = build.add_subparsers(required=True)
    midi = kinds.add_parser("midi", help="notes of all MIDI files in a folder, as the paper did")
    midi.add_argument("folder", metavar="FOLDER", type=path_of)
    midi.set_defaults(command=build_midi)
    gutenberg = kinds.add_parser("gutenberg", help="texts of Project Gutenberg, without licences")
    gutenberg.add_argument("files", metavar="FILES", type=path_of, nargs="+")
    gutenberg.set_defaults(command=build_gutenberg)
    for kind in (midi, gutenberg):
        kind.add_argument("out", metavar="OUT", type=path_of)


def show(_: argparse.Namespace) -> None:
    """Print a row per corpus, and why any is not available."""
    from charrnn.data.corpora.for_figures import overview

    print(overview())


def build_midi(arguments: argparse.Namespace) -> None:
    """Write the notes of MIDI files as a corpus."""
    from charrnn.data.music.midi_reading import build

    print(build(arguments.folder, arguments.out))


def build_gutenberg(arguments: argparse.Namespace) -> None:
    """Write texts of Project Gutenberg as a corpus."""
    from charrnn.data.gutenberg import build_gutenberg as build

    print(f"{build(arguments.files, arguments.out):,} characters: {arguments.out}")
