"""Parts that the GraphQL types share: scalars, enums, arguments, inputs, references and the Node interface."""
