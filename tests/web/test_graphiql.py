"""GraphiQL in a browser."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.fixtures.server import Server
from tests.web.conftest import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sign_in(browser: Browser) -> None:
    page = browser.page
    await page.get_by_role("button", name="Sign in", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Mail").fill("trader@fullon")
    await dialog.get_by_label("Password").fill(PASSWORD)
    await dialog.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_text("trader@fullon")).to_be_visible()


async def test_query_is_answered_and_explained_after_sign_in(browser: Browser) -> None:
    page = browser.page
    link = urlencode({"query": "query Who($first: Int) { me { mail bots(first: $first) { totalCount } } }",
                      "variables": '{"first": 2}'})  # fmt: skip
    await page.goto(f"{browser.url}/graphql?{link}")
    answer = page.locator(".result-window")
    run = page.get_by_role("button", name="Execute query (Ctrl-Enter)")
    await expect(page.locator(".graphiql-query-editor")).to_contain_text("query Who")
    await expect(answer.locator(".view-lines")).to_be_attached()
    await run.click()
    await expect(answer).to_contain_text("UNAUTHENTICATED")
    await sign_in(browser)
    await page.get_by_role("button", name="Show Explain").click()
    await page.get_by_label("Explain every operation I run").check()
    await run.click()
    await expect(answer).to_contain_text('"mail": "trader@fullon"')
    await expect(answer).not_to_contain_text("extensions")
    panel = page.get_by_role("region", name="Explain")
    await expect(panel).to_contain_text("Preparation")
    cost = panel.get_by_label("Cost")
    await expect(cost.locator("div", has_text="Estimated cost").locator("dd")).to_have_text(re.compile(r"[\d,]+"))
    await expect(cost.locator("div", has_text="Limit").locator("dd")).to_have_text("1,000,000")
    await panel.get_by_text("SQL").first.click()
    await expect(panel).to_contain_text("SELECT")
    assert (browser.problems, browser.foreign) == ([], [])


async def test_api_key_signs_in_and_keeps_to_its_scopes(browser: Browser, demo: Server) -> None:
    create = 'mutation { createApiKey(input: {name: "browser", scopes: ["read"]}) { key } }'
    answer = await demo.ask(create, await demo.token("trader@fullon", PASSWORD))
    page = browser.page
    rename = 'mutation { updateBot(input: {botId: 1, name: "renamed"}) { name } }'
    await page.goto(f"{browser.url}/graphql?{urlencode({'query': rename})}")
    await expect(page.locator(".graphiql-query-editor")).to_contain_text("updateBot")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Use an API key").click()
    await dialog.get_by_label("API key").fill(answer["data"]["createApiKey"]["key"])
    await dialog.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_text("trader@fullon (API key)")).to_be_visible()
    await expect(page.locator(".result-window .view-lines")).to_be_attached()
    await page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
    await expect(page.locator(".result-window")).to_contain_text("FORBIDDEN")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


async def test_examples_of_documentation_open_in_tab_of_their_own(browser: Browser) -> None:
    page = browser.page
    await page.goto(f"{browser.url}/graphql")
    await page.get_by_role("button", name="Show Examples").click()
    topics = page.get_by_role("region", name="Examples")
    await expect(topics.get_by_text("Subscriptions", exact=True)).to_be_visible()
    await topics.get_by_role("button", name="Filter and order").first.click()
    await expect(page.locator(".graphiql-query-editor")).to_contain_text("bought: orders")
    await expect(page.get_by_role("tab")).to_have_count(3)


async def test_subscription_shows_its_updates(browser: Browser) -> None:
    page = browser.page
    prices = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD", maxRate: 4) { price ageMs } }'
    await page.goto(f"{browser.url}/graphql?{urlencode({'query': prices})}")
    await sign_in(browser)
    await expect(page.locator(".graphiql-query-editor")).to_contain_text("ticker")
    await expect(page.locator(".result-window .view-lines")).to_be_attached()
    await page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
    answer = page.locator(".result-window")
    await expect(answer).to_contain_text('"price"')
    first = await answer.inner_text()
    await expect(answer).not_to_have_text(first)
    await page.get_by_role("button", name="Stop query").click()
    assert (browser.problems, browser.foreign) == ([], [])
