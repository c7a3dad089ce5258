import { graphql } from "../../gql";

export const Accounts = graphql(`
  query Accounts($uid: Int!) {
    exchanges(first: 50, filter: { uid: { eq: $uid } }, orderBy: [{ field: ACTIVE, direction: DESC }, { field: EX_ID }]) {
      nodes {
        id
        exId
        name
        exchangeName
        active
        test
        balances {
          ...BalanceFields
        }
        positions {
          ...PositionFields
        }
      }
    }
  }
  fragment BalanceFields on Balance {
    exId
    currency
    total
    free
    used
    updatedAt
  }
  fragment PositionFields on Position {
    exId
    symbol
    side
    volume
    price
    cost
    marketPrice
    unrealizedPnl
  }
`);

export const BalanceUpdates = graphql(`
  subscription BalanceUpdates($exId: Int!) {
    balances(exId: $exId, maxRate: 1) {
      ...BalanceFields
    }
  }
`);

export const PositionUpdates = graphql(`
  subscription PositionUpdates($exId: Int!) {
    positions(exId: $exId, maxRate: 1) {
      ...PositionFields
    }
  }
`);

export const Worth = graphql(`
  query Worth($uid: Int!, $currency: String!) {
    portfolioStats(uid: $uid, currency: $currency) {
      totalValue
      pricedValue
      unpriced
      pricesAsOf
      assetAllocation {
        currency
        total
        price
        value
        weight
      }
    }
    userSummary(uid: $uid, currency: $currency) {
      uid
      dailyPnl
      unrealizedPnl
    }
    performanceMetrics(uid: $uid, currency: $currency, days: 30) {
      netProfit
      winRate
      sharpeRatio
      bestDay
      worstDay
    }
  }
`);

export const BalanceHistory = graphql(`
  query BalanceHistory($uid: Int!) {
    exchangeHistory(last: 1000, filter: { userId: { eq: $uid } }, orderBy: [{ field: TIMESTAMP }]) {
      nodes {
        id
        exId
        currency
        balance
        timestamp
      }
    }
  }
`);

/** The bots whose results can be shown. */
export const OwnBots = graphql(`
  query OwnBots($uid: Int!) {
    bots(first: 200, filter: { uid: { eq: $uid } }, orderBy: [{ field: NAME }]) {
      nodes {
        id
        botId
        name
        dryRun
      }
    }
  }
`);

export const EquityCurve = graphql(`
  query EquityCurve(
    $uid: Int!
    $botId: Int
    $kind: TradeKind!
    $days: Int!
    $resolution: Timeframe!
    $currency: String!
    $capital: Float
  ) {
    equityCurve(
      uid: $uid
      botId: $botId
      kind: $kind
      days: $days
      resolution: $resolution
      currency: $currency
      capital: $capital
    ) {
      unpriced
      time
      realizedProfit
      equity
      drawdown
      drawdownFraction
      benchmarkProfit
    }
  }
`);

export const PeriodResults = graphql(`
  query PeriodResults($uid: Int!, $botId: Int, $kind: TradeKind!, $period: ResultPeriod!, $days: Int!, $currency: String!) {
    dailyResults(uid: $uid, botId: $botId, kind: $kind, period: $period, days: $days, currency: $currency) {
      unpriced
      groups {
        time
        closedTrades
        winningTrades
        netProfit
        totalFees
      }
    }
  }
`);
