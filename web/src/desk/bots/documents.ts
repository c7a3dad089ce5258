import { graphql } from "../../gql";

export const Bots = graphql(`
  query Bots($first: Int!, $after: String) {
    bots(first: $first, after: $after, orderBy: [{ field: ACTIVE, direction: DESC }, { field: NAME }]) {
      edges {
        cursor
        node {
          ...BotFields
          user {
            id
            mail
          }
          exchanges {
            id
            name
          }
          openOrders: orders(filter: { status: { in: ["New", "pending", "open", "partially_filled"] } }) {
            totalCount
          }
          month: statistics(days: 30) {
            netProfit
            currency
            closedTrades
            winRate
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  fragment BotFields on Bot {
    id
    botId
    name
    active
    dryRun
    status {
      ...StatusFields
    }
  }
  fragment StatusFields on BotStatus {
    botId
    feedNum
    status
    symbol
    period
    performance
    timestamp
  }
`);

export const StatusUpdates = graphql(`
  subscription StatusUpdates($botId: Int!) {
    botStatus(botId: $botId, maxRate: 1) {
      ...StatusFields
    }
  }
`);

export const BotDetail = graphql(`
  query BotDetail($botId: Int!) {
    bot(botId: $botId) {
      ...BotFields
      user {
        id
        mail
      }
      exchanges {
        id
        name
        exchangeName
      }
      strategies {
        ...StrategyFields
      }
      month: statistics(days: 30) {
        netProfit
        currency
        closedTrades
        winRate
        profitFactor
        totalFees
      }
    }
  }
  fragment StrategyFields on Strategy {
    id
    strId
    takeProfit
    stopLoss
    trailingStop
    sizePct
    leverage
    catalog {
      id
      name
    }
    feeds {
      id
      period
      compression
      symbol {
        id
        symbol
        exchangeName
      }
    }
  }
`);

export const UpdateBot = graphql(`
  mutation UpdateBot($input: UpdateBotInput!, $dryRun: Boolean, $idempotencyKey: String) {
    updateBot(input: $input, dryRun: $dryRun, idempotencyKey: $idempotencyKey) {
      id
      botId
      name
      active
      dryRun
    }
  }
`);

export const UpdateStrategy = graphql(`
  mutation UpdateStrategy($input: UpdateStrategyInput!, $dryRun: Boolean, $idempotencyKey: String) {
    updateStrategy(input: $input, dryRun: $dryRun, idempotencyKey: $idempotencyKey) {
      id
      strId
      takeProfit
      stopLoss
      trailingStop
      sizePct
      leverage
    }
  }
`);

export const BotTrades = graphql(`
  query BotTrades($filter: DryTradeFilter!, $after: String) {
    rows: dryTrades(first: 30, after: $after, filter: $filter, orderBy: [{ field: TRADE_ID, direction: DESC }]) {
      cursor
      edges {
        cursor
        node {
          ...DryTradeRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  fragment DryTradeRow on DryTrade {
    id
    tradeId
    symbol
    side
    volume
    price
    fee
    roi
    roiPct
    time: timestamp
  }
`);

export const DryTradeEvents = graphql(`
  subscription DryTradeEvents($filter: DryTradeFilter!, $after: String) {
    event: dryTrades(filter: $filter, after: $after) {
      cursor
      rowId
      row: dryTrade {
        ...DryTradeRow
      }
    }
  }
`);

/** Trades have no bot: those of a bot are the trades of its orders. */
export const FilledOrders = graphql(`
  query FilledOrders($botId: Int!, $after: String) {
    orders(
      first: 30
      after: $after
      filter: { botId: { eq: $botId }, finalVolume: { gt: 0 } }
      orderBy: [{ field: ORDER_ID, direction: DESC }]
    ) {
      edges {
        cursor
        node {
          id
          trades {
            ...TradeRow
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const BotLogs = graphql(`
  query BotLogs($filter: BotLogFilter!, $after: String) {
    rows: botLogs(first: 50, after: $after, filter: $filter, orderBy: [{ field: TIMESTAMP, direction: DESC }]) {
      cursor
      edges {
        cursor
        node {
          ...LogRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  fragment LogRow on BotLog {
    id
    symbol
    exchange
    position
    message
    timestamp
  }
`);

export const LogEvents = graphql(`
  subscription LogEvents($filter: BotLogFilter!, $after: String) {
    event: botLogs(filter: $filter, after: $after) {
      cursor
      rowId
      row: botLog {
        ...LogRow
      }
    }
  }
`);

/** The halts in force: the current ones first, then all whenever one begins or ends. */
export const TradingStateUpdates = graphql(`
  subscription TradingStateUpdates {
    tradingState {
      halted
      halts {
        ...HaltFields
      }
    }
  }
  fragment HaltFields on TradingHalt {
    haltId
    scope
    uid
    exId
    botId
    reason
    since
    by
    switchId
    botIds
  }
`);

/** Which bots are on. The cache shows it in all views. */
export const BotStates = graphql(`
  query BotStates {
    bots(first: 1000) {
      nodes {
        id
        active
      }
    }
  }
`);

/** The bots and accounts that can be halted, with names. */
export const HaltTargets = graphql(`
  query HaltTargets {
    bots(first: 200, orderBy: [{ field: NAME }]) {
      nodes {
        id
        botId
        name
        user {
          id
          mail
        }
      }
    }
    exchanges(first: 200, orderBy: [{ field: EX_ID }]) {
      nodes {
        id
        exId
        name
        exchangeName
        user {
          id
          mail
        }
      }
    }
  }
`);

export const HaltTrading = graphql(`
  mutation HaltTrading(
    $scope: HaltScope!
    $exId: Int
    $botId: Int
    $everyone: Boolean
    $reason: String!
    $cancelOpen: Boolean!
    $dryRun: Boolean
    $idempotencyKey: String
  ) {
    haltTrading(
      scope: $scope
      exId: $exId
      botId: $botId
      everyone: $everyone
      reason: $reason
      cancelOpen: $cancelOpen
      dryRun: $dryRun
      idempotencyKey: $idempotencyKey
    ) {
      haltId
      botIds
      canceledOrderIds
      blocked {
        exId
        symbol
      }
    }
  }
`);

export const ResumeTrading = graphql(`
  mutation ResumeTrading($haltId: Int!, $dryRun: Boolean, $idempotencyKey: String) {
    resumeTrading(haltId: $haltId, dryRun: $dryRun, idempotencyKey: $idempotencyKey) {
      haltId
      botIds
      resumedBotIds
    }
  }
`);
