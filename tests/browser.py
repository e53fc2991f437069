"""A real browser without a window, for what is meant to be looked at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing of its own on the network, and no network but this machine's.
FLAGS = [
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
MILLISECONDS = 120_000
expect.set_options(timeout=MILLISECONDS)


@dataclass
class Visit:
    """A page that is open, and what happened on it so far.

    Attributes:
        page: see playwright's documentation.
        errors: of scripts, and what was written to the console as an error.
        requests: addresses of all that was asked for.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def visit(url: str, width: int = 1280, height: int = 900) -> Iterator[Visit]:
    """Open an address in a browser; the test is skipped where there is none.

    Args:
        url: http:// or file://.
        width: of the window, in pixels of CSS.
        height: the same.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"no browser here ({', '.join(NAMES)}): apt-get install chromium")
    with sync_playwright() as playwright:
        options = {"executable_path": executable, "args": FLAGS, "timeout": MILLISECONDS}
        browser = playwright.chromium.launch(**options)
        try:
            yield _open(browser.new_page(viewport={"width": width, "height": height}), url)
        finally:
            browser.close()


@contextmanager
def visit_by_phone(other: Visit, url: str) -> Iterator[Visit]:
    """Open an address in the browser of another visit, on a small screen that is touched."""
    browser = other.page.context.browser
    assert browser is not None
    page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        yield _open(page, url)
    finally:
        page.close()


def _open(page: Page, url: str) -> Visit:
    page.set_default_timeout(MILLISECONDS)
    visit = Visit(page)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: _note(visit, message.type, message.text))
    page.on("request", lambda request: visit.requests.append(request.url))
    page.goto(url)
    return visit


def _note(visit: Visit, kind: str, text: str) -> None:
    # Chromium's remark that a page is scrolling already comes or not, as the machine is fast.
    if kind == "error" and not text.startswith("Ignored attempt to cancel a touch"):
        visit.errors.append(text)
