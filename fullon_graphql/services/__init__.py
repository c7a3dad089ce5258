"""The service functions: what may be read and changed, by whom. GraphQL, REST and sockets all call these."""
