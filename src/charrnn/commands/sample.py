"""`charrnn sample`: text or music by a trained model."""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from charrnn.commands.output import require_name, write_out
from charrnn.commands.reference import Reference, add_run_arguments, find_runs
from charrnn.data.midi_writing import END_OF_LINE, write_midi
from charrnn.data.vocabulary import NOTES, Vocabulary
from charrnn.errors import BadInput, require, require_whole
from charrnn.sampling import STREAMS, Choice

log = logging.getLogger(__name__)

DESCRIPTION = """\
Let a trained model go on from a prompt. Text appears as it is written, prompt included; music
becomes a MIDI file. Ctrl-C ends a text, and shows the other samples as far as they are. The
prompt is read from the initial state: all of it in progressive sampling, its last k2 tokens in
windowed and rolling sampling. A shorter one is read as it is. An empty prompt, or one with
tokens that the corpus does not have, is refused."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "sample", help="text or music by a trained model", description=DESCRIPTION
    )
    add_run_arguments(parser)
    parser.add_argument(
        "--prompt", help="what to go on from; notes of music with spaces (default: an end of line)"
    )
    parser.add_argument("--length", type=int, default=500, help="tokens to write (default: 500)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="divides the logits: below 1 sharpens, above 1 flattens (default: 1)",
    )
    parser.add_argument("--top-k", type=int, help="draw from the k most likely (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (default: 0)")
    parser.add_argument(
        "--num-samples",
        type=int,
        default=1,
        help="samples, drawn with seed, seed + 1, ...; the first appears as written (default: 1)",
    )
    parser.add_argument(
        "--procedure",
        choices=STREAMS,
        help="default: the scheme's own, where rolling, of the same distributions and k2 times "
        "fewer steps, stands for windowed",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="file: text is written there too (default: to none), music as MIDI (default: "
        "sample-HASH-SEED.mid, by run and seed); several samples are numbered: NAME-0.txt, ...",
    )
    parser.set_defaults(command=sample)


def sample(arguments: argparse.Namespace) -> None:
    """Write what the arguments ask for.

    Raises:
        CharRNNError: if the run cannot be used, an argument is out of its range, or the run
            diverged.
    """
    require_whole("--length", arguments.length, 1, "token")
    require_whole("--num-samples", arguments.num_samples, 1, "sample")
    require_name(arguments.out)
    choice = _choice(arguments)
    (reference,) = find_runs(arguments, number=1)
    run, vocabulary = reference.run, reference.run.vocabulary()
    prompt = _prompt(arguments.prompt, vocabulary)
    if len(prompt) < run.k2 and arguments.prompt is not None:
        log.info("the prompt has %d tokens, k2 is %d: read as it is.", len(prompt), run.k2)
    procedure = arguments.procedure or _default(reference)
    log.info("%s: %s sampling, k2=%d", run, procedure, run.k2)
    backbone = run.backbone(len(vocabulary))
    prompt_N = torch.from_numpy(prompt).to(backbone.output.weight.device)
    streams = STREAMS[procedure](backbone, prompt_N, run.k2, choice, arguments.num_samples)
    steps = itertools.islice(streams, arguments.length)
    if vocabulary.tokenization is NOTES:
        _write_music(
            arguments, reference, [vocabulary.symbols[t] for t in prompt], steps, vocabulary
        )
    else:
        _write_text(arguments, vocabulary.decode(prompt), steps, vocabulary)


def _choice(arguments: argparse.Namespace) -> Choice:
    try:
        return Choice(arguments.temperature, arguments.top_k, arguments.seed)
    except BadInput as error:
        flag = error.field.rpartition(".")[2].replace("_", "-")
        raise BadInput(f"--{flag}", error.value, error.wanted) from error


def _prompt(text: str | None, vocabulary: Vocabulary) -> np.ndarray:
    """The prompt's tokens (N,); without one, an end of line."""
    if text is None:
        known = END_OF_LINE in vocabulary.symbols
        require(known, "--prompt", "nothing", "given: the corpus has no end of line to start from")
        text = END_OF_LINE
    prompt = vocabulary.encode(text, "--prompt")
    require(len(prompt) > 0, "--prompt", repr(text), "at least 1 token")
    return prompt


def _default(reference: Reference) -> str:
    return "rolling" if reference.procedure == "windowed" else reference.procedure


def _write_text(
    arguments: argparse.Namespace,
    prompt: str,
    steps: Iterator[list[int]],
    vocabulary: Vocabulary,
) -> None:
    """The first sample as it is written, the others after it."""
    texts = [prompt] * arguments.num_samples
    _say(prompt)
    try:
        for tokens in steps:
            _say(vocabulary.symbols[tokens[0]])
            texts = [
                text + vocabulary.symbols[token] for text, token in zip(texts, tokens, strict=True)
            ]
    finally:  # after Ctrl-C too: nobody waits for the end of a long sample in vain
        _say("\n")
        for number, text in enumerate(texts[1:], start=1):
            _say(f"\n--- seed {arguments.seed + number}\n{text}\n")
        if arguments.out is not None:
            for number, text in enumerate(texts):
                path = _path(arguments.out, number, arguments)
                write_out(path, text)
                log.info("%s", path)


def _path(out: Path, number: int, arguments: argparse.Namespace) -> Path:
    """Of a sample: ``out``, with a number where there are several."""
    return out.with_stem(f"{out.stem}-{number}") if arguments.num_samples > 1 else out


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _write_music(
    arguments: argparse.Namespace,
    reference: Reference,
    prompt: list[str],
    steps: Iterator[list[int]],
    vocabulary: Vocabulary,
) -> None:
    digest = str(reference.run).rpartition("_")[2]
    out = arguments.out or Path(f"sample-{digest}-{arguments.seed}.mid")
    for number, tokens in enumerate(zip(*steps, strict=True)):
        path = _path(out, number, arguments)
        write_midi([*prompt, *(vocabulary.symbols[token] for token in tokens)], path)
        print(path)
