// Writes src/gql/: a typed document for every graphql(`…`) in src/, checked against ../schema.graphql.
// This is graphql-codegen's client preset without its command line, which would bring 200 more packages.
import { preset } from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { gqlPluckFromCodeString } from "@graphql-tools/graphql-tag-pluck";
import { buildASTSchema, parse } from "graphql";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const schema = parse(readFileSync("../schema.graphql", "utf8"));

const documents = [];
for (const file of readdirSync("src", { recursive: true }).sort()) {
  if (!/\.tsx?$/.test(file) || file.startsWith("gql")) continue;
  const location = join("src", file);
  const code = readFileSync(location, "utf8");
  if (!code.includes("graphql(`")) continue;
  // With the indentation of the file: graphql(`…`) finds its document by the text at run time.
  const options = { globalGqlIdentifierName: ["graphql"], skipIndent: true };
  for (const { body } of await gqlPluckFromCodeString(location, code, options)) {
    documents.push({ location, document: parse(body), rawSDL: body });
  }
}

const outputs = await preset.buildGeneratesSection({
  baseOutputDir: "src/gql/",
  schema,
  schemaAst: buildASTSchema(schema, { assumeValidSDL: true }),
  documents,
  config: {
    enumsAsConst: true,
    useTypeImports: true,
    scalars: { DateTime: "string", UUID: "string", JSON: "unknown", _Any: "unknown" },
  },
  presetConfig: { fragmentMasking: false },
  pluginMap: {},
  plugins: [],
  documentTransforms: [],
});
for (const output of outputs) {
  mkdirSync(dirname(output.filename), { recursive: true });
  writeFileSync(output.filename, await codegen(output));
}
