"""The report, as HTML and in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from analysis.claims.catalogue import CLAIMS
from analysis.claims.evidence import choose_scale, read_evidence
from analysis.report.content import content
from analysis.report.page import render
from analysis.report.table2 import MODELS, PAPER, counted
from axe_playwright_python.sync_playwright import Axe
from browser import Visit, visit, visit_by_phone
from helpers import evaluation, put
from playwright.sync_api import Locator, expect
from processes import run_command
from watching import wait_until

from charrnn.errors import BadInput
from charrnn.runs.folder import RunFolder

HOSTILE = '</pre></script><script>document.title = "owned"</script>\x01'
PROMPT = 100  # characters, k2 of them
CORPUS = "<b>mine & yours"
FIGURES = ("fig7", "fig8", "fig9", "fig10", "fig11")
NUM_RUNS = 4  # schemes 1 and 3 share theirs


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Figure 9 and bptt really trained on a text with a hostile name; the others made by hand."""
    folder = tmp_path_factory.mktemp("report")
    text = folder / f"{CORPUS}.txt"
    text.write_text("the seat of the hat\n" * 1000)
    words = [
        "scale=smoke",
        "k1=20",
        "jobs=1",
        "data=textfile",
        f"data.path='{text}'",
    ]
    words += [f"output_dir={folder / 'runs'}", "sampling.length=5"]
    for more in (["experiment=fig9"], ["experiment=bptt", "scheme=bptt,1"]):
        trained = run_command("src/train.py", [*more, *words])
        assert trained.returncode == 0, trained.stderr
    for sample in (folder / "runs").glob("*/sample-*.txt"):
        hostile = sample.read_text()[:PROMPT] + HOSTILE
        put(RunFolder(sample.parent), sample.name, hostile.encode())
    by_hand(folder / "runs")
    return folder / "runs"


def by_hand(folder: Path) -> None:
    """Two seeds a cell, one of them far above the axis; one cell a figure is still to come."""
    sizes = [(layers, hidden, 100) for layers in (1, 2) for hidden in (8, 16)]
    plans = {
        "fig7": [(1, *size) for size in sizes],
        "fig8": [(2, *size) for size in sizes],
        "fig11": [(scheme, 1, 16, k2) for scheme in (1, 2, 3, 4) for k2 in (20, 60, 100)],
    }
    for name, plan in plans.items():
        cells = []
        for n, (scheme, layers, hidden, k2) in enumerate(plan):
            for seed in (0, 1):
                run = f"{name}-{n}-seed{seed}"
                cells.append(
                    {"corpus": "chorales", "scheme": scheme, "procedure": "windowed", "k1": 20}
                    | {"k2": k2, "num_layers": layers, "hidden_size": hidden, "seed": seed}
                    | {"scale": "smoke", "num_batches": 100, "run": run}
                )
                if n:
                    write_run(RunFolder(folder / run), [80.0 + 40 * seed, 30.0, 10.0 + n])
        pd.DataFrame(cells).to_csv(folder / "grids" / f"{name}-smoke.csv", index=False)


def write_run(run: RunFolder, perplexities: list[float]) -> None:
    run.start(100, "", {}, {})
    run.write_table(
        [
            evaluation(batches, "windowed", perplexity)
            for batches, perplexity in zip((1, 10, 100), perplexities, strict=True)
        ]
    )
    run.finish({})


@pytest.fixture(scope="module")
def page(runs) -> Path:
    """What the command writes."""
    done = run_command("analysis.report", ["--runs", runs])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(runs / "report.html")
    return runs / "report.html"


