"""What mkdocs adds to the pages in this folder.

README.md is the start page, and ARCHITECTURE.md, CONTRIBUTING.md and CHANGELOG.md are pages, too.
The reference of the configuration is made from `conf/`, and a notebook becomes a page. Links are
written as they work on GitHub, relative to the file they stand in; here they are made to work on
the site as well.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from charrnn.help import FIELD  # noqa: E402
from charrnn.schema.fields import kind_of  # noqa: E402

ROOT_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "CITATION.cff",
}
"""Files at the top of the repository that are on the site, and their places there."""
SHOWN = ("analysis/figures", "analysis/reference")
"""Folders whose pictures and tables pages link to."""
FIELDS = "<!-- fields -->"
"""Where the reference of the configuration goes."""
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files that pages link to outside this folder."""
    from mkdocs.structure.files import File  # the rest of this file needs no mkdocs

    for name, uri in ROOT_PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text()))
    for notebook in sorted((ROOT / "docs").rglob("*.ipynb")):
        place = notebook.relative_to(ROOT / "docs").with_suffix("")
        for uri, content in notebook_page(notebook, place.as_posix()):
            files.append(File.generated(config, uri, content=content))
    for folder in SHOWN:
        files_in = (path for path in (ROOT / folder).iterdir() if path.is_file())
        for path in sorted(path for path in files_in if path.suffix not in (".py", ".md")):
            uri = f"{posixpath.basename(folder)}/{path.name}"
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the configuration's fields, and turn links to files into links to pages."""
    del config, files
    markdown = markdown.replace(FIELDS, configuration(ROOT / "conf"))
    source = {uri: name for name, uri in ROOT_PAGES.items()}
    here = source.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def on_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link["path"]))
        uri = site_uri(target)
        if uri is None:
            return link[0]
        relative = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
        return relative + (link["anchor"] or "")

    return LINK.sub(on_site, markdown)


def site_uri(path: str) -> str | None:
    """Where a file of the repository is on the site; None if it is not there."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path.startswith(tuple(f"{folder}/" for folder in SHOWN)):
        return path.removeprefix("analysis/")
    if path.startswith("docs/"):
        return re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/"))
    return None


def configuration(conf: Path) -> str:
    """The tables of all fields, from the comments in the configuration files."""
    lines = ["## Fields of a run or a sweep", "", *table(conf / "train.yaml", "")]
    for group in sorted(path for path in conf.iterdir() if path.is_dir() and path.name != "hydra"):
        schemes = group.name == "schemes"
        choice = "scheme=1, 2, 3, 4, bptt or an idiom" if schemes else f"{group.name}=NAME"
        lines += [f"## {group.name}", "", f"`{choice}` chooses one of:", ""]
        for option in sorted(group.glob("*.yaml")):
            lines += [f"### {group.name}: {option.stem}", "", *summary(option), ""]
            if group.name != "experiment":
                place = f"schemes.{option.stem}" if schemes else group.name
                lines += table(option, f"{place}.")
    return "\n".join(lines)


def summary(file: Path) -> list[str]:
    """The comment at the top of a configuration file."""
    head = []
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            head.append(line.removeprefix("#").strip())
    return head


def table(file: Path, prefix: str) -> list[str]:
    """A row for every field of a configuration file that has a comment, with what it can be."""
    rows = []
    parents: list[str] = []
    for field in filter(None, map(FIELD.match, file.read_text().splitlines())):
        del parents[len(field["indent"]) // 2 :]
        if field["comment"]:
            name = prefix + ".".join((*parents, field["name"]))
            meaning = field["comment"].replace("|", "\\|")
            kind = kind_of(name)
            wanted = kind.wanted if kind else ""
            rows.append(f"| `{name}` | `{field['value']}` | {wanted} | {meaning} |")
        parents.append(field["name"])
    head = ["| field | default | what it can be | meaning |", "|---|---|---|---|"]
    return [*head, *rows, ""] if rows else []


def notebook_page(notebook: Path, place: str) -> Iterator[tuple[str, str | bytes]]:
    """A notebook as a Markdown page with its outputs, and its pictures as files beside it."""
    parts = []
    pictures = 0
    for cell in json.loads(notebook.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                pictures += 1
                uri = f"{place}-{pictures}.png"
                yield uri, base64.b64decode(data["image/png"])
                parts.append(f"![Output of the cell above]({posixpath.basename(uri)})")
            else:
                text = "".join(output.get("text") or data["text/plain"])
                parts.append(f"```text\n{text.rstrip()}\n```")
    yield f"{place}.md", "\n\n".join(parts) + "\n"
