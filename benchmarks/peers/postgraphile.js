// PostGraphile on the tables as they are: smart tags for relations without a foreign key, a Grafast loader for tickers.
import { createServer } from "node:http";

import Redis from "ioredis";
import jwt from "jsonwebtoken";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { context, loadOne } from "postgraphile/grafast";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makeV4Preset } from "postgraphile/presets/v4";
import { extendSchema, gql, jsonPgSmartTags } from "postgraphile/utils";

const { DATABASE_URL, OHLCV_DATABASE_URL, REDIS_URL, JWT_SECRET_KEY, POOL_SIZE, PORT } = process.env;
const redis = new Redis(new URL(REDIS_URL).pathname);
const poolConfig = { max: Number(POOL_SIZE) };

// It warns that the candle database has no such tables, rightly: the tags are for the other database.
const relations = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      orders: {
        tags: {
          foreignKey: ["(bot_id) references bots (bot_id)", "(symbol, cat_ex_id) references symbols (symbol, cat_ex_id)"],
        },
      },
    },
  },
});

async function tickers(keys) {
  const pipeline = redis.pipeline();
  for (const [exchange, symbol] of keys) pipeline.hget(`tickers:${exchange}`, symbol);
  return (await pipeline.exec()).map(([, text]) => text && JSON.parse(text));
}

const additions = extendSchema((build) => {
  const { users } = build.pgResources;
  return {
    typeDefs: gql`
      type Ticker {
        price: Float!
        bid: Float
        ask: Float
      }
      extend type Symbol {
        ticker: Ticker
      }
      extend type Query {
        me: User
      }
    `,
    objects: {
      Query: { plans: { me: () => users.get({ uid: context().get("uid") }) } },
      Symbol: {
        plans: {
          ticker($symbol) {
            const $exchange = $symbol.singleRelation("catExchangesByMyCatExId");
            return loadOne([$exchange.get("name"), $symbol.get("symbol")], tickers);
          },
        },
      },
    },
  };
});

const service = postgraphile({
  extends: [PostGraphileAmberPreset, makeV4Preset({ simpleCollections: "omit" })],
  plugins: [relations, additions],
  pgServices: [
    makePgService({ connectionString: DATABASE_URL, schemas: ["public"], poolConfig }),
    makePgService({ name: "ohlcv", connectionString: OHLCV_DATABASE_URL, schemas: ["kraken"], poolConfig }),
  ],
  grafserv: { graphqlPath: "/graphql", watch: false, graphiql: false },
  grafast: {
    context({ node }) {
      const [, token] = node.req.headers.authorization.split(" ");
      const rules = { algorithms: ["HS256"], issuer: "fullon", audience: "fullon-graphql" };
      return { uid: jwt.verify(token, JWT_SECRET_KEY, rules).user_id };
    },
  },
});

const server = createServer();
await service.createServ(grafserv).addTo(server);
server.listen(Number(PORT), "127.0.0.1");
