"""The graphql-transport-ws protocol on `/graphql`."""
