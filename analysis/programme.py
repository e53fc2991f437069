"""The programme of runs that decides the most for the least: `python -m analysis.programme -h`."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from dataclasses import dataclass

from charrnn.cli import refusing
from charrnn.config import conf_folder
from charrnn.errors import BadInput

WIDE = "backbone.hidden_size=512 backbone.dense_size=1024"
"""The paper's width, whatever the scale."""
SHORT = "data=masses,shakespeare data.first=266672"
"""Notes and a text, both cut to the length of the chorales."""


@dataclass(frozen=True)
class Part:
    """A part of the programme.

    Attributes:
        decides: what its runs decide.
        sweeps: the settings of each of its sweeps, in the words of the command line.
    """

    decides: str
    sweeps: tuple[str, ...]

    def commands(self, settings: list[str]) -> list[list[str]]:
        """The settings of each sweep, as words; ``settings`` come last and win."""
        return [["evaluate_at=dense", *shlex.split(sweep), *settings] for sweep in self.sweeps]


PARTS = {
    1: Part(
        "the order of the schemes, their stability, and the spread over k1, at the laptop's width",
        ("experiment=readings scale=laptop seed=0,1,2 backbone.forget_bias=5.0",),
    ),
    2: Part(
        "whether that order and the gap between the readings come from the forget bias of 5",
        ("experiment=readings scale=laptop seed=0,1,2 backbone.forget_bias=0.0",),
    ),
    3: Part(
        "whether stability depends on the length of the corpus or on what is in it",
        (
            "experiment=readings name=length-or-content scale=laptop seed=0,1,2,3,4 scheme=1,4"
            " k1=20,100 num_batches=801 data=masses,shakespeare data.first=266672,null",
        ),
    ),
    4: Part(
        "whether scheme 4 ends near 350 in Figure 11's shortest sequences, at the paper's size",
        (
            f"experiment=fig11 name=shortest scale=long {WIDE} scheme=4 k2=20"
            " backbone.forget_bias=5.0,0.0 columns=[backbone.forget_bias]",
            f"experiment=fig11 name=shortest-3 scale=long {WIDE} scheme=3 k2=20 k1_share=1"
            " backbone.forget_bias=5.0,0.0 columns=[backbone.forget_bias]",
        ),
    ),
    5: Part(
        "the bump in Finnish at the paper's smaller width, and its cures",
        tuple(
            f"experiment={name} name=bump{cure} scale=laptop seed=0,1,2 num_batches=401"
            f" backbone.hidden_size=128 backbone.dense_size=1024 k1=20,40,60,80,100{corpus}"
            for name, cure, corpus in (
                ("fig7", "", " data=kalevala"),
                ("finnish_slow", "-slow", ""),
                ("finnish_rmsprop", "-rmsprop", ""),
            )
        ),
    ),
    6: Part(
        "whether the larger network learns faster early on, at the paper's widths",
        (
            "experiment=fig7 name=early scale=laptop seed=0,1 k1=20,100 num_batches=101"
            " backbone.num_layers=1 backbone.hidden_size=128,512 backbone.dense_size=1024"
            " datamodule.test_size=2100",
        ),
    ),
    7: Part(
        "what the ends of training say after as many batches as in the paper",
        ("experiment=fig9 name=ends scale=long k1=20,100 data=shakespeare,linux61",),
    ),
    8: Part(
        "stability and the gap between the readings at the paper's width",
        (
            f"experiment=readings name=wide scale=laptop seed=0,1,2 {WIDE} {SHORT} scheme=1,4"
            " k1=100 num_batches=601",
        ),
    ),
    9: Part(
        "overfitting and dropout, after as many epochs as in the paper",
        (
            f"experiment=dropout name=overfitting scale=laptop {WIDE} backbone.num_layers=1"
            " backbone.dropout=0.0,0.25 columns=[backbone.dropout] k1=60,100 num_batches=2200",
        ),
    ),
    10: Part(
        "how the schemes depend on the length of the sequences",
        ("experiment=fig11 scale=laptop seed=0,1,2 k2=20,40,60,80,100",),
    ),
    11: Part(
        "whether the order of the training sequences matters",
        ("experiment=shuffled scale=laptop seed=0,1,2",),
    ),
    12: Part(
        "the architectures, on all corpora",
        (
            "experiment=fig7 scale=laptop seed=0,1,2",
            "experiment=fig8 scale=laptop seed=0,1,2",
        ),
    ),
    13: Part(
        "the paper's own size, once",
        ("experiment=fig9 name=anchor scale=paper data=shakespeare k1=100",),
    ),
    14: Part(
        "which starts of training sequences keep which recurrent cells usable far beyond k2 tokens",
        (
            "experiment=starts name=cells-starts scale=laptop seed=0,1,2 data=shakespeare k1=60"
            " backbone=lstm,gru,rnn,mingru,minlstm columns=[backbone,start]",
        ),
    ),
    15: Part(
        "what a new epoch, which starts from the zero state, does to scheme 4",
        (
            "experiment=suspects name=restarts scale=laptop seed=0,1,2,3,4,5 data=linux61 k1=100"
            " scheme=4 suspect=none,no_restart,bias_0 num_batches=2150",
        ),
    ),
}
"""By number, in the order in which they are worth their time."""


def main() -> None:
    """List the parts, or train one and draw it."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.programme",
        description="List the parts of the programme of runs, or train what is missing of one part;"
        " each of its sweeps ends with a table and a figure.",
    )
    parser.add_argument("part", nargs="?", help=f"1 to {max(PARTS)}; without it they are listed")
    parser.add_argument(
        "settings",
        nargs="*",
        help="fields to set, such as scale=paper, jobs=1, or plan=true, which trains nothing",
    )
    arguments = parser.parse_args()
    if arguments.part is None:
        for number, part in PARTS.items():
            print(f"{number:2}: {part.decides}")
            for words in part.commands([]):
                print(f"    {shown(words)}")
        return
    with refusing():
        sys.exit(train(arguments.part, arguments.settings))


def shown(words: list[str]) -> str:
    """The command that trains a sweep, as one types it."""
    return shlex.join(["python", "src/train.py", *words])


def train(number: str, settings: list[str]) -> int:
    """Train what is missing of a part, sweep by sweep.

    Args:
        number: of the part.
        settings: fields that are set for all of its sweeps.

    Returns:
        The highest exit status of a sweep; one that was interrupted is the last.

    Raises:
        BadInput: if there is no such part.
    """
    if number not in map(str, PARTS):
        raise BadInput("PART", number, f"a number from 1 to {max(PARTS)}")
    status = 0
    for words in PARTS[int(number)].commands(settings):
        command = [sys.executable, str(conf_folder().parent / "src" / "train.py"), *words]
        print(shown(words), flush=True)
        status = max(status, subprocess.run(command, check=False).returncode)
        if status > 1:  # 1: some runs failed
            break
    return status


if __name__ == "__main__":
    main()
