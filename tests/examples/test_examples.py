"""Every example, run as in its docstring against a server with the demo's data."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.fixtures.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "examples"


async def run(server: Server, name: str, *arguments: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The output of an example, by lines."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *arguments,
        env={**environment, "FULLON_URL": server.url, "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode()
    assert process.returncode == 0, text
    return text.splitlines()


async def test_list_and_stream_end_with_the_rows_of_the_server(demo: Server) -> None:
    token, followed = await demo.token("trader@fullon", PASSWORD), asyncio.Event()

    async def trade() -> None:
        while not followed.is_set():
            await demo.ask(ORDER, token)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(trade())
        first, *changes, last = await run(demo, "29_list_and_stream.py", "2")
        followed.set()
    assert re.fullmatch(r"\d+ orders", first)
    assert len(changes) == 2
    assert all(re.fullmatch(r"(CREATED|UPDATED) +\d+ \S+ +\S+", line) for line in changes)
    kept, stored = map(int, re.findall(r"\d+", last))
    assert int(first.split()[0]) <= kept <= stored  # trading continues until the count


async def test_who_am_i_prints_the_account(demo: Server) -> None:
    lines = await run(demo, "01_who_am_i.py")
    assert lines[0] == "Tomas Trader <trader@fullon>, user 2"
    assert lines[1].endswith("owner of 7 bots")
    assert "  kraken main          on kraken" in lines
    assert (await run(demo, "01_who_am_i.py", "admin@fullon"))[0] == "Ada Admin <admin@fullon>, administrator 1"


async def test_wrong_password_prints_the_error_code(demo: Server) -> None:
    with pytest.raises(AssertionError, match="UNAUTHENTICATED: Invalid credentials"):
        await run(demo, "01_who_am_i.py", "trader@fullon", "wrong")


async def test_bots_are_printed_with_orders_and_live_prices(demo: Server) -> None:
    await run(demo, "04_streaming_tickers.py", "2", "kraken")  # wait for live prices
    lines = await run(demo, "02_bots_and_prices.py", "other@fullon")
    assert [line for line in lines if "orders so far" in line] == [
        "bitcoin hayden trades, 300 orders so far",
        "tether trend trades, 300 orders so far",
        "solana trend trades, 200 orders so far",
        "ether rehearsal rehearses, 0 orders so far",
        "short rehearsal rehearses, 0 orders so far",
    ]
    order = re.compile(r"  (BUY |SELL) +\d+\.\d{6} BTC/USD +at +(\d+\.\d\d|market), now +\d+\.\d\d  \w+")
    assert len([line for line in lines[1:4] if order.fullmatch(line)]) == 3, lines[1:4]


async def test_candle_chart_is_drawn(demo: Server) -> None:
    title, *chart = await run(demo, "03_candle_chart.py", "bitmex", "BTC/USD:BTC", "H4")
    assert title == "BTC/USD:BTC on bitmex: 60 bars of H4"
    prices = [float(line[:12]) for line in chart]
    assert prices == sorted(prices, reverse=True)
    bars = [line[13:] for line in chart]
    assert {len(bar) for bar in bars} == {60}
    assert all(any(row[bar] != " " for row in bars) for bar in range(60))


async def test_streaming_tickers_prints_the_requested_frames(demo: Server) -> None:
    lines = await run(demo, "04_streaming_tickers.py", "3", "kraken")
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert re.fullmatch(r"  3(  [A-Z]+/USD \d+\.\d\d)+", lines[2]), lines[2]


async def test_prices_over_sse_are_printed(demo: Server) -> None:
    lines = await run(demo, "09_prices_by_http.py", "3", "kraken", "BTC/USD")
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert re.fullmatch(r"  3  BTC/USD  \d+\.\d\d", lines[2]), lines[2]


async def test_service_control_stops_and_starts_a_service(demo: Server) -> None:
    lines = await run(demo, "05_service_control.py", "ACCOUNT")
    assert [line.split()[0] for line in lines] == ["TICKER", "OHLCV", "ACCOUNT", "ACCOUNT", "ACCOUNT"]
    assert lines[3] == "ACCOUNT  STOPPED"
    assert lines[4].startswith("ACCOUNT  RUNNING  in ")


async def test_trade_analytics_are_printed(demo: Server) -> None:
    total, *parts = await run(demo, "06_trade_analytics.py", "36500")
    figures = re.compile(
        r".{28} +(\d+) closed +(\d+%|-) won +(\d+\.\d\d|-) factor +(-?\d+\.\d\d|-)(  no price for .+)?"
    )
    assert total.startswith("all, in USD ")
    assert all(figures.fullmatch(line) for line in [total, *parts]), parts
    symbols, bots = parts[:-7], parts[-7:]
    assert [line.split()[0] for line in symbols] == sorted(line.split()[0] for line in symbols)
    assert all("(live)" in line or "(dry)" in line for line in bots)


async def test_dashboard_views_are_printed(demo: Server) -> None:
    lines = await run(demo, "07_dashboard_views.py", "5000")
    views = [line for line in lines if not line.startswith(" ")]
    assert views == [
        "botDashboard", "tradingOverview", "performanceMetrics", "riskMetrics", "portfolioStats", "userSummary",
    ]  # fmt: skip
    figures = dict(line.split(maxsplit=1) for line in lines if line.startswith(" "))
    assert figures["totalBots"] == "7"
    assert figures["winRate"].startswith("0.")


async def test_results_over_time_are_printed(demo: Server) -> None:
    lines = await run(demo, "25_results_over_time.py", "90", "1")
    assert lines[0] == "results by week, in USD"
    curve = lines.index("equity of bot 1")
    weeks = [line for line in lines[1:curve] if line.startswith("    ")]
    assert weeks
    assert all(re.fullmatch(r"    \d{4}-\d\d-\d\d +\d+ closed +(-?\d+\.\d\d|-)", line) for line in weeks), weeks
    figure = r"(-?\d+\.\d\d|-)"
    point = re.compile(rf"  \S{{10}} +{figure} \+ +{figure} = +{figure}  drawdown +{figure}  coin +([+-]\d+\.\d%|-)")
    points = lines[curve + 1 :]
    assert len(points) >= 10
    assert all(point.fullmatch(line) for line in points), points
    assert any("coin" in line and "%" in line for line in points)


async def test_bot_is_created_and_deleted(demo: Server) -> None:
    lines = await run(demo, "08_life_of_a_bot.py")
    assert [line.split(":")[0] for line in lines] == [
        "dry run", "created", "account", "feed", "active", "order", "canceled", "deleted",
    ]  # fmt: skip
    assert lines[0] == "dry run:    a bot of trader@fullon, with simulated trades"
    assert lines[1] == "created:    once, by two requests"
    assert lines[4] == "active:     True"
    assert lines[5].startswith("order:      New on ")
    assert lines[6:] == ["canceled:   canceled", "deleted:    True"]


async def test_rest_and_graphql_give_the_same_answer(demo: Server) -> None:
    *bots, verdict = await run(demo, "11_graphql_and_rest.py")
    assert len(bots) == 7
    assert verdict == "GraphQL: 1 request. REST: 8 requests. The same answer: yes"


async def test_exchange_catalogue_is_printed_with_prices(demo: Server) -> None:
    lines = await run(demo, "10_exchange_catalogue.py", "ETH")
    exchanges = {"kraken": 3, "bitmex": 3, "binance": 4}
    assert [line for line in lines if line.endswith("instruments")] == [
        f"{name}: {count} instruments" for name, count in exchanges.items()
    ]
    assert lines[-1] == "ETH is traded as ETH/USD on kraken, ETH/USD:BTC on bitmex, ETH/USDT on binance"
    instrument = re.compile(r"  \S+ +(futures|price only|spot) +(\d+\.\d+|no price yet)")
    shown = [line for line in lines if line.startswith("  ")]
    assert len(shown) == sum(exchanges.values())
    assert all(instrument.fullmatch(line) for line in shown), shown


async def test_strategy_is_printed_and_dry_run_changes_nothing(demo: Server) -> None:
    lines = await run(demo, "12_strategies.py", "3", "5")
    params = "rsi_entry 40, rsi_exit 60, rsi_period 14"
    assert lines[:2] == ["perpetual short", "  rsi_hayden_short with leverage 3"]
    assert lines[2:4] == [f"    template:   {params}", f"    parameters: {params}"]
    assert lines[4].startswith("    follows:    BTC/USD:BTC on bitmex, ")
    assert lines[-1] == "leverage in the dry run: 5, still stored: 3"


async def test_losing_trades_are_sorted_over_all_pages(demo: Server) -> None:
    *trades, total = await run(demo, "13_losing_trades.py", "36500", "7")
    assert total == f"{len(trades)} trades lost money in 36500 days"
    assert len(trades) > 7
    losses = [float(line.split()[0]) for line in trades]
    assert losses == sorted(losses)
    assert max(losses) <= 0
    assert await run(demo, "13_losing_trades.py", "36500", "1000") == [*trades, total]


ORDER = """mutation {
  createOrder(input: {botId: 1, exId: 4, symbol: "BTC/USD", side: BUY, orderType: "market", volume: 0.01}) { orderId }
}"""


async def test_orders_are_complete_over_a_broken_connection(demo: Server) -> None:
    token, ordered, followed = await demo.token("trader@fullon", PASSWORD), list[int](), asyncio.Event()

    async def trade() -> None:
        while not followed.is_set():
            ordered.append((await demo.ask(ORDER, token))["data"]["createOrder"]["orderId"])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(trade())
        lines = await run(demo, "14_orders_without_a_gap.py", "4")
        followed.set()  # the current order completes: it may have been seen
    seen = [int(line.split()[1]) for line in lines if line.startswith("CREATED")]
    assert len(seen) == 8
    first = ordered.index(seen[0])
    assert seen == ordered[first : first + 8]
    assert len([line for line in lines if line.startswith("prices now: ")]) == 2


async def test_document_is_sent_once_and_its_hash_each_time(demo: Server) -> None:
    lines = await run(demo, "15_documents_by_hash.py")
    assert [line.partition(", ")[2] for line in lines if " sent, " in line] == [
        "hash alone", "text and hash", "hash alone", "hash alone",
    ]  # fmt: skip
    assert len([line for line in lines if " of 7 bots: " in line]) == 3


async def test_health_probe_prints_the_stores(demo: Server) -> None:
    state, *stores = await run(demo, "16_health_probe.py")
    assert re.fullmatch(r"(healthy|degraded), version \S+", state)
    assert [line.split()[:2] for line in stores[:3]] == [["postgres", "up"], ["ohlcv", "up"], ["redis", "up"]]


async def test_health_probe_fails_without_a_server(demo: Server) -> None:
    with pytest.raises(AssertionError, match=r"http://127\.0\.0\.1:1 does not answer"):
        await run(replace(demo, url="http://127.0.0.1:1"), "16_health_probe.py")


async def test_server_is_started_and_stopped_in_python(demo: Server, demo_environment: dict[str, str]) -> None:
    lines = await run(demo, "17_server_in_python.py", environment=demo_environment)
    assert lines == ["started", "{'__typename': 'Query'}", "stopped"]


async def test_mounted_application_answers(demo: Server, demo_environment: dict[str, str]) -> None:
    lines = await run(demo, "18_mounted_in_another_application.py", environment=demo_environment)
    assert lines == ["trader@fullon has 7 bots"]


async def test_candles_over_rest_are_printed(demo: Server) -> None:
    *bars, ranged = await run(demo, "19_candles_over_rest.py", "bitmex", "BTC/USD:BTC", "4h")
    assert len(bars) == 5
    assert bars == sorted(bars)
    assert ranged == "in the range of the first three: 3 bars"


async def test_candles_as_known_are_printed_beside_those_of_now(demo: Server) -> None:
    title, *bars = await run(demo, "23_candles_as_known.py", "20", "bitmex", "BTC/USD:BTC")
    assert title.startswith("BTC/USD:BTC on bitmex")
    assert len(bars) == 8
    assert "not known" in bars[-1]
    assert "*" not in "".join(bars[:5])


async def test_replay_prints_the_trades_of_a_strategy(demo: Server) -> None:
    lines = await run(demo, "24_replay.py", "12", "bitmex", "BTC/USD:BTC")
    assert re.fullmatch(r"BTC/USD:BTC on bitmex: 1[2-4]\d bars in \d+\.\d s", lines[0]), lines[0]
    assert all(re.fullmatch(r"\d\d:\d\d  (buys|sells) at +\d+\.\d\d", line) for line in lines[1:-1])
    assert lines[-1].startswith("result: ")


async def test_platform_sockets_print_answers_and_updates(demo: Server) -> None:
    await run(demo, "04_streaming_tickers.py", "2", "kraken")  # wait for live prices
    gateway, started, update, confirmed, bar = await run(demo, "20_platform_sockets.py")
    assert re.fullmatch(r"gateway: price \d+\.\d+", gateway)
    assert started == "domain:  streaming"
    assert re.fullmatch(r"domain:  price \d+\.\d+", update)
    assert [confirmed, bar] == ["candles: subscription_confirmed", "candles: ohlcv_update"]


async def test_rest_families_are_counted(demo: Server) -> None:
    lines = await run(demo, "21_rest_families.py")
    counts = dict(line.split() for line in lines[:6])
    assert [*counts] == ["users", "bots", "orders", "trades", "exchanges", "strategies"]
    assert (counts["users"], counts["bots"]) == ("1", "7")
    assert re.fullmatch(r"newest order: (BUY|SELL|buy|sell) \S+, one of \d+ of its bot", lines[6])
    assert re.fullmatch(r"symbols with btc: \d+; \S+ has \d+ decimals", lines[7])
    assert re.fullmatch(r"trading overview: \d+ figures", lines[8])


async def test_webhook_receives_genuine_events(demo: Server) -> None:
    created, deleted, total = await run(demo, "26_webhook.py")
    assert re.fullmatch(r"bots\.created   bot \d+: (for a moment|deleted)", created)
    assert re.fullmatch(r"bots\.deleted   bot \d+: deleted", deleted)
    assert total == "2 events, each genuine"


async def test_runner_prints_a_table_and_fails_if_an_example_does(demo: Server, tmp_path: Path) -> None:
    broken = tmp_path / "99_broken.py"
    broken.write_text("raise SystemExit('no luck')\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples", "01_who_am_i.py", str(broken),
        cwd=EXAMPLES.parent, env=os.environ | {"FULLON_URL": demo.url}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    first, second, *reason, total = output.decode().splitlines()
    assert process.returncode == 1
    assert re.fullmatch(r"01_who_am_i\.py +\d+\.\d s  ok", first)
    assert re.fullmatch(r"99_broken\.py +\d+\.\d s  failed", second)
    assert "no luck" in reason
    assert total == "2 examples, 1 failed"


async def test_trading_is_halted_and_resumed(demo: Server) -> None:
    assert await run(demo, "27_halt_trading.py") == [
        "dry run:  would switch off 1 bot",
        "halted:   switching it on is TRADING_HALTED",
        "resumed:  1 bot",
        "lost:     the switch is ARMED",
        "back:     taken over in time, and completed",
    ]


async def test_generated_client_reads_bots(demo: Server, tmp_path: Path) -> None:
    title, *bots = await run(demo, "22_client_from_openapi.py", str(tmp_path / "client.py"))
    found = re.fullmatch(r"client\.py: (\d+) functions", title)
    assert found
    assert int(found[1]) == (tmp_path / "client.py").read_text().count("\ndef ") > 100
    assert len(bots) == 3


async def test_agent_lists_tools_and_confirms_a_change(demo: Server) -> None:
    tools, bots, preview, confirmed = await run(demo, "28_tools_for_agents.py")
    assert {"StartBot", "StopBot", "confirm", "search_schema"} <= set(re.split(r": |, ", tools))
    assert "CancelOrder" not in tools
    assert bots.startswith("7 bots, the last is ")
    assert preview.startswith("preview: active would become ")
    assert confirmed.rpartition(" ")[2] == preview.rpartition(" ")[2]
