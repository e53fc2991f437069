"""`charrnn sample`: text or music by a trained model."""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charrnn.commands.output import default_folder, path_of, require_writable, write_out
from charrnn.commands.which_run import Reference, add_run_arguments, find_runs
from charrnn.data.music.midi_writing import END_OF_LINE, as_midi
from charrnn.data.vocabulary import NOTES, Vocabulary
from charrnn.errors import LARGEST, BadInput, require, require_whole
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES

if TYPE_CHECKING:
    from charrnn.sampling.samplers import Choice

log = logging.getLogger(__name__)

CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
PICTURES = {code: f"\\x{code:02x}" for code in CONTROLS if chr(code) not in "\n\t"}
"""How a terminal shows the control characters that a corpus may have."""
MOST_SAMPLES = 1000
"""At the same time: each has a state, or k2 of them, in memory."""

DESCRIPTION = """\
Let a trained model continue a prompt. Text appears while it is written, prompt included; music
becomes a MIDI file. Ctrl-C, or closing the pipe, ends all samples; what has been written by then is
kept. The prompt is read from the initial state. Progressive sampling reads all of it and carries
its state along; windowed sampling predicts each token from exactly the k2 before it (k2: tokens in
a training sequence), so it reads the last k2 tokens of the prompt, as does rolling sampling. A
shorter prompt is read as it is. An empty prompt, or one with tokens that the corpus does not have,
is refused."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = DESCRIPTION
    add_run_arguments(parser)
    parser.add_argument(
        "--prompt", help="text to continue; for music, notes with spaces (default: an end of line)"
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
        help="samples, drawn with seed, seed + 1, ...; the first appears as written (default: 1; "
        f"at most {MOST_SAMPLES})",
    )
    parser.add_argument(
        "--procedure",
        choices=(*SAMPLING_PROCEDURES, "rolling"),
        help="default: the scheme's own, with rolling in place of windowed: it draws from the same "
        "distributions in k2 times fewer steps",
    )
    parser.add_argument(
        "--out",
        type=path_of,
        help="file: text is written there too (default: no file), music as MIDI (default: "
        "samples/sample-HASH-SEED.mid in the folder of all runs); several samples are numbered: "
        "NAME-0.txt, ...",
    )
    parser.set_defaults(command=sample)


def sample(arguments: argparse.Namespace) -> None:
    """Write what the arguments ask for.

    Raises:
        CharRNNError: if the run or a file cannot be used, an argument is out of its range, or the
            run diverged.
    """
    import torch

    from charrnn.sampling.samplers import STREAMS

    require_whole("--length", arguments.length, 1, "token")
    number = arguments.num_samples
    require_whole("--num-samples", number, 1, "sample", MOST_SAMPLES)
    require_whole("--seed", arguments.seed, 0, most=LARGEST - number + 1)
    choice = _choice(arguments)
    paths = [] if arguments.out is None else _paths(arguments.out, number)
    (reference,) = find_runs(arguments, number=1)
    run, vocabulary = reference.run, reference.run.vocabulary
    is_music = vocabulary.tokenization is NOTES
    if is_music and not paths:
        digest = str(run).rpartition("_")[2]
        folder = default_folder(arguments.runs, "samples")
        paths = _paths(folder / f"sample-{digest}-{arguments.seed}.mid", number)
    prompt = _prompt(arguments.prompt, vocabulary)
    if len(prompt) < run.k2 and arguments.prompt is not None:
        log.info("the prompt has %d tokens, fewer than k2=%d: read as it is.", len(prompt), run.k2)
    procedure = arguments.procedure or _default(reference)
    log.info("%s: %s sampling, k2=%d", run, procedure, run.k2)
    streams = STREAMS[procedure](run.backbone, torch.from_numpy(prompt), run.k2, choice, number)
    first = next(streams)  # refuse a diverged model before anything is printed
    steps = itertools.chain([first], itertools.islice(streams, arguments.length - 1))
    samples = [prompt.tolist() for _ in range(number)]
    finish = (
        partial(_finish_music, samples, paths, vocabulary)
        if is_music
        else partial(_finish_text, samples, paths, vocabulary, arguments.seed)
    )
    try:
        _go_on(samples, steps, vocabulary, show=not is_music)
    except (KeyboardInterrupt, BrokenPipeError):  # keep what has been written so far
        finish()
        raise
    finish()


def _paths(out: Path, number: int) -> list[Path]:
    """Of the samples: ``out``, with a number where there are several."""
    several = number > 1 and out.name != ""
    paths = [out.with_stem(f"{out.stem}-{n}") for n in range(number)] if several else [out]
    require_writable(paths)
    return paths


def _choice(arguments: argparse.Namespace) -> Choice:
    from charrnn.sampling.samplers import Choice

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


def _go_on(
    samples: list[list[int]], steps: Iterable[list[int]], vocabulary: Vocabulary, show: bool
) -> None:
    """Append the steps' tokens to the samples, and perhaps show the first one meanwhile."""
    if show:
        _say(vocabulary.decode(np.array(samples[0])))
    for tokens in steps:
        for sample, token in zip(samples, tokens, strict=True):
            sample.append(token)
        if show:
            _say(vocabulary.symbols[tokens[0]])


def _finish_text(
    samples: list[list[int]], paths: list[Path], vocabulary: Vocabulary, seed: int
) -> None:
    """Show the samples that have not been shown, and write all of them to their files, if any."""
    texts = [vocabulary.decode(np.array(sample)) for sample in samples]
    try:
        _say("\n")
        for number, text in enumerate(texts[1:], start=1):
            _say(f"\n--- seed {seed + number}\n{text}\n")
    finally:  # also if the reader has closed the pipe
        for path, text in zip(paths, texts if paths else [], strict=True):
            write_out(path, text)
            log.info("%s", path)


def _finish_music(samples: list[list[int]], paths: list[Path], vocabulary: Vocabulary) -> None:
    """Write the samples to their files, and print the files' names."""
    for path, sample in zip(paths, samples, strict=True):
        write_out(path, as_midi(vocabulary.symbols[token] for token in sample))
    print(*paths, sep="\n")


def _say(text: str) -> None:
    """Write text at once; a terminal gets no control characters, which could do anything to it."""
    sys.stdout.write(text.translate(PICTURES) if sys.stdout.isatty() else text)
    sys.stdout.flush()
