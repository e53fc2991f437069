"""The numbers in README.md and docs/, made from the reference results: `make numbers`.

A table stands between two comments, `<!-- numbers: NAME -->` and `<!-- end of numbers -->`, and is
written anew by the function of that name in TABLES. Everything else on a page is left as it is, but
an interval in a sentence, and the effect right before it, has to be one of a table: `18 % (8.2 to
28 %)`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from analysis.claims.catalogue import CLAIMS, judge_all, papers
from analysis.claims.evidence import TABLE4, read_evidence
from analysis.claims.verdict import Verdict, false_verdicts, judge_together
from analysis.instability.tables import TABLES as INSTABILITY
from analysis.markdown import markdown_head, markdown_row
from analysis.reading_on import starts
from analysis.reading_on.measure import of_reference
from analysis.reading_on.post_training import against_control, with_before
from analysis.reading_on.summary import costs, in_words
from analysis.reference.table import reference_results
from analysis.results import Results
from analysis.results_tables import TABLES as RESULTS
from analysis.speed.tables import TABLES as SPEED
from charrnn.files import write_atomically

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
NUMBER = r"-?\d[\d.]*"
IN_TABLES = re.compile(rf"({NUMBER}) % \((?:95 % interval )?({NUMBER}) % to ({NUMBER}) %")
"""An effect and its interval in a table."""
IN_SENTENCES = re.compile(
    rf"(?:({NUMBER})\s+%\s+)?\((?:95\s+%\s+interval\s+)?({NUMBER})\s+to\s+({NUMBER})\s+%"
)
"""An interval in a sentence, with the effect if that stands right before it."""
BLOCK = re.compile(r"<!-- numbers: ([\w-]+) -->\n.*?<!-- end of numbers -->", re.DOTALL)
"""A table on a page."""


def verdicts(scale: str, any_effect: bool = False) -> Iterator[str]:
    """Every verdict by the reference results at a scale, as a table; or those with an effect."""
    judged = judge_all(read_evidence(Path("multirun"), scale, "reference"))
    if any_effect:  # Table 4 has a table of its own
        judged = [one for one in judged if one.effect and TABLE4 not in one.claim.needs]
    yield from _verdict_table("the paper says", papers(judged))
    yield ""
    yield from _verdict_table("beside the paper", [one for one in judged if one.claim.ours])
    if any(one.opposes is not None for one in judged):
        yield ""
        yield false_verdicts(judged)


def questions(experiment: str, scale: str) -> Iterator[str]:
    """The questions of our own that an experiment answers: the effect, as a whole and in parts."""
    evidence = read_evidence(Path("multirun"), scale, "reference")
    asked = [one for one in CLAIMS if one.ours and experiment in one.needs]
    yield from markdown_head("question", "answer", "effect", "in each part")
    for one in judge_together(asked, evidence):
        parts = "; ".join(f"{part}: {effect}" for part, effect in one.parts.items())
        answer = f"{one.outcome} ({one.conditions})" if one.effect else one.outcome
        yield markdown_row(one.claim.says, answer, one.effect or one.reason, parts)


def speed() -> Iterator[str]:
    """The verdicts on Table 4, which was measured at the paper's sizes."""
    judged = judge_all(read_evidence(Path("multirun"), "paper", "reference"))
    yield from _verdict_table("statement", [one for one in judged if TABLE4 in one.claim.needs])


def reading_on() -> Iterator[str]:
    """What it costs to read on far beyond k2, see analysis.reading_on."""
    yield from in_words(costs(of_reference(reference_results()["readings-401", "laptop"])))


def by_start(table: Callable[[Results], Iterable[str]]) -> Iterable[str]:
    """A table of how recurrent cells read on, see analysis.reading_on.starts."""
    return table(of_reference(reference_results()["cells-starts", "laptop"]))


def post_training() -> Iterable[str]:
    """What further training with another start does, see analysis.reading_on.post_training."""
    after, before = (
        of_reference(reference_results()[name, "laptop"]) for name in ("post_training", "before")
    )
    return against_control(with_before(after, before))


TABLES: dict[str, Callable[[], Iterable[str]]] = {
    "verdicts-paper": lambda: verdicts("paper", any_effect=True),
    "reading-on-laptop": reading_on,
    "starts-costs": lambda: by_start(starts.costs_of_starts),
    "starts-near": lambda: by_start(lambda results: starts.against_no_start(results, "near")),
    "starts-far": lambda: by_start(lambda results: starts.against_no_start(results, "far")),
    "starts-growth": lambda: by_start(starts.growth),
    "starts-remembrance": lambda: by_start(starts.remembrance),
    "starts-rises": lambda: by_start(starts.rises_of_starts),
    "starts-readings": lambda: by_start(starts.readings_of_starts),
    "post-training": post_training,
    "questions-laptop": lambda: questions("readings", "laptop"),
    "verdicts-table4": speed,
    **RESULTS,
    **SPEED,
    **INSTABILITY,
    "verdicts-laptop": lambda: verdicts("laptop"),
}
"""The tables by their names."""


def renewed(page: str) -> str:
    """The text of a page with its tables made anew."""
    return BLOCK.sub(
        lambda found: "\n".join(
            (
                f"<!-- numbers: {found[1]} -->",
                "",
                *TABLES[found[1]](),
                "",
                "<!-- end of numbers -->",
            )
        ),
        page,
    )


def intervals(pages: Iterable[str]) -> set[tuple[str, ...]]:
    """Effect, low and high end of each interval in the tables of pages, in percent."""
    tables = "".join(found[0] for page in pages for found in BLOCK.finditer(page))
    plain = tables.replace("+", "").replace("\N{MINUS SIGN}", "-")
    return {found.groups() for found in IN_TABLES.finditer(plain)}


def astray(page: str, known: Collection[tuple[str, ...]]) -> list[str]:
    """The intervals in the sentences of a page that are not among those of tables.

    Args:
        page: its text.
        known: see `intervals`.
    """
    ends = {(low, high) for _, low, high in known}
    found = (one.groups() for one in IN_SENTENCES.finditer(BLOCK.sub("", page)))
    return [
        f"{effect or '...'} % ({low} to {high} %)"
        for effect, low, high in found
        if ((effect, low, high) not in known if effect else (low, high) not in ends)
    ]


def main() -> None:
    """Write the tables anew, or check that they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m analysis.numbers", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one is old")
    check = parser.parse_args().check
    old = [page for page in PAGES if renewed(text := page.read_text()) != text]
    for page in old:
        print(f"{page.relative_to(ROOT)}: {'out of date' if check else 'written anew'}")
        if not check:
            write_atomically(page, renewed(page.read_text()))
    if check and old:
        sys.exit("error: the numbers are not those of the reference results: run make numbers.")
    texts = {page: page.read_text() for page in PAGES}
    known = intervals(texts.values())
    wrong = {page: found for page, text in texts.items() if (found := astray(text, known))}
    for page, found in wrong.items():
        print(f"{page.relative_to(ROOT)}: no table has {'; '.join(found)}")
    if wrong:
        sys.exit("error: intervals in sentences are not those of a table: correct the sentences.")


def _verdict_table(heading: str, judged: Iterable[Verdict]) -> Iterator[str]:
    yield from markdown_head("claim", heading, "verdict", "effect", "why; conditions")
    for one in judged:
        why = "; ".join(filter(None, (one.reason, one.conditions)))
        yield markdown_row(
            f"`{one.claim.id}`", one.claim.says, one.outcome, one.effect or "none", why
        )


if __name__ == "__main__":
    main()
