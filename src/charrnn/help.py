"""The text of `--help` and `charrnn help`, made from the comments in the configuration files."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from charrnn.errors import BadInput

WORDS = {
    "scheme": "a way to train together with a way to sample",
    "k1": "tokens from the start of one training sequence to the start of the next",
    "k2": "tokens in a training sequence",
    "windowed": "each token is predicted from exactly the k2 tokens before it",
    "progressive": "the text is read once, from its beginning, and the state carried along",
}
"""The words that everything here needs, each in a sentence; docs/glossary.md has all of them."""
INTRODUCTION = """\
How should a recurrent network be trained and sampled? (De Boom et al. 2018)

  python src/train.py                               one run
  python src/train.py scheme=2 data=shakespeare     one run with other settings
  python src/train.py -m scheme=1,2,3,4 k1=20,40    a sweep of all combinations
  python src/train.py experiment=fig9 scale=laptop  the runs of a figure

{words}

A finished run is not trained again. Results are in multirun/, one folder per run."""
MORE = """\
charrnn help NAME shows a field, a group or an option: charrnn help k1, charrnn help scheme, \
charrnn help laptop. charrnn help all shows everything; --hydra-help shows what Hydra adds. \
docs/glossary.md explains the words."""
GROUPS = {
    "backbone": "the network",
    "callbacks": "what else happens during training; callbacks=[NAME,NAME] chooses several",
    "data": "the corpus",
    "datamodule": "the test split and the training batches",
    "debug": "short or slow runs that look for faults, in folders of their own",
    "experiment": "the runs of a figure, or of another comparison",
    "hparams_search": "a search for good settings, by a sweeper that learns from earlier runs",
    "idiom": "the training loop of other people's code, as a scheme with what it needs",
    "launcher": "where the runs of a sweep are trained",
    "logger": "where measurements are written; logger=[NAME,NAME] chooses several",
    "optimizer": "the optimizer",
    "sampling": "the texts that a model writes",
    "scale": "how large the network is, and how long it is trained",
    "schemes": "the schemes, chosen by scheme=1, 2, 3, 4, bptt or an idiom",
    "suspect": "one change that may make scheme 4 stable",
    "start": "from which state training sequences start, in any scheme",
    "trainer": "Lightning's Trainer",
}
"""What each folder in `conf` is a choice of."""
COMMON = ("experiment", "scheme", "data", "k1", "k2", "seed", "num_batches", "scale")
"""What most commands set; shown first."""
INTERNAL = ("(not to be set)", "(set by the sweep)")
"""Ends of comments on fields that users do not set."""

# A line `name: value  # comment`; a field without a comment is not for users to set.
FIELD = re.compile(
    r"^(?P<indent> *)(?P<name>[a-z]\w*):\s*(?P<value>[^#]*?)(?:\s+# (?P<comment>.*))?$"
)
# A line `  - group: option` of the defaults.
DEFAULT = re.compile(r"^  - (?P<group>\w+): (?P<option>\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One paragraph of the help.

    Attributes:
        heading: a field with its value, or an option.
        text: what it means.
        names: by which `charrnn help` finds it.
    """

    heading: str
    text: str
    names: frozenset[str]

    @property
    def is_internal(self) -> bool:
        """Whether users do not set it."""
        return self.text.endswith(INTERNAL)

    def __str__(self) -> str:
        return f"{wrapped(self.heading, 4, 8)}\n{wrapped(self.text, 8)}"


def overview(conf: Path) -> str:
    """The text of `--help`: the usage, the common fields, the others, and the groups."""
    fields = {entry.heading.partition("=")[0]: entry for entry in _fields(conf / "train.yaml")}
    defaults = dict(DEFAULT.findall((conf / "train.yaml").read_text()))
    for group in (group for group in GROUPS if group in defaults):
        options = f"{GROUPS[group]}: {', '.join(options_of(conf, group))}"
        fields[group] = Entry(f"{group}={defaults[group]}", options, frozenset())
    shown = [name for name, entry in fields.items() if not entry.is_internal]
    own = [name for name in shown if name not in GROUPS and name not in COMMON]
    groups = [name for name in shown if name in GROUPS and name not in COMMON]
    parts = [_introduction()]
    for title, names in (
        ("Common fields; name=value on the command line sets one", COMMON),
        ("Other fields", own),
        ("Groups of fields; name=option chooses one", groups),
    ):
        parts.append("\n".join([f"{title}:", *(str(fields[name]) for name in names)]))
    return "\n\n".join([*parts, wrapped(MORE, 0)])


def everything(conf: Path) -> str:
    """The usage, every field of `train.yaml`, and every group with its options and fields."""
    own = "\n".join(["Fields:", *map(str, _fields(conf / "train.yaml"))])
    groups = (_group(conf, group) for group in sorted(GROUPS))
    return "\n\n".join([_introduction(), own, *groups])


