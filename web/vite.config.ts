import react from "@vitejs/plugin-react";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** The folder from which the server serves pages; `build.py` builds in a folder beside it and renames that at the end. */
const OUTPUT = process.env.PAGES_OUTPUT ?? "../fullon_graphql/static";

/** The server used by `npm run dev`. */
const SERVER = process.env.FULLON_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), examples(), packed()],
  worker: { format: "es" },
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 5000,
    rolldownOptions: { input: ["desk.html", "graphiql.html"] },
  },
  server: { proxy: { "/graphql": { target: SERVER, ws: true }, "/health": SERVER } },
});

/** The operations in ../docs, by topic, as the module `virtual:examples`. */
function examples(): Plugin {
  const name = "\0examples";
  const block = /^```graphql(?: as (\w+))?\n(.*?)^```/gms;
  return {
    name: "examples",
    resolveId: (id) => (id === "virtual:examples" ? name : null),
    load(id) {
      if (id !== name) return null;
      const topics = readdirSync("../docs").filter((file) => file.endsWith(".md")).sort().map((file) => {
        this.addWatchFile(join("../docs", file));
        const text = readFileSync(join("../docs", file), "utf8");
        const operations = [...text.matchAll(block)].map(([, account, operation]) => ({
          account: account ?? null,
          operation: operation!.trim(),
          section: text.slice(0, text.indexOf(operation!)).match(/^##+ (.*)$/gm)?.at(-1)?.replace(/^#+ /, "") ?? "",
        }));
        return { title: text.match(/^# (.*)$/m)?.[1] ?? file, page: file, operations };
      });
      return `export default ${JSON.stringify(topics.filter((topic) => topic.operations.length))}`;
    },
  };
}

/** A .gz beside every file that becomes smaller, so that the server does not compress at run time. */
function packed(): Plugin {
  return {
    name: "packed",
    writeBundle({ dir }, bundle) {
      for (const file of Object.keys(bundle)) {
        const content = readFileSync(join(dir!, file));
        if (content.length > 1024 && /\.(js|css|svg|ttf)$/.test(file)) {
          writeFileSync(join(dir!, `${file}.gz`), gzipSync(content, { level: 9 }));
        }
      }
    },
  };
}
