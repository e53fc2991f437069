"""The imports run one way, as ARCHITECTURE.md says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ABOVE = {
    **{
        f"hydra_plugins.{path.stem}": path for path in (ROOT / "src" / "hydra_plugins").glob("*.py")
    },
    **{
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / "analysis").rglob("*.py")
    },
}
MODULES = {
    ".".join(path.relative_to(ROOT / "src" / "charrnn").with_suffix("").parts): path
    for path in (ROOT / "src" / "charrnn").rglob("*.py")
    if path.name != "__init__.py"
}


def levels() -> dict[str, int]:
    """The numbered list of ARCHITECTURE.md: the level of every module."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^(\d+)\. (`.*`)$", text, re.MULTILINE)
    return {name: int(n) for n, row in rows for name in re.findall(r"`([\w.]+)`", row)}


def imported(path: Path) -> set[str]:
    """The project's modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "charrnn":
            for alias in node.names:  # a module, or what is in one
                inner = f"{node.module}.{alias.name}".removeprefix("charrnn.")
                names.add(inner if inner in MODULES else node.module.removeprefix("charrnn."))
        elif isinstance(node, ast.Import):
            names |= {a.name.removeprefix("charrnn.") for a in node.names if "charrnn." in a.name}
    return names


def test_the_list_names_every_module():
    assert set(MODULES) == levels().keys() - {"hydra_plugins", "analysis"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_lower_levels_only(module):
    level = levels()
    for name in imported(MODULES[module]):
        assert level[name] < level[module], f"{module} imports {name}"


@pytest.mark.parametrize("module", ABOVE)
def test_figures_and_the_sweeper_import_what_exists_below_them(module):
    known = levels()
    assert imported(ABOVE[module]) <= known.keys()
    assert known[module.split(".")[0]] == max(known.values())


def test_every_path_in_architecture_md_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = text.split("## The rooms")[1].split("## What may")[0]
    for cell in re.findall(r"^\| (`.*?) \|", rooms, re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([^`]+)`", cell):
            path = name if "/" in name else folder + name
            folder = path.rsplit("/", 1)[0] + "/"
            assert (ROOT / path).exists(), path