def entries_on(conf: Path, topic: str) -> list[Entry | str]:
    """The fields, options and groups of a name, and the word; groups as their text.

    Raises:
        BadInput: if there is none of that name.
    """
    if topic == "all":
        return [everything(conf)]
    entries = [*_fields(conf / "train.yaml")]
    for group in GROUPS:
        entries += [*_option_entries(conf, group), *_group_fields(conf, group)]
    found: list[Entry | str] = [entry for entry in entries if topic in entry.names]
    if topic in WORDS:
        found.insert(0, f"{topic}: {WORDS[topic]}")
    found += [_group(conf, group) for group in GROUPS if topic in (group, group.removesuffix("s"))]
    if not found:
        names = {name for entry in entries for name in entry.names}
        near = get_close_matches(topic, sorted(names | GROUPS.keys() | WORDS.keys()))
        such = ", ".join(near) or "k1, scheme or backbone"
        raise BadInput("help", topic, f"a field, a group or an option, such as {such}")
    return found


def field_names(conf: Path) -> list[str]:
    """The full names of all fields that users set, those of `train.yaml` first."""
    entries = [*_fields(conf / "train.yaml")]
    for group in GROUPS:
        entries += _group_fields(conf, group)
    names = (entry.heading.partition("=")[0] for entry in entries if not entry.is_internal)
    return [*dict.fromkeys(names)]


def options_with(conf: Path, field: str) -> str:
    """The options that have a field of its group: `launcher=slurm or ray`; empty if none has it."""
    group = field.partition(".")[0]
    if group not in GROUPS or group == "schemes":
        return ""
    files = {option: conf / group / f"{option}.yaml" for option in options_of(conf, group)}
    having = [
        option
        for option, file in files.items()
        if field in {name for name, _, _ in _documented(file, f"{group}.")}
    ]
    return f"{group}={' or '.join(having)}" if having else ""


def _group(conf: Path, group: str) -> str:
    """A group: what it is, its options, and their fields."""
    how = "" if group == "schemes" else f"; {group}=NAME chooses one of"
    entries = [*_option_entries(conf, group), *_group_fields(conf, group)]
    heading = wrapped(f"Group {group}: {GROUPS[group]}{how}", 0)
    return "\n".join([heading, *map(str, entries)])


def options_of(conf: Path, group: str) -> list[str]:
    """The names of a group's options."""
    return [file.stem for file in sorted((conf / group).glob("*.yaml"))]


def _option_entries(conf: Path, group: str) -> Iterator[Entry]:
    for option in options_of(conf, group):
        shown = option if group == "schemes" else f"{group}={option}"
        yield Entry(shown, _summary(conf / group / f"{option}.yaml"), frozenset([option]))


def _group_fields(conf: Path, group: str) -> Iterator[Entry]:
    """Every field of a group once, with the value that it has in each option."""
    if group == "experiment":
        return
    values: dict[tuple[str, str], dict[str, list[str]]] = {}
    options = options_of(conf, group)
    for option in options:
        prefix = f"schemes.{option}." if group == "schemes" else f"{group}."
        for name, value, comment in _documented(conf / group / f"{option}.yaml", prefix):
            values.setdefault((name, comment), {}).setdefault(value, []).append(option)
    for (name, comment), by_value in values.items():
        everywhere = group == "schemes" or [*by_value.values()] == [options]
        told = (
            value if everywhere else f"{value} ({', '.join(having)})"
            for value, having in by_value.items()
        )
        yield _field_entry(name, ", ".join(told), comment)


def _fields(file: Path) -> Iterator[Entry]:
    for name, value, comment in _documented(file, ""):
        yield _field_entry(name, value, comment)


def _field_entry(name: str, value: str, comment: str) -> Entry:
    return Entry(f"{name}={value}", comment, frozenset([name, name.rpartition(".")[2]]))


def _documented(file: Path, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Full name, value and comment of every commented field of ``file``."""
    parents: list[str] = []
    for match in filter(None, map(FIELD.match, file.read_text().splitlines())):
        del parents[len(match["indent"]) // 2 :]
        if match["comment"]:
            yield prefix + ".".join((*parents, match["name"])), match["value"], match["comment"]
        parents.append(match["name"])


def _summary(file: Path) -> str:
    """The comment at the top of a configuration file, which may have several lines."""
    lines = []
    for line in file.read_text().splitlines():
        if not line.startswith("# "):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("# "))
    return " ".join(lines)


def wrapped(text: str, indent: int, then: int | None = None) -> str:
    """``text`` in lines that fit the terminal, words whole; ``then`` indents all but the first."""
    return textwrap.fill(
        text,
        max(40, min(shutil.get_terminal_size().columns, 100)),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if then is None else then),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _introduction() -> str:
    """The usage, wrapped except for indented lines, which are commands; and the words."""
    words = "\n".join(wrapped(f"{word}: {WORDS[word]}", 0, 4) for word in WORDS)
    lines = (
        line if line.startswith(" ") or not line else wrapped(line, 0)
        for line in INTRODUCTION.splitlines()
    )
    return "\n".join(lines).replace("{words}", words)
