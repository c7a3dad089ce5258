"""The desk over a restart of the server and over the expiry of a token."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import BrowserContext, Response, WebSocket, expect
from sqlalchemy import text

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.fixtures.server import running
from tests.web.conftest import open_browser, wait_until_no_bar_is_missing

pytestmark = pytest.mark.asyncio(loop_scope="module")

READY = "/health/ready"
ORDER = """mutation {
  createOrder(input: {botId: 1, exId: 4, symbol: "BTC/USD", side: BUY, orderType: "limit", volume: 0.02, price: 1234}) {
    orderId
  }
}"""
COPY = """INSERT INTO orders (bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, price, status, reason)
SELECT bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, price, 'New', 'while away'
FROM orders WHERE order_id = :order RETURNING order_id"""


async def test_prices_candles_and_orders_continue_over_a_restart(
    context: BrowserContext, demo_environment: dict[str, str]
) -> None:
    numbers = []
    async with running(demo_environment, READY) as server:
        browser = open_browser(context, server.url)
        page = browser.page
        await browser.sign_in("trader@fullon")
        reads: list[Response] = []

        def count(response: Response) -> None:
            if "SymbolOrders" in (response.request.post_data or ""):
                reads.append(response)

        page.on("response", count)
        await page.goto(server.url + "/desk/market/kraken/BTC%2FUSD")
        await page.get_by_role("button", name="1m", exact=True).click()
        token = await server.token("trader@fullon", PASSWORD)
        numbers.append((await server.ask(ORDER, token))["data"]["createOrder"]["orderId"])
        await expect(page.locator(f'tr[data-order="{numbers[-1]}"]')).to_be_visible()
        lists = len(reads)
        numbers.append((await server.ask(ORDER, token))["data"]["createOrder"]["orderId"])
        await expect(page.locator(f'tr[data-order="{numbers[-1]}"]')).to_be_visible()
        assert len(reads) == lists  # it came as an event
    await expect(page.get_by_text("Connection lost.")).to_be_visible()
    numbers.append(await order_by_another_program(demo_environment, numbers[0]))
    async with running(demo_environment | {"PORT": server.port}, READY) as server:
        await expect(page.get_by_text("Connection lost.")).to_have_count(0)
        numbers.append((await server.ask(ORDER, token))["data"]["createOrder"]["orderId"])
        for number in numbers:
            await expect(page.locator(f'tr[data-order="{number}"]')).to_have_count(1)
        shown = await page.locator("tr[data-order]").evaluate_all("rows => rows.map(row => Number(row.dataset.order))")
        assert shown == sorted(set(shown), reverse=True)
        assert shown[:4] == numbers[::-1]

        price = page.locator('td[data-symbol="BTC/USD"]')
        before = await price.inner_text()
        await expect(price).not_to_have_text(before)
        await wait_until_no_bar_is_missing(page, server, token)
        times = await page.locator("tr[data-time]").evaluate_all("rows => rows.map(row => Number(row.dataset.time))")
        assert times == sorted(set(times))
    assert browser.foreign == []


async def order_by_another_program(environment: dict[str, str], like: int) -> int:
    database = Database.connect(environment["DATABASE_URL"], "tests", Settings(demo=True, db_pool_size=1))
    try:
        async with database.transaction() as connection:
            number: int = (await connection.execute(text(COPY), {"order": like})).scalar_one()
    finally:
        await database.close()
    return number


async def test_token_is_renewed_on_the_open_socket(context: BrowserContext, demo_environment: dict[str, str]) -> None:
    short = demo_environment | {"JWT_EXPIRATION_MINUTES": "1", "TOKEN_WARNING": "55"}
    async with running(short, READY) as server:
        browser = open_browser(context, server.url)
        renewed: asyncio.Future[WebSocket] = asyncio.get_running_loop().create_future()

        def follow(socket: WebSocket) -> None:
            def on_frame(frame: object) -> None:
                if "token-renewed" in str(frame) and not renewed.done():
                    renewed.set_result(socket)

            socket.on("framereceived", on_frame)

        await browser.sign_in("trader@fullon")
        browser.page.on("websocket", follow)
        await browser.page.goto(server.url + "/desk/market/kraken")
        async with asyncio.timeout(60):
            socket = await renewed
        price = browser.page.locator('td[data-symbol="BTC/USD"]')
        await expect(price).to_have_text(re.compile(r"[\d,]+\.\d\d"))
        before = await price.inner_text()
        await expect(price).not_to_have_text(before)
        assert not socket.is_closed()
        assert browser.problems == []
