/** Fragments that several views select. */
import { graphql } from "../gql";

export const OrderRow = graphql(`
  fragment OrderRow on Order {
    id
    orderId
    botId
    exchange
    symbol
    side
    orderType
    volume
    finalVolume
    price
    status
    reason
    timestamp
    bot {
      id
      name
    }
  }
`);