class Reader(HTMLParser):
    """All ids, links within the page, links and sources out of it, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.inner: set[str] = set()
        self.outer: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "src"):
                inner = value.startswith("#")
                (self.inner if inner else self.outer).add(value.removeprefix("#"))

    def handle_data(self, data):
        self.text += data


@pytest.mark.slow
def test_every_claim_figure_and_run_is_there_and_every_link_leads_somewhere(runs, page):
    reader = Reader(page.read_text(encoding="utf-8"))
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.inner <= set(reader.ids)
    assert reader.outer == {"data:,"}
    assert {f"claim-{claim.id}" for claim in CLAIMS} <= set(reader.ids)
    named = {run for grid in runs.glob("grids/*.csv") for run in pd.read_csv(grid)["run"]}
    assert len(named) == NUM_RUNS + 2 * (4 + 4 + 12)
    assert {f"run-{run}" for run in named} <= set(reader.ids)
    assert {f"verdicts-{scheme}" for scheme in (1, 2, 3, 4)} <= reader.inner
    for words in (
        "\n4 finished",
        "Scheme bptt",
        "bptt: scheme bptt",
        "forget_bias: 5.0",
        "torch 2",
        "No cell is unstable",
    ):
        assert words in reader.text


@pytest.mark.slow
def test_text_of_runs_is_text(page):
    html = page.read_text(encoding="utf-8")
    assert HOSTILE not in html
    assert "</mark>&lt;/pre&gt;&lt;/script&gt;&lt;script&gt;document.title" in html
    assert "&lt;/script&gt;\N{SYMBOL FOR START OF HEADING}</pre>" in html
    assert CORPUS not in html
    assert "&lt;b&gt;mine &amp; yours" in html


def test_before_anything_is_trained_the_page_says_so(tmp_path):
    scale = choose_scale("laptop", tmp_path)
    reader = Reader(render(content(read_evidence(tmp_path, scale), tmp_path)))
    assert reader.inner <= set(reader.ids)
    for words in (
        "Nothing has been trained at scale=laptop",
        "Not started: fig7, fig8, fig9, fig10, fig11, bptt, ",
        " starts, suspects, cells: make reproduce-fig7 SCALE=laptop; make reproduce-fig8 SCALE=",
        "No sweep has been started",
        f"{sum(not claim.ours for claim in CLAIMS)} undecided",
        "Graves, 2013",
    ):
        assert words in reader.text
    assert len(reader.text) < 100_000  # without Plotly
    with pytest.raises(
        BadInput, match=r"^--scale=huge .* one of auto, paper, long, laptop, quick, smoke"
    ):
        choose_scale("huge", tmp_path)


def test_table_2_is_the_papers():
    assert len(MODELS) == 22
    assert sum(model.source == PAPER for model in MODELS) == 5  # "only 5 out of the 22"
    counts = [sum(scheme in model.schemes for model in MODELS) for scheme in (1, 2, 3, 4)]
    assert counts == [0, 2, 7, 12]
    assert sum(not model.schemes for model in MODELS) == 2
    assert counted() == (
        "Of 22 models, scheme 1: 0, scheme 2: 2, scheme 3: 7, scheme 4: 12; 1 of them may use"
        " either of two schemes, and nobody knows about 2. 5 of the papers say it themselves."
    )


@pytest.fixture(scope="module")
def opened(page) -> Iterator[Visit]:
    with visit(page.as_uri()) as here:
        for name in FIGURES:
            here.page.wait_for_selector(f"#plot-{name} .legend .traces[role=button]")
        yield here


def lines(plot: Locator) -> list[dict]:
    """The boxes of the lines that are drawn, legend aside."""
    paths = plot.locator(".scatterlayer .js-line").all()
    return [box for path in paths if (box := path.bounding_box()) and box["width"] > 20]


@pytest.mark.slow
def test_every_figure_is_drawn_by_the_page_alone(opened, page):
    for name in FIGURES:
        plot = opened.page.locator(f"#plot-{name}")
        wait_until(lambda plot=plot: len(lines(plot)) >= 3)
        expect(plot.locator(".legend .traces").first).to_be_attached()
    # One is above the axis.
    expect(opened.page.locator("#plot-fig7 .scatterlayer .point").first).to_be_attached()
    assert opened.requests == [page.as_uri()]
    assert opened.errors == []
    assert opened.page.title().startswith("Training and sampling schemes")


@pytest.mark.slow
def test_the_legend_hides_and_shows_lines_by_mouse_and_by_keyboard(opened):
    plot = opened.page.locator("#plot-fig9")
    before = len(lines(plot))
    item = plot.locator(".legend .traces").first
    plot.locator(".legend .legendtoggle").first.click()
    opened.page.wait_for_selector("#plot-fig9 .legend .traces[aria-pressed=false]")
    wait_until(lambda: len(lines(plot)) == before - 1)
    item.focus()
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_selector("#plot-fig9 .legend .traces[aria-pressed=true]:focus")
    wait_until(lambda: len(lines(plot)) == before)
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Space")
    opened.page.wait_for_selector("#plot-fig9 .legend .traces[aria-pressed=false]:focus")
    wait_until(lambda: len(lines(plot)) < before)
    assert opened.errors == []


@pytest.mark.slow
def test_pointing_at_a_line_tells_its_run(opened):
    plot = opened.page.locator("#plot-fig7")
    plot.scroll_into_view_if_needed()
    points = opened.page.evaluate(
        """() => {
            const plot = document.getElementById("plot-fig7"), box = plot.getBoundingClientRect();
            const {xaxis: x, yaxis: y} = plot._fullLayout;
            return [box.x + x._offset + x.d2p(640), box.y + y._offset + y.d2p(30)];
        }"""
    )
    opened.page.mouse.move(*points)
    told = plot.locator(".hoverlayer")
    for words in ("perplexity 30 (4.91 bits per token) after 10 batches", "-seed0", "-seed1"):
        expect(told).to_contain_text(words)


@pytest.mark.slow
def test_a_link_to_verdicts_opens_them(opened):
    verdicts = opened.page.locator("#verdicts-4")
    for _ in range(2):  # the second time the address is the same as before
        expect(verdicts.locator("li").first).to_be_hidden()
        opened.page.locator("#table2 a", has_text="scheme 4").first.click()
        verdicts.locator("li").first.wait_for(state="visible")
        verdicts.locator("summary").click()


@pytest.mark.slow
def test_on_a_phone_a_swipe_over_a_figure_moves_the_page(opened, page):
    with visit_by_phone(opened, page.as_uri()) as v:
        v.page.wait_for_selector("#plot-fig11 .legend .traces[role=button]")
        ranges = "['xaxis', 'yaxis'].map(a => document.getElementById('plot-fig7').layout[a].range)"
        before = v.page.evaluate(ranges)
        plot = v.page.locator("#plot-fig7")
        plot.evaluate("plot => plot.scrollIntoView({behavior: 'instant'})")
        box = plot.locator(".nsewdrag").first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        top = v.page.evaluate("scrollY")
        finger = v.page.context.new_cdp_session(v.page)
        for up in range(0, 220, 20):
            kind, at = "touchMove" if up else "touchStart", [{"x": x, "y": y - up}]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        v.page.wait_for_function("top => scrollY > top + 100", arg=top)
        assert v.page.evaluate(ranges) == before
        plot.locator(".legend .legendtoggle").first.tap()
        v.page.wait_for_selector("#plot-fig7 .legend .traces[aria-pressed=false]")
        assert v.errors == []


@pytest.mark.slow
def test_it_prints(opened, tmp_path):
    pdf = opened.page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert pdf.startswith(b"%PDF")
    opened.page.emulate_media(media="print")
    expect(opened.page.locator("nav")).to_be_hidden()
    expect(opened.page.locator("#plot-fig9")).to_be_visible()
    behind = opened.page.locator("#summary .runs li").first
    digest = behind.text_content().rpartition("_")[2]
    expect(behind).to_have_text(digest, use_inner_text=True)
    expect(opened.page.locator("#runs")).to_contain_text(digest, use_inner_text=True)
    opened.page.emulate_media(media="screen")
    assert opened.errors == []


def fits(box: dict | None, width: int) -> bool:
    """Whether a box that is drawn ends within the window."""
    return box is not None and box["x"] + box["width"] <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible_and_fits_the_window(opened, width):
    opened.page.set_viewport_size({"width": width, "height": 900})
    panels_in_a_column = 4 if width == 390 else 2
    opened.page.wait_for_function(
        "n => new Set([...document.querySelectorAll('#plot-fig11 .bg')]"
        ".map(panel => panel.getBoundingClientRect().top)).size === n + 1",  # and the legend
        arg=panels_in_a_column,
    )
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()
    opened.page.wait_for_function(
        "width => document.documentElement.scrollWidth <= width", arg=width
    )
    drawn = [opened.page.locator(f"#plot-{name} svg").first for name in FIGURES]
    wait_until(lambda: all(fits(svg.bounding_box(), width) for svg in drawn))
    assert opened.errors == []
