"""The numbers of the report, on runs and a Table 4 that were written by hand."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from analysis.claims.evidence import read_evidence
from analysis.report.content import content
from analysis.report.page import render
from helpers import evaluation

from charrnn.runs.folder import RunFolder

CURVES = {
    # Run, and by its sampling procedures perplexities after 1, 10 and 100 batches.
    ("chorales", 20, "multi-loss"): {"windowed": [90, 20, 8], "progressive": [90, 30, 16]},
    ("chorales", 100, "multi-loss"): {"windowed": [80, 40, 18], "progressive": [80, 35, 25]},
    ("chorales", 20, "single-loss"): {"windowed": [70, 60, 25]},
    ("chorales", 100, "single-loss"): {"windowed": [70, 50, 36]},
    ("chorales", 20, "conditional"): {"progressive": [90, 2, 4]},
    ("chorales", 100, "conditional"): {"progressive": [60, 30, 9]},
    # Scheme 2 is still to come: this one counts in no mean.
    ("linux61", 20, "multi-loss"): {"windowed": [90, 50, 7], "progressive": [90, 60, float("nan")]},
}
SCHEMES = {
    1: ("multi-loss", "windowed"),
    2: ("single-loss", "windowed"),
    3: ("multi-loss", "progressive"),
    4: ("conditional", "progressive"),
}
MILLISECONDS = {
    # Median, quartiles and the paper's, of gamma = 32 and 128.
    "scheme 1: training": [(11.2, 10.1, 12.3, 60.5), (33.4, 31.5, 35.6, 138.8)],
    "scheme 1: windowed sampling": [(4.44, 4.33, 4.55, 7.0), (9.87, 9.76, 9.98, 21.7)],
    "scheme 3: progressive sampling": [(0.321, 0.3, 0.35, 0.7), (0.654, 0.6, 0.7, None)],
}
TABLE_2 = """
(Graves, 2013) [9] Character-level 3 Author communication
(Wu, 2016) [39] Character-level Unknown
(Ha, 2016) [13] Character-level Unknown
(Cooijmans, 2016) [5] Character-level 3 Author communication
(Krause, 2016) [22] Character-level 4 Author communication
(Chung, 2016) [3] Character-level 4 Paper
(Mujika, 2017) [29] Character-level 4 Paper
(Zilly, 2017) [42] Word- & character-level 4 Source code
(Melis, 2017) [24] Word- & character-level 4 Paper
(Mikolov, 2012) [28] Word-level 3 Source code
(Zaremba, 2014) [41] Word-level 4 Paper
(Kim, 2015) [20] Word-level 4 Source code
(Gal, 2016) [7] Word-level 3 Source code
(Merity, 2016) [26] Word-level 2/4 (?) Author communication
(Bradbury, 2016) [1] Word-level 4 (?) Author communication
(Zoph, 2016) [43] Word-level 4 Author communication
(Inan, 2016) [18] Word-level 4 Source code
(Merity, 2017) [25] Word-level 4 Source code
(Yang, 2017) [40] Word-level 3 Author communication
(Sturm, 2016) [35] Music notes 3 Author communication
(Saon, 2016) [32] Phonemes 3 Author communication
(De Boom, 2017) [6] Playlist tracks 2 Paper
"""
"""As it is printed."""
IN_OUR_WORDS = {
    "Character-level": "characters",
    "Word-level": "words",
    "Word- & character-level": "words and characters",
    "Music notes": "music notes",
    "Phonemes": "phonemes",
    "Playlist tracks": "playlist tracks",
    "Author communication": "communication with the authors",
    "Source code": "source code",
    "Paper": "paper",
    "": "–",
}


class Tables(HTMLParser):
    """By name of the region the rows of each table, a cell its text and the links in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[tuple[str, list[str]]]]] = defaultdict(list)
        self.region = ""
        self.text, self.links = "", list[str]()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get("role") == "region":
            self.region = given["aria-label"]
        elif tag == "tr":
            self.rows[self.region].append([])
        elif tag in ("td", "th"):
            self.text, self.links = "", []
        elif tag == "a":
            self.links.append(given["href"])

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            cell = " ".join(self.text.split()), self.links
            self.rows[self.region][-1].append(cell)

    def handle_data(self, data):
        self.text += data

    def texts(self, region: str) -> list[list[str]]:
        """The texts of a table's cells, headings aside."""
        return [[text for text, _ in row] for row in self.rows[region][1:]]


