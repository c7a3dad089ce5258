// Configuration of graphql-codegen 7: graphql-codegen --config codegen.mjs
export default {
  schema: "schema.graphql",
  documents: "operations.graphql",
  generates: {
    "generated/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string",
        enumsAsConst: true,
        useTypeImports: true,
        scalars: { DateTime: "string", UUID: "string", JSON: "unknown", _Any: "unknown" },
      },
    },
  },
};
