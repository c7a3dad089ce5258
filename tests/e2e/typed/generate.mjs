// The output of `graphql-codegen --config codegen.mjs`, without its command line, which would bring 300 more packages.
import * as client from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { buildASTSchema, parse, print } from "graphql";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import config from "./codegen.mjs";

const schema = parse(readFileSync(config.schema, "utf8"));
const documents = parse(readFileSync(config.documents, "utf8"));

for (const [baseOutputDir, { preset, presetConfig, config: options }] of Object.entries(config.generates)) {
  if (preset !== "client") throw new Error(`unknown preset ${preset}`);
  const outputs = await client.preset.buildGeneratesSection({
    baseOutputDir,
    schema,
    schemaAst: buildASTSchema(schema, { assumeValidSDL: true }),
    documents: [{ location: config.documents, document: documents, rawSDL: print(documents) }],
    config: options,
    presetConfig,
    pluginMap: {},
    plugins: [],
    documentTransforms: [],
  });
  for (const output of outputs) {
    mkdirSync(dirname(output.filename), { recursive: true });
    writeFileSync(output.filename, await codegen(output));
  }
}
