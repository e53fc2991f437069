"""What README.md and the pages say can be followed: links, names, commands and numbers."""

from __future__ import annotations

import ast
import json
import math
import pydoc
import re
import runpy
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from analysis.numbers import astray, intervals, renewed
from conftest import ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from charrnn.backbone.network import Backbone
from charrnn.data.corpora.base import TextFile
from charrnn.datamodule.module import CharDataModule

DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
        *DOCS.rglob("*.md"),
        *DOCS.rglob("*.ipynb"),
    ]
)
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
FILES = {"my.txt", "out.txt", "manual.txt", "FILE", "my-midi-folder"}
"""Values of `data.path=` that stand for a file of the reader's."""
PATTERN = re.compile(r"\b(FIELD|NAME|EXPERIMENT|VALUE)\b|\.\.\.")
"""What makes a command a pattern, rather than one that can be given."""
OWN = re.compile(
    r"scheme_?5|scheme=(1,)?5|/s5|dropout_rates|charrnn_example"
    r"|charrnn\.(tokenizations|weightings|figures)$"
)
"""What a page has its reader write first."""


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def markdown(page: Path) -> str:
    """The page; a notebook with its code, and the commands in it, as blocks."""
    if page.suffix != ".ipynb":
        return page.read_text()
    parts = []
    for cell in json.loads(page.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.startswith("!"):
            source = f"```\n{source[1:].partition(' 2>')[0]}\n```"
        elif cell["cell_type"] == "code":
            source = f"```python\n{source}\n```"
        parts.append(source)
    return "\n\n".join(parts)


def text_of(page: Path) -> str:
    """The page without its code blocks."""
    return BLOCK.sub("", markdown(page))


def blocks(page: Path, *languages: str) -> list[str]:
    return [code for language, code in BLOCK.findall(markdown(page)) if language in languages]


def commands(page: Path) -> list[list[str]]:
    """The words of every command on a page: in blocks without a language, and in backticks."""
    lines = [
        line
        for block in blocks(page, "", "bash")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    starts = ("python src/", "python -m", "charrnn ", "make ")
    lines += INLINE.findall(text_of(page))
    return [
        shlex.split(line, comments=True)
        for line in lines
        if line.startswith(starts) and not OWN.search(line) and not PATTERN.search(line)
    ]


def all_commands(*start: str) -> list[tuple[str, ...]]:
    """The distinct commands of all pages that start like this, without these words."""
    found = {tuple(command) for page in PAGES for command in commands(page)}
    return sorted(command[len(start) :] for command in found if command[: len(start)] == start)


def test_commands_are_found():
    makes, runs = all_commands("make"), all_commands("python", "src/train.py")
    assert len(makes) > 20
    assert len(runs) > 20
    assert ("reproduce-fig9",) in makes
    assert ("-m", "scheme=1,2,3,4", "k1=20,40") in runs


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(page)):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_names_exist(page):
    named = INLINE.findall(text_of(page)) + re.findall(r"^::: (.*)$", page.read_text(), re.M)
    for dotted in named:
        if re.fullmatch(r"(charrnn|analysis)(\.\w+)+", dotted) and not OWN.search(dotted):
            assert pydoc.locate(dotted) is not None, dotted


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_exist(page):
    for path in INLINE.findall(text_of(page)):
        if re.match(r"(src|analysis|conf|tests|docs)/[\w./-]*$", path) and not OWN.search(path):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_examples_use_what_exists(page):
    for node in (node for block in blocks(page, "python") for node in ast.walk(ast.parse(block))):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                used = [f"{module}.{alias.name}" for alias in names]
            case ast.Attribute(value=ast.Name(id="charrnn"), attr=attribute):
                used = [f"charrnn.{attribute}"]
            case _:
                continue
        for dotted in used:
            assert OWN.search(dotted) or pydoc.locate(dotted) is not None, dotted


def example(page: str, text: Path) -> dict[str, Any]:
    """What a page's Python code defines, after it has run on a small text and for two batches."""
    code = "\n".join(blocks(DOCS / page, "python"))
    code = re.sub(r'"my\.txt"', repr(str(text)), re.sub(r"range\(\d+\)", "range(2)", code))
    names: dict[str, Any] = {}
    exec(compile(code, page, "exec"), names)
    return names


def test_the_recurrent_cell_trains(text_file, capsys):
    backbone = example("how-to/own-recurrent-cell.md", text_file)["backbone"]
    assert float(capsys.readouterr().out) < 20
    assert backbone.layers[0].W_hid_HG.grad.abs().sum() > 0


def test_the_scheme_has_a_loss_on_half_of_a_sequence(text_file):
    scheme_class = example("how-to/own-scheme.md", text_file)["Scheme5"]
    corpus = TextFile(str(text_file))
    data = CharDataModule(corpus, k1=5, k2=10, batch_size=4, test_size=100)
    data.setup()
    backbone = Backbone(len(data.tokens.vocabulary), hidden_size=4, dense_size=None)
    scheme = scheme_class(backbone, torch.optim.Adam, k1=5, k2=10)
    assert scheme.weights_N.tolist() == [0.2] * 5
    assert 0 < scheme.training_step(next(iter(data.train_dataloader()))).item() < math.inf


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's advice
def test_the_loop_of_ones_own_trains_validates_and_loads(text_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = example("how-to/own-loop.md", text_file)
    scheme, data, found = names["scheme"], names["data"], names["tested"]["test/perplexity"]
    assert names["trainer"].global_step == 2 * data.batches.per_epoch
    assert names["logits_TBV"].shape == (1100, 1, 9)
    loaded = names["again"].eval()
    measure = names["charrnn"].perplexity
    again = measure(loaded.backbone, data.test_tokens, procedure="windowed", k2=100)
    assert again == names["best"].best_model_score
    assert found == names["trainer"].callback_metrics["test/perplexity"]
    assert scheme.lr > 0


def one_of(overrides: Iterable[str], file: Path) -> Iterator[str]:
    """The overrides of one run of a sweep: the last value of each field."""
    for override in OverridesParser.create().parse_overrides([*overrides]):
        field, _, text = override.input_line.partition("=")
        value = [*override.sweep_string_iterator()][-1] if override.is_sweep_override() else text
        yield f"{field}={file if field == 'data.path' and value in FILES else value}"


@pytest.mark.parametrize(
    "words", all_commands("python", "src/train.py") + all_commands("charrnn", "train"), ids=" ".join
)
def test_training_commands_compose(config, text_file, words):
    flags = {word for word in words if word.startswith("-")}
    if "--config-dir" in flags:
        pytest.skip("with files of the user's own, see test_training_cells.py")
    assert flags <= {"-m", "--help"}
    overrides = one_of((word for word in words if word not in flags), text_file)
    if "experiment=post_training" in words:  # which begins with the weights of finished runs
        overrides = [*overrides, "initial_weights=null"]
    OmegaConf.to_container(config(*overrides), resolve=True)


def test_make_targets_and_variables_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    for figure in ("fig7", "fig8", "fig9", "fig10", "fig11"):
        targets |= {f"reproduce-{figure}", f"plan-{figure}"}
    variables = set(re.findall(r"^(\w+) [?:]?= ?", makefile, re.MULTILINE))
    for words in all_commands("make"):
        for word in words:
            variable, is_variable, _ = word.partition("=")
            assert variable in (variables if is_variable else targets), word


@pytest.fixture
def help_of(charrnn, monkeypatch):
    """The text of a command's --help."""
    monkeypatch.setenv("COLUMNS", "200")

    def show(*words: str) -> str:
        status, out, _ = charrnn(*words, "--help")
        assert status == 0
        return out

    return show


def test_charrnn_commands_and_flags_exist(help_of):
    flags: dict[tuple[str, ...], set[str]] = {}
    for words in all_commands("charrnn"):
        if words[0] == "train":
            continue
        depth = {"data": 3 if words[1:2] == ("build",) else 2}.get(words[0], 1)
        given = {word for word in words if word.startswith("--")}
        flags.setdefault(words[:depth], set()).update(given)
    assert {("sample",), ("status",), ("data", "build", "midi")} <= flags.keys()
    for command, given in flags.items():
        shown = help_of(*command)
        for flag in given:
            assert flag in shown, f"charrnn {' '.join(command)} {flag}"


@pytest.mark.parametrize(
    ("module", "flags"),
    sorted(
        {
            (words[0], tuple(word for word in words if word.startswith("--")))
            for words in all_commands("python", "-m")
            if words[0].split(".")[0] in ("charrnn", "analysis")
        }
    ),
)
def test_modules_and_their_flags_exist(monkeypatch, capsys, module, flags):
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    for name in (module, f"{module}.__main__"):  # another test may have imported it
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit) as end:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for flag in flags:
        assert flag in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_numbers_are_those_of_the_reference_results(page):
    assert renewed(page.read_text()) == page.read_text(), "run make numbers"


def test_intervals_in_sentences_are_those_of_tables():
    known = intervals(page.read_text() for page in PAGES)
    assert len(known) > 100
    assert not [(page.name, one) for page in PAGES for one in astray(page.read_text(), known)]


def test_an_interval_that_no_table_has_is_found():
    table = (
        "<!-- numbers: x -->\n| +18 % (95 % interval −2.0 % to +28 %) |\n<!-- end of numbers -->"
    )
    known = intervals([table])
    assert known == {("18", "-2.0", "28")}
    text = "It is 18 % (95 %\ninterval -2.0 to 28 %), 18 % higher (-2.0 to 28 %), or 3 (a to b)."
    assert astray(table + text, known) == []
    assert astray("17 % (-2.0 to 28 %); 18 % above (2.0 to 28 %)", known) == [
        "17 % (-2.0 to 28 %)",
        "... % (2.0 to 28 %)",
    ]


def test_a_table_that_was_changed_by_hand_is_written_anew():
    text = "A\n<!-- numbers: fig9-laptop -->\n| 1 |\n<!-- end of numbers -->\nB"
    new = renewed(text)
    assert new.startswith("A\n<!-- numbers: fig9-laptop -->\n\n| `scale=laptop`")
    assert new.endswith("<!-- end of numbers -->\nB")
    assert renewed(new) == new


def test_the_page_on_the_configuration_has_every_field():
    page = runpy.run_path(str(DOCS / "hooks.py"))["configuration"](ROOT / "conf")
    assert "| `schemes.s4.reset` | `0.0` |" in page
    commented = [
        line
        for file in (ROOT / "conf").rglob("*.yaml")
        if file.parent.name != "experiment"
        for line in re.findall(r"^ *\w+:.* # .*$", file.read_text(), re.MULTILINE)
    ]
    assert len(re.findall(r"^\| `[\w.]+` \|", page, re.MULTILINE)) == len(commented)
