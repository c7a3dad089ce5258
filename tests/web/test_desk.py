"""The desk in a browser, each view on a running server."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.fixtures.eventually import eventually
from tests.fixtures.server import Server
from tests.fixtures.totp import totp_code
from tests.web.conftest import WEB, Browser, bars_drawn, wait_until_no_bar_is_missing

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = """mutation {
  createOrder(input: {botId: 1, exId: 4, symbol: "BTC/USD", side: BUY, orderType: "limit", volume: 0.02, price: 1234}) {
    orderId
  }
}"""


MONTHS = "{ dailyResults(botId: 1, period: MONTH, days: 730) { groups { time netProfit } } }"

EXPIRED = "ffffffffffff-1"
"""A cursor of another database."""


async def serious_faults(page: Page) -> list[str]:
    """Serious and critical accessibility faults that axe-core finds."""
    await page.evaluate((WEB / "node_modules" / "axe-core" / "axe.min.js").read_text())
    found: Any = await page.evaluate("axe.run().then(({violations}) => violations)")
    grave = [one for one in found if one["impact"] in {"serious", "critical"}]
    return [json.dumps([one["id"], [node["html"][:120] for node in one["nodes"]][:3]]) for one in grave]


def assert_clean(browser: Browser) -> None:
    assert (browser.problems, browser.foreign) == ([], [])


async def test_market_shows_live_prices_chart_and_orders(browser: Browser, demo: Server) -> None:
    await browser.sign_in("trader@fullon", "/desk/market/kraken/BTC%2FUSD")
    page = browser.page
    price = page.locator('td[data-symbol="BTC/USD"]')
    await expect(price).to_have_text(re.compile(r"[\d,]+\.\d\d"))
    first = await price.inner_text()
    await expect(price).not_to_have_text(first)
    await expect(page.get_by_role("table", name="Newest bars").locator("tbody tr")).to_have_count(10)

    token = await demo.token("trader@fullon", PASSWORD)
    order = (await demo.ask(ORDER, token))["data"]["createOrder"]["orderId"]
    row = page.locator(f'tr[data-order="{order}"]')
    await expect(row).to_contain_text("1,234.00")
    await expect(row).to_contain_text("new")
    await demo.ask(f"mutation {{ cancelOrder(orderId: {order}) {{ status }} }}", token)
    await expect(row).to_contain_text("canceled")

    await page.get_by_role("button", name="1h", exact=True).click()
    await expect(page.get_by_role("table", name="Newest bars").locator("tbody tr")).to_have_count(10)
    assert await serious_faults(page) == []
    assert_clean(browser)


async def test_older_bars_are_loaded_by_scrolling_without_a_hole(browser: Browser, demo: Server) -> None:
    await browser.sign_in("trader@fullon", "/desk/market/kraken/BTC%2FUSD")
    page = browser.page
    await page.get_by_role("button", name="1m", exact=True).click()
    await expect(page.get_by_role("button", name="1m", exact=True)).to_have_attribute("aria-pressed", "true")
    caption = bars_drawn(page).locator("caption")
    await expect(caption).to_have_attribute("data-bars", re.compile(r"^5\d\d$"))  # a page, and live bars
    box = await page.locator(".chart-place").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    async def has_older_bars() -> bool:
        await page.mouse.wheel(-2000, 0)
        return int(await caption.get_attribute("data-bars") or 0) >= 1000

    await eventually(has_older_bars, seconds=60)
    await wait_until_no_bar_is_missing(page, demo, await demo.token("trader@fullon", PASSWORD))
    assert_clean(browser)


async def test_slow_connection_shows_states_of_loading_and_then_the_rows(browser: Browser) -> None:
    await browser.sign_in("trader@fullon", "/desk/portfolio")
    page = browser.page
    network = await browser.context.new_cdp_session(page)
    await network.send("Network.emulateNetworkConditions",
                       {"offline": False, "latency": 1500, "downloadThroughput": 50_000, "uploadThroughput": 20_000})  # fmt: skip
    await page.get_by_role("link", name="Bots").click()
    await expect(page.get_by_role("status", name="Loading")).to_be_visible()
    await expect(page.locator("tr[data-bot]")).to_have_count(7)
    await expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    assert_clean(browser)


async def test_broken_connection_is_reported_and_resumed(browser: Browser, demo: Server) -> None:
    await browser.sign_in("trader@fullon", "/desk/bots/1")
    page = browser.page
    await expect(page.locator("tr[data-order]").first).to_be_visible()
    token = await demo.token("trader@fullon", PASSWORD)
    await browser.context.set_offline(True)
    order = (await demo.ask(ORDER, token))["data"]["createOrder"]["orderId"]
    await browser.context.set_offline(False)
    await expect(page.locator(f'tr[data-order="{order}"]')).to_have_count(1)
    await expect(page.get_by_text("Connection lost.")).to_have_count(0)


async def test_order_between_list_and_stream_appears_also_after_expired_cursor(browser: Browser, demo: Server) -> None:
    token = await demo.token("trader@fullon", PASSWORD)
    page = browser.page
    orders: list[int] = []

    async def order_after_list(route: Route) -> None:
        """Create an order after the server has read the list, and before the page has it and subscribes."""
        if '"SymbolOrders"' not in (route.request.post_data or ""):
            return await route.continue_()
        answer = await route.fetch()
        orders.append((await demo.ask(ORDER, token))["data"]["createOrder"]["orderId"])
        text = await answer.text()
        if len(orders) == 1:
            text = re.sub(r'"cursor":"[0-9a-f]+-[0-9a-f]+"', f'"cursor":"{EXPIRED}"', text, count=1)
        return await route.fulfill(response=answer, body=text)

    await page.route("**/graphql", order_after_list)
    await browser.sign_in("trader@fullon", "/desk/bots/1")

    async def has_both() -> bool:
        shown = await page.locator("tr[data-order]").evaluate_all("rows => rows.map(row => Number(row.dataset.order))")
        return len(orders) > 1 and shown[: len(orders)] == orders[::-1]

    await eventually(has_both, seconds=60)


async def test_one_time_code_is_required_once_enrolled(browser: Browser, demo: Server) -> None:
    token = await demo.token("other@fullon", PASSWORD)
    secret = (await demo.ask("mutation { enrolTotp { secret } }", token))["data"]["enrolTotp"]["secret"]
    confirm = "mutation ($code: String!) { confirmTotp(code: $code) { uid } }"
    previous = datetime.now(UTC) - timedelta(seconds=30)  # each code is accepted once
    assert "errors" not in await demo.ask(confirm, token, code=totp_code(secret, previous))
    page = browser.page
    await page.goto(browser.url + "/desk")
    await page.get_by_label("Mail").fill("other@fullon")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_label("One-time code").fill(totp_code(secret))
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("navigation", name="Views")).to_be_visible()
    disable = "mutation ($code: String!) { disableTotp(code: $code) { uid } }"
    following = datetime.now(UTC) + timedelta(seconds=30)
    assert "errors" not in await demo.ask(disable, token, code=totp_code(secret, following))


FIRST_PRICE = """new MutationObserver((_, observer) => {
  if (!document.querySelector("td.price")) return;
  window.firstPrice = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true})"""


async def test_first_price_is_there_within_a_second_of_load(browser: Browser) -> None:
    await browser.sign_in("trader@fullon", "/desk/market/kraken")
    page = browser.page
    await page.add_init_script(FIRST_PRICE)

    async def is_fast() -> bool:
        await page.reload(wait_until="load")
        await expect(page.locator("td.price").first).to_be_visible()
        loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        return bool(await page.evaluate(f"window.firstPrice - {loaded} < 1000"))

    await eventually(is_fast, seconds=60)  # other load of the machine does not count: one such load is enough


async def test_search_and_keyboard_lead_from_price_to_orders(browser: Browser) -> None:
    await browser.sign_in("trader@fullon", "/desk/market/kraken/BTC%2FUSD")
    page = browser.page
    await expect(page.locator('td[data-symbol="XRP/USD"]')).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("eth")
    await expect(page.locator("td.price")).to_have_count(1)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/desk/market/kraken/ETH%2FUSD"))
    await expect(page.get_by_role("region", name="Orders").locator("tr[data-order]").first).to_contain_text(
        "ether trend"
    )


async def test_trading_of_bot_is_halted_with_preview_and_resumed(browser: Browser, demo: Server) -> None:
    await browser.sign_in("trader@fullon", "/desk/bots")
    page = browser.page
    bot = page.locator('tr[data-bot="5"]')
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Halt trading").click()
    await dialog.get_by_label("What").select_option("ether hayden")
    await dialog.get_by_label("Reason").fill("maintenance")
    await expect(dialog).to_contain_text("bots switched off: ether hayden")
    assert await serious_faults(page) == []
    await expect(bot).to_contain_text("running")  # the preview has changed nothing
    await dialog.get_by_role("button", name="Halt", exact=True).click()
    await expect(bot).to_contain_text("halted")
    await page.get_by_role("button", name="Resume trading of ether hayden").click()
    await expect(dialog).to_contain_text("bots switched on: ether hayden")
    await dialog.get_by_role("button", name="Resume", exact=True).click()
    await expect(bot).to_contain_text("running")

    admin = await demo.token("admin@fullon", PASSWORD)
    halt = 'mutation { haltTrading(scope: BOT, botId: 5, reason: "review") { haltId } }'
    halt_id = (await demo.ask(halt, admin))["data"]["haltTrading"]["haltId"]
    await expect(bot).to_contain_text("halted")
    row = page.locator(f'tr[data-halt="{halt_id}"]')
    await expect(row).to_contain_text("an administrator resumes it")
    await expect(row.get_by_role("button")).to_have_count(0)
    await demo.ask(f"mutation {{ resumeTrading(haltId: {halt_id}) {{ haltId }} }}", admin)
    await expect(bot).to_contain_text("running")
    await expect(row).to_have_count(0)
    assert_clean(browser)


async def test_bot_is_stopped_and_edited_with_preview(browser: Browser, demo: Server) -> None:
    await browser.sign_in("trader@fullon", "/desk/bots")
    page = browser.page
    await expect(page.locator("tr[data-bot]")).to_have_count(7)
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Stop ether hayden").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("running: yes → no")
    token = await demo.token("trader@fullon", PASSWORD)
    active = "{ bot(botId: 5) { active name } }"
    assert (await demo.ask(active, token))["data"]["bot"]["active"]  # the preview has changed nothing
    await dialog.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator('tr[data-bot="5"]')).to_contain_text("stopped")
    assert not (await demo.ask(active, token))["data"]["bot"]["active"]

    await page.get_by_role("link", name="ether hayden").click()
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Name").fill("ether by night")
    await expect(dialog).to_contain_text("name: ether hayden → ether by night")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="ether by night", exact=True)).to_be_visible()
    assert_clean(browser)


async def test_orders_of_bot_are_loaded_page_by_page_and_logs_shown(browser: Browser) -> None:
    await browser.sign_in("trader@fullon", "/desk/bots/1")
    page = browser.page
    rows = page.locator("tr[data-order]")
    await expect(rows.first).to_be_visible()

    async def has_third_page() -> bool:
        await page.get_by_role("region", name="Orders").evaluate("region => region.scrollTo(0, region.scrollHeight)")
        return await rows.count() > 60

    await eventually(has_third_page, seconds=60)
    numbers = [int(text) for text in await rows.evaluate_all("rows => rows.map(row => row.dataset.order)")]
    assert numbers == sorted(set(numbers), reverse=True)
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Logs").click()
    await expect(page.get_by_role("region", name="Logs").locator("tbody tr").first).to_be_visible()
    await page.get_by_role("button", name="Trades").click()
    await expect(page.get_by_role("region", name="Fills").locator("tbody tr").first).to_be_visible()
    assert_clean(browser)


async def test_portfolio_shows_what_accounts_hold_and_results_of_bot(browser: Browser, demo: Server) -> None:
    await browser.sign_in("trader@fullon", "/desk/portfolio")
    page = browser.page
    await expect(page.get_by_role("region", name="Positions").locator("tbody tr").first).to_be_visible()
    await expect(page.get_by_role("region", name="Balances")).to_contain_text("kraken main")
    await expect(page.get_by_role("img", name=re.compile("^Balance: from"))).to_be_visible()
    await expect(page.get_by_role("img", name=re.compile("^Results: from"))).to_be_visible()
    await page.get_by_label("Trades of").select_option("bitcoin hayden")
    await expect(page.get_by_role("img", name=re.compile("^Realised: from .*; Held the coin: from"))).to_be_visible()
    await expect(page.get_by_role("img", name=re.compile("^Drawdown: from"))).to_be_visible()
    await page.get_by_role("button", name="Month", exact=True).click()
    token = await demo.token("trader@fullon", PASSWORD)
    [months] = (await demo.ask(MONTHS, token))["data"]["dailyResults"]["groups"]
    shown = [f"{profit:+,.2f}" if round(profit, 2) else "0.00" for profit in months["netProfit"]]
    if datetime.fromtimestamp(months["time"][-1] / 1000, UTC).month != datetime.now(UTC).month:
        shown.append("0.00")  # the present month is shown, also without a trade
    results = page.get_by_role("region", name="Results").locator("tbody td:last-child")
    await expect(results).to_have_text(shown[::-1])
    assert await serious_faults(page) == []
    assert_clean(browser)


async def test_rule_is_created_and_its_alert_shown_as_notice(browser: Browser, demo: Server) -> None:
    token = await demo.token("trader@fullon", PASSWORD)
    await browser.sign_in("trader@fullon", "/desk/alerts")
    page = browser.page
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="New rule").click()
    await dialog.get_by_label("When").select_option("an order changes")
    await dialog.get_by_label("filled", exact=True).uncheck()
    await dialog.get_by_label("canceled").check()
    await dialog.get_by_label("Name").fill("lost orders")
    await expect(dialog).to_contain_text("alert when: an order becomes canceled")
    assert await serious_faults(page) == []
    await dialog.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("region", name="Rules")).to_contain_text("lost orders")

    raised = page.get_by_role("region", name="Raised alerts")

    async def is_raised() -> bool:  # a new rule is known to the services process after its next refresh
        order = (await demo.ask(ORDER, token))["data"]["createOrder"]["orderId"]
        await demo.ask(f"mutation {{ cancelOrder(orderId: {order}) {{ status }} }}", token)
        return await raised.get_by_text("is canceled.").count() > 0

    await eventually(is_raised, seconds=60, interval=1)
    await expect(page.get_by_role("log", name="New alerts")).to_contain_text("is canceled.")
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Close: lost orders").click()
    await page.get_by_role("button", name="Delete lost orders").click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There are no rules yet.")).to_be_visible()
    assert_clean(browser)


async def test_webhook_is_created_with_its_secret_and_its_deliveries_listed(browser: Browser, demo: Server) -> None:
    token = await demo.token("trader@fullon", PASSWORD)
    await browser.sign_in("trader@fullon", "/desk/alerts")
    page = browser.page
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="New webhook").click()
    await dialog.get_by_label("Address").fill("http://127.0.0.1:9")
    await dialog.get_by_label("Name").fill("accounting")
    await dialog.get_by_label("orders", exact=True).check()
    await expect(dialog).to_contain_text("events: orders, alerts")
    await expect(dialog.get_by_label("audit log")).to_have_count(0)
    assert await serious_faults(page) == []
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog).to_contain_text(re.compile("cannot be read again.*whsec_", re.DOTALL))
    await dialog.get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Test accounting").click()
    await page.get_by_role("button", name="Log of accounting").click()
    await expect(page.get_by_role("table", name="Deliveries to accounting")).to_contain_text("webhook.test")
    assert await serious_faults(page) == []
    webhooks = (await demo.ask("{ webhooks { nodes { webhookId } } }", token))["data"]["webhooks"]["nodes"]
    for webhook in webhooks:
        await demo.ask(f"mutation {{ deleteWebhook(webhookId: {webhook['webhookId']}) }}", token)
    assert_clean(browser)


async def test_read_only_key_is_offered_no_changes(browser: Browser, demo: Server) -> None:
    token = await demo.token("trader@fullon", PASSWORD)
    created = await demo.ask('mutation { createApiKey(input: {name: "desk", scopes: ["read"]}) { key } }', token)
    page = browser.page
    await page.goto(browser.url + "/desk")
    await page.get_by_role("button", name="Use an API key").click()
    await page.get_by_label("API key").fill(created["data"]["createApiKey"]["key"])
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("link", name="Bots").click()
    await page.locator("[data-bot]").first.get_by_role("link").click()
    await page.get_by_role("button", name="Strategies").click()
    await expect(page.get_by_role("region", name="Strategies")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("Start|Stop|Edit"))).to_have_count(0)
    await page.get_by_role("link", name="Alerts").click()
    await expect(page.get_by_text("There are no webhooks yet.")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("New"))).to_have_count(0)
    assert_clean(browser)


async def test_administrator_stops_and_starts_service_and_sees_it_logged(browser: Browser) -> None:
    await browser.sign_in("admin@fullon", "/desk/operations")
    page = browser.page
    ticker = page.locator('tr[data-service="TICKER"]')
    await expect(ticker).to_contain_text("running")
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Stop ticker").click()
    await expect(ticker).to_contain_text("stopped")
    await expect(page.locator('tr[data-operation="stopService"]').first).to_be_visible()
    await page.get_by_role("button", name="Start ticker").click()
    await expect(ticker).to_contain_text("running")
    await expect(page.get_by_role("region", name="Sessions")).to_contain_text("this one")
    await expect(page.get_by_role("region", name="Feeds")).to_contain_text("kraken:BTC/USD")
    assert_clean(browser)


async def test_next_account_sees_nothing_of_one_before(browser: Browser) -> None:
    await browser.sign_in("trader@fullon", "/desk/bots/1")
    page = browser.page
    await expect(page.locator("tr[data-order]").first).to_be_visible()
    await page.get_by_role("button", name="Sign out trader@fullon").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("Mail").fill("other@fullon")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_text("There is no such bot, or it belongs to another user.")).to_be_visible()
    await page.get_by_role("link", name="Bots").click()
    await expect(page.locator("tr[data-bot]")).to_have_count(5)
    assert "trader" not in await page.content()
    assert await page.get_by_role("link", name="Operations").count() == 0


async def test_desk_is_usable_on_a_phone_in_light_colours(browser: Browser) -> None:
    page = browser.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.emulate_media(color_scheme="light")
    await browser.sign_in("trader@fullon", "/desk/market/kraken")
    await page.locator('td[data-symbol="BTC/USD"]').click()
    await expect(page.get_by_role("table", name="Newest bars").locator("tbody tr")).to_have_count(10)
    await expect(page.get_by_role("button", name="Back to the prices")).to_be_visible()
    wider = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wider
    assert await serious_faults(page) == []
