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

/** The closing trades, for the result of each day. A page has at most 1000. */
export const ClosedTrades = graphql(`
  query ClosedTrades($uid: Int!, $since: DateTime!, $after: String) {
    trades(
      first: 1000
      after: $after
      filter: { uid: { eq: $uid }, roi: { isNull: false }, time: { gte: $since } }
      orderBy: [{ field: TIME }]
    ) {
      nodes {
        id
        time
        roi
        symbol
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);
