import { graphql } from "../../gql";

export const AlertList = graphql(`
  query AlertList($after: String) {
    rows: alertEvents(first: 40, after: $after, orderBy: [{ field: ALERT_ID, direction: DESC }]) {
      cursor
      edges {
        cursor
        node {
          ...AlertRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  fragment AlertRow on AlertEvent {
    id
    alertId
    message
    raisedAt
    rule {
      id
      name
      active
      lastFiredAt
    }
  }
`);

export const AlertUpdates = graphql(`
  subscription AlertUpdates($after: String) {
    event: alerts(after: $after) {
      cursor
      rowId
      row: alertEvent {
        ...AlertRow
      }
    }
  }
`);

/** Alerts as they are raised, for notices in all views. */
export const NewAlerts = graphql(`
  subscription NewAlerts {
    alerts {
      cursor
      kind
      alertEvent {
        ...AlertRow
      }
    }
  }
`);

export const AlertRules = graphql(`
  query AlertRules {
    alertRules(first: 200) {
      nodes {
        ...RuleFields
      }
    }
  }
  fragment RuleFields on AlertRule {
    id
    ruleId
    name
    condition
    exchange
    symbol
    direction
    threshold
    windowSeconds
    service
    statuses
    active
    lastFiredAt
    bot {
      id
      name
    }
  }
`);

export const CreateAlert = graphql(`
  mutation CreateAlert($input: CreateAlertInput!, $dryRun: Boolean, $idempotencyKey: String) {
    createAlert(input: $input, dryRun: $dryRun, idempotencyKey: $idempotencyKey) {
      ...RuleFields
    }
  }
`);

export const UpdateAlert = graphql(`
  mutation UpdateAlert($input: UpdateAlertInput!, $dryRun: Boolean, $idempotencyKey: String) {
    updateAlert(input: $input, dryRun: $dryRun, idempotencyKey: $idempotencyKey) {
      ...RuleFields
    }
  }
`);

export const DeleteAlert = graphql(`
  mutation DeleteAlert($ruleId: Int!, $dryRun: Boolean, $idempotencyKey: String) {
    deleteAlert(ruleId: $ruleId, dryRun: $dryRun, idempotencyKey: $idempotencyKey)
  }
`);

export const Webhooks = graphql(`
  query Webhooks {
    webhooks(first: 50) {
      nodes {
        id
        webhookId
        name
        url
        streams
        state
        reason
        failures
        deliveredAt
        deliveries(first: 20, orderBy: [{ field: DELIVERY_ID, direction: DESC }]) {
          nodes {
            id
            eventType
            attempt
            outcome
            statusCode
            error
            durationMs
            createdAt
          }
        }
      }
    }
  }
`);

export const CreateWebhook = graphql(`
  mutation CreateWebhook($input: CreateWebhookInput!, $dryRun: Boolean, $idempotencyKey: String) {
    createWebhook(input: $input, dryRun: $dryRun, idempotencyKey: $idempotencyKey) {
      secret
      webhook {
        id
        url
        streams
      }
    }
  }
`);

export const TestWebhook = graphql(`
  mutation TestWebhook($webhookId: Int!, $idempotencyKey: String) {
    testWebhook(webhookId: $webhookId, idempotencyKey: $idempotencyKey) {
      id
    }
  }
`);
