"""The services: which rows may be read and changed, and how. GraphQL, REST and the platform's sockets call them."""
