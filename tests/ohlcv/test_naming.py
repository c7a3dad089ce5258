from __future__ import annotations

import pytest

from fullon_graphql.errors import BadUserInput
from fullon_graphql.ohlcv.naming import candles_table, candles_view, quoted, schema_name, trades_table
from fullon_graphql.ohlcv.timeframes import Timeframe


@pytest.mark.parametrize(
    ("symbol", "table"),
    [
        ("BTC/USD", "btc_usd_trades"),
        ("BTC/USD:BTC", "btc_usd_btc_trades"),
        ("btc-usdc", "btc_usdc_trades"),
        ("GOLD", "gold_trades"),
        ("ГАЗ/RUB", "газ_rub_trades"),
    ],
)
def test_symbol_gives_table_names(symbol: str, table: str) -> None:
    assert trades_table(symbol) == table


def test_candles_have_one_table_per_timeframe() -> None:
    assert candles_table("GOLD") == "gold_candles1m"
    assert candles_table("GOLD", Timeframe.M5) == "gold_candles5m"
    assert candles_view("GOLD") == "gold_candles1m_view"


def test_exchange_is_a_lower_case_schema() -> None:
    assert schema_name("Kraken") == "kraken"


@pytest.mark.parametrize("exchange", ["public", "PUBLIC", "pg_catalog", "information_schema", "fullon_graphql"])
def test_reserved_schemas_are_rejected(exchange: str) -> None:
    with pytest.raises(BadUserInput, match="is not a valid exchange name"):
        schema_name(exchange)


@pytest.mark.parametrize("exchange", ["", "a b", 'x"y', "a:b", "x" * 64, "kraken\n"])
def test_invalid_exchanges_are_rejected(exchange: str) -> None:
    with pytest.raises(BadUserInput, match="is not a valid exchange name"):
        schema_name(exchange)


@pytest.mark.parametrize("symbol", ["", "A\x00B", "A\nB", "x" * 49, "é" * 25])
def test_invalid_symbols_are_rejected(symbol: str) -> None:
    with pytest.raises(BadUserInput, match="is not a valid symbol"):
        trades_table(symbol)


def test_quotes_in_names_are_escaped() -> None:
    assert quoted("kraken", 'a"; drop') == '"kraken"."a""; drop"'
