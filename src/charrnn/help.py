"""The text of `--help`, made from the configuration files: their comments are the documentation."""

from __future__ import annotations

import re
from pathlib import Path

USAGE = """\
How should a recurrent network be trained and sampled? (De Boom et al. 2018)

  python src/train.py                                   one run
  python src/train.py scheme=2 k1=40 data=shakespeare   one run, with other settings
  python src/train.py -m scheme=1,2,3,4 k1=20,40        a sweep over all combinations
  python src/train.py experiment=fig9 scale=laptop      the runs of a figure

A run that is finished is never trained again. Results are in multirun/, a folder a run.

Fields: name=value on the command line sets one.
"""
# A line `name: value  # comment`; a field without a comment is not for users to set.
FIELD = re.compile(
    r"^(?P<indent> *)(?P<name>[a-z]\w*):\s*(?P<value>[^#]*?)(?:\s+# (?P<comment>.*))?$"
)


def help_text(conf: Path) -> str:
    """The usage, every field of `train.yaml`, then every group, its options and their fields."""
    parts = [USAGE, *documented_fields(conf / "train.yaml", ""), ""]
    for group in sorted(path for path in conf.iterdir() if path.is_dir() and path.name != "hydra"):
        parts.append(f"Group {group.name}: {_chosen_by(group.name)}")
        for option in sorted(group.glob("*.yaml")):
            parts.append(f"  {option.stem}: {_summary(option)}")
            if group.name != "experiment":
                place = f"schemes.{option.stem}" if group.name == "schemes" else group.name
                parts += documented_fields(option, f"{place}.")
        parts.append("")
    # Hydra fills in $NAME here, while a configuration's ${...} is to be shown as it is.
    return "\n".join(parts).replace("$", "$$")


def documented_fields(file: Path, prefix: str) -> list[str]:
    """A line for every commented field of ``file``: full name, value, and what it means."""
    lines = []
    parents: list[str] = []
    for match in filter(None, map(FIELD.match, file.read_text().splitlines())):
        del parents[len(match["indent"]) // 2 :]
        if match["comment"]:
            name = prefix + ".".join((*parents, match["name"]))
            lines.append(f"    {name}={match['value']}\n        {match['comment']}")
        parents.append(match["name"])
    return lines


def _chosen_by(group: str) -> str:
    if group == "schemes":
        return "chosen by scheme=1, 2, 3, 4 or bptt"
    return f"{group}=NAME chooses one of"


def _summary(file: Path) -> str:
    """The comment at the top of a configuration file."""
    comments = (line[2:] for line in file.read_text().splitlines() if line.startswith("# "))
    return next(comment for comment in comments if not comment.startswith("@package"))
