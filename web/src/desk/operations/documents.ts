import { graphql } from "../../gql";

export const Services = graphql(`
  query Services {
    services {
      ...ServiceFields
    }
  }
  fragment ServiceFields on Service {
    name
    state
    isRunning
    startedAt
    heartbeatAt
    error
    holder
  }
`);

export const ServiceUpdates = graphql(`
  subscription ServiceUpdates {
    serviceStatus {
      ...ServiceFields
    }
  }
`);

export const StartService = graphql(`
  mutation StartService($name: ServiceName!, $idempotencyKey: String) {
    startService(name: $name, idempotencyKey: $idempotencyKey) {
      ...ServiceFields
    }
  }
`);

export const StopService = graphql(`
  mutation StopService($name: ServiceName!, $idempotencyKey: String) {
    stopService(name: $name, idempotencyKey: $idempotencyKey) {
      ...ServiceFields
    }
  }
`);

export const RestartService = graphql(`
  mutation RestartService($name: ServiceName!, $idempotencyKey: String) {
    restartService(name: $name, idempotencyKey: $idempotencyKey) {
      ...ServiceFields
    }
  }
`);

export const Processes = graphql(`
  query Processes {
    processes {
      ...ProcessFields
    }
    systemHealth {
      healthy
      totalProcesses
      staleProcesses
      errorProcesses
    }
  }
  fragment ProcessFields on Process {
    processId
    type
    component
    status
    message
    heartbeatAt
    isStale
  }
`);

export const ProcessUpdates = graphql(`
  subscription ProcessUpdates {
    processes(maxRate: 0.5) {
      ...ProcessFields
    }
  }
`);

export const Sessions = graphql(`
  query Sessions($after: String) {
    sessions(
      first: 30
      after: $after
      filter: { active: { eq: true } }
      orderBy: [{ field: REFRESHED_AT, direction: DESC }]
    ) {
      edges {
        cursor
        node {
          id
          active
          current
          address
          userAgent
          createdAt
          refreshedAt
          user {
            id
            mail
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

export const EndSession = graphql(`
  mutation EndSession($id: ID!, $idempotencyKey: String) {
    endSession(id: $id, idempotencyKey: $idempotencyKey) {
      id
      active
    }
  }
`);

export const AuditLog = graphql(`
  query AuditLog($after: String) {
    rows: auditLog(first: 40, after: $after, orderBy: [{ field: SEQ, direction: DESC }]) {
      cursor
      edges {
        cursor
        node {
          ...AuditRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  fragment AuditRow on AuditEntry {
    id
    seq
    time
    uid
    credential
    operation
    entity
    rowKey
    before
    after
  }
`);

export const AuditEvents = graphql(`
  subscription AuditEvents($after: String) {
    event: auditLog(after: $after) {
      cursor
      rowId
      row: auditEntry {
        ...AuditRow
      }
    }
  }
`);
