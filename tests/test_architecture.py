"""Imports run one way between packages, and `conf/` and `src/` use the same words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "charrnn"
FOREIGN = ("torch.", "pytorch_lightning.", "hydra_plugins.", "optuna.")
"""Targets that are not the project's own, and launchers, which Hydra takes from one place only."""


def ranks() -> dict[str, int]:
    """The numbered list of ARCHITECTURE.md: the rank of every package and basic module."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^(\d+)\. (`.*`)", text, re.MULTILINE)
    return {name: int(n) for n, row in rows for name in re.findall(r"`([\w.]+)`", row)}


def place(module: str) -> str:
    """The package, or the basic module, that a dotted name below charrnn belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "charrnn" and len(parts) > 1 else parts[0]


def imported(path: Path) -> set[str]:
    """The places from which a file imports, wherever in the file that stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names_imported = [alias.name for alias in node.names if alias.name != "__version__"]
            inner = [f"charrnn.{name}" for name in names_imported]
            names |= set(inner) if module == "charrnn" else {module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {place(name) for name in names if name.split(".")[0] in ("charrnn", "analysis")}


SOURCES = {
    **{
        path: place(f"charrnn.{path.relative_to(PACKAGE).parts[0].removesuffix('.py')}")
        for path in PACKAGE.rglob("*.py")
    },
    **dict.fromkeys((ROOT / "src" / "hydra_plugins").glob("*.py"), "hydra_plugins"),
    **dict.fromkeys((ROOT / "analysis").rglob("*.py"), "analysis"),
}


def test_the_list_names_every_package():
    assert set(SOURCES.values()) - {"__init__", "__main__"} == set(ranks())


@pytest.mark.parametrize("source", sorted(set(SOURCES.values()) - {"__init__", "__main__"}))
def test_a_package_imports_from_lower_ranks_only(source):
    rank = ranks()
    for path in (path for path, name in SOURCES.items() if name == source):
        for name in imported(path) - {source}:
            assert rank[name] < rank[source], f"{path.relative_to(ROOT)} imports {name}"


def test_no_module_is_flat_but_the_basics():
    flat = {path.stem for path in PACKAGE.glob("*.py")}
    assert flat == {
        *("__init__", "__main__", "cli", "config", "console", "devices", "errors", "files", "help"),
        *("plugins", "seals", "stopping", "untrusted"),
    }


def targets(node) -> list[str]:
    """Every `_target_` in a configuration."""
    if isinstance(node, list):
        return [target for value in node for target in targets(value)]
    if not isinstance(node, dict):
        return []
    inside = [target for value in node.values() for target in targets(value)]
    return [node["_target_"], *inside] if "_target_" in node else inside


@pytest.mark.parametrize("path", sorted((ROOT / "conf").rglob("*.yaml")), ids=lambda p: p.stem)
def test_a_target_is_in_the_package_that_its_group_is_named_after(path):
    group = path.relative_to(ROOT / "conf").parts[0]
    config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    for target in targets(config):
        if not target.startswith(FOREIGN):
            assert target.startswith(f"charrnn.{group}.")


def test_every_path_in_architecture_md_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = text.split("## Packages")[1].split("## What may")[0]
    for cell in re.findall(r"^\| (`.*?) \|", rooms, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", cell):
            assert (ROOT / name).exists(), name