def run_name(corpus: str, k1: int, training: str) -> str:
    return f"{corpus}_{training}_k1-{k1}_{len(corpus)}{k1}{training[:2]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    for place, procedures in CURVES.items():
        run = RunFolder(folder / run_name(*place))
        run.start(100, "k2: 3\nsampling: {prompt: null}\n", {}, {})
        run.write_table(
            [
                evaluation(batches, procedure, perplexity)
                for procedure, perplexities in procedures.items()
                for batches, perplexity in zip((1, 10, 100), perplexities, strict=True)
            ]
        )
        for procedure in procedures:
            run.write_sample(procedure, "60 62\n64 65")
        (run.path / "vocabulary.json").write_text(json.dumps({"tokens": "notes", "symbols": []}))
        run.finish({})
    cells = [
        {"corpus": corpus, "scheme": scheme, "procedure": procedure, "k1": k1, "k2": 100}
        | {"num_layers": 1, "hidden_size": 128, "seed": 0, "scale": "laptop", "num_batches": 100}
        | {"run": run_name(corpus, k1, training)}
        for scheme, (training, procedure) in SCHEMES.items()
        for corpus, k1 in (("chorales", 20), ("chorales", 100), ("linux61", 20))
    ]
    (folder / "grids").mkdir()
    pd.DataFrame(cells).to_csv(folder / "grids" / "fig9-laptop.csv", index=False)
    rows = [
        {"what": what, "unit": "ms per batch" if "training" in what else "ms per token"}
        | {"median": median, "lower": lower, "upper": upper, "repeats": 7, "paper": paper}
        | {"num_layers": 1, "hidden_size": hidden, "dense_size": 256, "batch_size": 64, "k1": 60}
        | {"k2": 100, "corpus": "chorales", "threads": 1, "processor": "a CPU", "torch": "2.9"}
        for what, sizes in MILLISECONDS.items()
        for hidden, (median, lower, upper, paper) in zip((32, 128), sizes, strict=True)
    ]
    (folder / "figures").mkdir()
    pd.DataFrame(rows).to_csv(folder / "figures" / "table4-laptop.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def html(folder) -> str:
    return render(content(read_evidence(folder, "laptop"), folder))


@pytest.fixture(scope="module")
def tables(html) -> Tables:
    return Tables(html)


def test_the_summary_is_the_geometric_mean_of_what_all_schemes_have(tables, html):
    rows = tables.rows["The four schemes"][1:]
    shown = [[text for text, _ in row][3:7] for row in rows]
    assert shown == [
        ["12.00", "0 of 3", "33.4", "9.87"],  # the root of 8 times 18
        ["30.00", "0 of 2", "–", "–"],
        ["20.00", "1 of 3", "–", "0.65"],
        ["6.00", "1 of 2", "–", "–"],  # 4 is twice the 2 before
    ]
    for scheme, row in enumerate(rows, start=1):
        training, _ = SCHEMES[scheme]
        links = {f"#run-{run_name(*place)}" for place in CURVES if place[2] == training}
        assert set(row[-1][1]) == links
    sentence = re.search(r"<p>(Scheme \d [^<]*)</p>", html).group(1)
    assert sentence.startswith("Scheme 4 ")
    assert "lowest perplexity: 6.00" in sentence
    assert sentence.endswith("scheme 1 +100%, scheme 3 +233%, scheme 2 +400%.")


def test_a_run_is_told_with_its_final_and_its_lowest_perplexity(tables):
    told = {row[0]: row[9] for row in tables.texts("The runs")}
    expected = {
        ("chorales", 20, "multi-loss"): "windowed: 8.00, 8.00progressive: 16.00, 16.00",
        ("chorales", 100, "multi-loss"): "windowed: 18.00, 18.00progressive: 25.00, 25.00",
        ("chorales", 20, "single-loss"): "windowed: 25.00, 25.00",
        ("chorales", 100, "single-loss"): "windowed: 36.00, 36.00",
        ("chorales", 20, "conditional"): "progressive: 4.00, 2.00",
        ("chorales", 100, "conditional"): "progressive: 9.00, 9.00",
        ("linux61", 20, "multi-loss"): "windowed: 7.00, 7.00progressive: infinite, 60.00",
        ("linux61", 20, "single-loss"): "–",
        ("linux61", 20, "conditional"): "–",
    }
    assert told == {run_name(*place): words for place, words in expected.items()}


def test_below_a_figure_are_the_numbers_that_its_lines_end_with(tables, html):
    place = "Figure 9: Comparing schemes"
    rows = tables.rows[f"{place}: final perplexities"][1:]
    linux, music = "linux61, for Linux", "chorales, for Music"
    numbers = [
        # Panel, line, k1, final, lowest, and what the run is called by.
        (linux, 1, 20, "7.00", "7.00", "multi-loss"),
        (linux, 3, 20, "infinite", "60.00", "multi-loss"),
        (music, 1, 20, "8.00", "8.00", "multi-loss"),
        (music, 1, 100, "18.00", "18.00", "multi-loss"),
        (music, 2, 20, "25.00", "25.00", "single-loss"),
        (music, 2, 100, "36.00", "36.00", "single-loss"),
        (music, 3, 20, "16.00", "16.00", "multi-loss"),
        (music, 3, 100, "25.00", "25.00", "multi-loss"),
        (music, 4, 20, "4.00", "2.00", "conditional"),
        (music, 4, 100, "9.00", "9.00", "conditional"),
    ]
    for row, (panel, scheme, k1, final, lowest, training) in zip(rows, numbers, strict=True):
        name = run_name(panel.split(",")[0], k1, training)
        cell = f"k1={k1}, k2=100, seed 0"
        assert [text for text, _ in row] == [panel, f"scheme {scheme}", cell, final, lowest, name]
        assert row[-1][1] == [f"#run-{name}"]
    best = f"lowest final perplexity: {linux}: 7.00 (scheme 1); {music}: 4.00 (scheme 4)"
    assert f'aria-label="{place}: 7 runs drawn, perplexity from 0 to 90; {best}"' in html


def test_table_4_is_what_was_measured_beside_the_papers(tables):
    heading = [text for text, _ in tables.rows["Table 4"][0]]
    assert heading == ["What", "Unit", "r=1, γ=32", "r=1, γ=128"]
    assert tables.texts("Table 4") == [
        [
            "scheme 1: training",
            "ms per batch",
            "11.2 (10.1 to 12.3)paper 60.5",
            "33.4 (31.5 to 35.6)paper 138.8",
        ],
        [
            "scheme 1: windowed sampling",
            "ms per token",
            "4.44 (4.33 to 4.55)paper 7",
            "9.87 (9.76 to 9.98)paper 21.7",
        ],
        [
            "scheme 3: progressive sampling",
            "ms per token",
            "0.32 (0.30 to 0.35)paper 0.7",
            "0.65 (0.60 to 0.70)",
        ],
    ]


def test_table_2_is_the_papers_row_by_row(tables):
    printed = re.findall(
        r"^\((.+)\) (\[\d+\]) ([A-Z][a-z& -]+) ([\d/]+|Unknown)( \(\?\))? ?(.*)$",
        TABLE_2,
        re.MULTILINE,
    )
    assert len(printed) == 22
    rows = tables.rows["Table 2"][1:]
    for row, (who, citation, level, schemes, doubt, source) in zip(rows, printed, strict=True):
        numbers = schemes.split("/") if schemes != "Unknown" else []
        told = " or ".join(f"scheme {number}" for number in numbers) or "unknown"
        assert [text for text, _ in row] == [
            f"{who} {citation}",
            IN_OUR_WORDS[level],
            told + doubt,
            IN_OUR_WORDS[source],
        ]
        assert row[2][1] == [f"#verdicts-{number}" for number in numbers]


def test_a_sample_tells_its_prompt_from_what_was_drawn(html):
    """The prompt is k2 tokens, here three: two notes and the end of a line."""
    samples = re.findall(r"<pre><mark>(.*?)</mark>(.*?)</pre>", html, re.DOTALL)
    assert samples == [("60 62\n", "64 65")] * 6
