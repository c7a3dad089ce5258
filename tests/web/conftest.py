"""The pages in a real browser: built once for the run, shown by the machine's Chromium, over the demo's data."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, Request, async_playwright, expect

from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.fixtures.demo import demo, demo_environment
from tests.fixtures.eventually import eventually
from tests.fixtures.server import Server

__all__ = ["demo", "demo_environment"]

WEB: Final = Path(__file__).parents[2] / "web"

PATIENCE: Final = 60_000
"""Milliseconds that a browser on a busy machine may need for anything; no test passes sooner with less."""

expect.set_options(timeout=PATIENCE)

_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ARGUMENTS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Browser:
    """A window with its own storage, and the errors in it."""

    context: BrowserContext
    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Requests to another host than the server's."""

    def watch(self, page: Page) -> None:
        """Record the errors and the requests of a page."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(request.url)

    async def sign_in(self, mail: str, path: str = "/desk") -> None:
        """Sign in at the desk, and open a view of it."""
        await self.page.goto(self.url + "/desk")
        await self.page.get_by_label("Mail").fill(mail)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(self.page.get_by_role("navigation", name="Views")).to_be_visible()
        await self.page.goto(self.url + path)


@pytest.fixture(scope="session")
def pages() -> None:
    """The built pages. The tests are skipped if they cannot be built, e.g. without access to npm."""
    done = subprocess.run([sys.executable, WEB / "build.py"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{done.stdout.strip()} {done.stderr.strip()[-300:]}")


@pytest_asyncio.fixture(loop_scope="module")
async def context(pages: None) -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own."""
    chromium = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if chromium is None:
        pytest.skip("there is no Chromium on this machine")
    with TemporaryDirectory() as profile:
        async with async_playwright() as playwright, asyncio.timeout(300):
            context = await playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium,
                args=_ARGUMENTS,
                headless=True,
                viewport={"width": 1440, "height": 900},
            )
            context.set_default_timeout(PATIENCE)
            try:
                yield context
            finally:
                await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(context: BrowserContext, demo: Server) -> Browser:
    """A window on the demo."""
    return open_browser(context, demo.url)


BARS: Final = """query ($since: DateTime!) {
  candleColumns(exchange: "kraken", symbol: "BTC/USD", timeframe: M1, from: $since, last: 5000) { time }
}"""


BARS_DRAWN: Final = """table => ({
  first: Number(table.caption.dataset.first),
  count: Number(table.caption.dataset.bars),
  newest: [...table.querySelectorAll("tr[data-time]")].map(row => Number(row.dataset.time)),
})"""


def bars_drawn(page: Page) -> Locator:
    """The table of the chart's bars for screen readers: the newest ten, and in its caption how many there are."""
    return page.get_by_role("table", name="Newest bars")


async def wait_until_no_bar_is_missing(page: Page, server: Server, token: str) -> None:
    """Wait until the one-minute chart of kraken's BTC/USD has every bar that is stored since its first one.

    A minute without trades has no bar in either. Only the chart has minutes of which the candle daemon saw a part, all
    of them among its newest. A bar may begin between the two reads, so they are repeated.
    """

    async def is_complete() -> bool:
        drawn = await bars_drawn(page).evaluate(BARS_DRAWN)
        answer = await server.ask(BARS, token, since=datetime.fromtimestamp(drawn["first"], UTC).isoformat())
        stored = [time / 1000 for time in answer["data"]["candleColumns"]["time"]]
        not_stored = {*drawn["newest"]} - {*stored}
        return bool(stored[0] == drawn["first"] and drawn["count"] - len(not_stored) == len(stored))

    await eventually(is_complete, seconds=60, interval=0.25)  # fewer requests per minute than the limit


def open_browser(context: BrowserContext, url: str) -> Browser:
    """The window of a context, for the server at `url`."""
    window = Browser(context, context.pages[0], url)
    window.watch(window.page)
    return window
