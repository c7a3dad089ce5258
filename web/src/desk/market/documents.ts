import { graphql } from "../../gql";

export const Exchanges = graphql(`
  query Exchanges {
    catExchanges {
      id
      catExId
      name
    }
  }
`);

/** All tickers of an exchange. The subscription below has the same key, so its frames update this result. */
export const Tickers = graphql(`
  query Tickers($exchange: String!) {
    tickers(exchange: $exchange) {
      ...TickerFields
      instrument {
        id
        decimals
        base
        quote
        futures
      }
    }
  }
  fragment TickerFields on Ticker {
    exchange
    symbol
    price
    bid
    ask
    spread
    volume
    percentage
    time
    ageMs
  }
`);

export const TickerUpdates = graphql(`
  subscription TickerUpdates($exchange: String!) {
    tickers(exchange: $exchange, maxRate: 4) {
      ...TickerFields
    }
  }
`);

export const Candles = graphql(`
  query Candles($exchange: String!, $symbol: String!, $timeframe: Timeframe!, $to: DateTime, $last: Int!) {
    candleColumns(exchange: $exchange, symbol: $symbol, timeframe: $timeframe, to: $to, last: $last) {
      time
      open
      high
      low
      close
      volume
    }
  }
`);

export const CandleUpdates = graphql(`
  subscription CandleUpdates($exchange: String!, $symbol: String!, $timeframe: Timeframe!, $from: DateTime) {
    candles(exchange: $exchange, symbol: $symbol, timeframe: $timeframe, from: $from, maxRate: 4) {
      closed
      candle {
        time
        open
        high
        low
        close
        volume
      }
    }
  }
`);

export const SymbolOrders = graphql(`
  query SymbolOrders($filter: OrderFilter!, $after: String) {
    rows: orders(first: 30, after: $after, filter: $filter, orderBy: [{ field: ORDER_ID, direction: DESC }]) {
      cursor
      edges {
        cursor
        node {
          ...OrderRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const OrderEvents = graphql(`
  subscription OrderEvents($filter: OrderFilter!, $after: String) {
    event: orders(filter: $filter, after: $after) {
      cursor
      rowId
      row: order {
        ...OrderRow
      }
    }
  }
`);

export const SymbolTrades = graphql(`
  query SymbolTrades($filter: TradeFilter!, $after: String) {
    rows: trades(first: 50, after: $after, filter: $filter, orderBy: [{ field: TRADE_ID, direction: DESC }]) {
      cursor
      edges {
        cursor
        node {
          ...TradeRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  fragment TradeRow on Trade {
    id
    tradeId
    exchange
    symbol
    side
    volume
    price
    fee
    roi
    roiPct
    time
  }
`);

export const TradeEvents = graphql(`
  subscription TradeEvents($filter: TradeFilter!, $after: String) {
    event: trades(filter: $filter, after: $after) {
      cursor
      rowId
      row: trade {
        ...TradeRow
      }
    }
  }
`);
