// The contract's schema on Mercurius with graphql-jit from the first request, and its batched loaders.
import fastifyJwt from "@fastify/jwt";
import Fastify from "fastify";
import { GraphQLScalarType } from "graphql";
import Redis from "ioredis";
import mercurius from "mercurius";
import pg from "pg";

const { DATABASE_URL, OHLCV_DATABASE_URL, REDIS_URL, JWT_SECRET_KEY, POOL_SIZE, PORT } = process.env;
const database = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) });
const candleDatabase = new pg.Pool({ connectionString: OHLCV_DATABASE_URL, max: Number(POOL_SIZE) });
const redis = new Redis(new URL(REDIS_URL).pathname);

const schema = `
  scalar DateTime
  enum OrderSide { BUY SELL }
  enum Timeframe { M1 }
  type User { uid: Int! mail: String! }
  type Bot {
    botId: Int! uid: Int! name: String! active: Boolean! dryRun: Boolean! timestamp: DateTime!
    user: User! orders(first: Int = 50): OrderConnection!
  }
  type BotConnection { nodes: [Bot!]! }
  type Order {
    orderId: Int! botId: Int! symbol: String! side: OrderSide! volume: Float! price: Float status: String!
    timestamp: DateTime! bot: Bot instrument: Symbol
  }
  type OrderConnection { nodes: [Order!]! }
  type Symbol { symbolId: Int! symbol: String! base: String! decimals: Int! ticker: Ticker }
  type Ticker { price: Float! bid: Float ask: Float }
  type Candle { time: DateTime! open: Float! high: Float! low: Float! close: Float! volume: Float! }
  type CandleColumns {
    length: Int! time: [Float!]! open: [Float!]! high: [Float!]! low: [Float!]! close: [Float!]! volume: [Float!]!
  }
  type Query {
    me: User!
    bot(botId: Int!): Bot
    bots(first: Int = 50): BotConnection!
    orders(first: Int = 50): OrderConnection!
    candles(exchange: String!, symbol: String!, timeframe: Timeframe!, last: Int!): [Candle!]!
    candleColumns(exchange: String!, symbol: String!, timeframe: Timeframe!, last: Int!): CandleColumns!
  }
`;

const BOT = 'bot_id "botId", uid, name, active, dry_run "dryRun", timestamp';
const ORDER =
  'order_id "orderId", bot_id "botId", cat_ex_id "catExId", symbol, upper(side) side, volume, price, status, timestamp';

// Named statements are prepared once per connection.
const rows = async (pool, name, text, values) => (await pool.query({ name, text, values })).rows;

function candles({ exchange, symbol, last }) {
  const table = pg.escapeIdentifier(`${symbol.replace(/[/:-]/g, "_").toLowerCase()}_candles1m`);
  const text = `SELECT * FROM (
      SELECT timestamp AS time, open, high, low, close, vol AS volume
      FROM ${pg.escapeIdentifier(exchange)}.${table} ORDER BY timestamp DESC LIMIT $1
    ) newest ORDER BY time`;
  return rows(candleDatabase, `candles ${table}`, text, [last]);
}

function columns(bars) {
  const pick = (name) => bars.map((bar) => bar[name]);
  return {
    length: bars.length,
    time: bars.map((bar) => bar.time.getTime()),
    open: pick("open"),
    high: pick("high"),
    low: pick("low"),
    close: pick("close"),
    volume: pick("volume"),
  };
}

const resolvers = {
  DateTime: new GraphQLScalarType({ name: "DateTime", serialize: (value) => value.toISOString() }),
  Query: {
    async me(_, __, { uid }) {
      return (await rows(database, "me", "SELECT uid, mail FROM users WHERE uid = $1", [uid]))[0];
    },
    async bot(_, { botId }, { uid }) {
      const text = `SELECT ${BOT} FROM bots WHERE bot_id = $1 AND uid = $2`;
      return (await rows(database, "bot", text, [botId, uid]))[0];
    },
    async bots(_, { first }, { uid }) {
      const text = `SELECT ${BOT} FROM bots WHERE uid = $1 ORDER BY bot_id LIMIT $2`;
      return { nodes: await rows(database, "bots", text, [uid, first]) };
    },
    async orders(_, { first }, { uid }) {
      const text = `SELECT ${ORDER} FROM orders WHERE uid = $1 ORDER BY order_id LIMIT $2`;
      return { nodes: await rows(database, "orders", text, [uid, first]) };
    },
    candles: (_, args) => candles(args),
    candleColumns: async (_, args) => columns(await candles(args)),
  },
};

const by = (found, key) => new Map(found.map((row) => [row[key], row]));

const loaders = {
  Bot: {
    async user(queries) {
      const uids = queries.map(({ obj }) => obj.uid);
      const found = by(await rows(database, "users", "SELECT uid, mail FROM users WHERE uid = ANY($1)", [uids]), "uid");
      return uids.map((uid) => found.get(uid));
    },
    async orders(queries, { uid }) {
      const text = `SELECT page.* FROM unnest($1::int[]) AS wanted(id), LATERAL (
          SELECT ${ORDER} FROM orders WHERE bot_id = wanted.id AND uid = $2 ORDER BY order_id LIMIT $3
        ) page`;
      const ids = queries.map(({ obj }) => obj.botId);
      const found = await rows(database, "orders of bots", text, [ids, uid, queries[0].params.first]);
      const pages = Map.groupBy(found, (row) => row.botId);
      return ids.map((id) => ({ nodes: pages.get(id) ?? [] }));
    },
  },
  Order: {
    async bot(queries, { uid }) {
      const ids = queries.map(({ obj }) => obj.botId);
      const text = `SELECT ${BOT} FROM bots WHERE bot_id = ANY($1) AND uid = $2`;
      const found = by(await rows(database, "bots of orders", text, [ids, uid]), "botId");
      return ids.map((id) => found.get(id) ?? null);
    },
    async instrument(queries) {
      const key = (row) => `${row.catExId} ${row.symbol}`;
      const text = `SELECT symbol_id "symbolId", symbol, base, decimals, cat_ex_id "catExId", e.name exchange
        FROM symbols JOIN cat_exchanges e USING (cat_ex_id)
        WHERE (symbol, cat_ex_id) IN (SELECT * FROM unnest($1::text[], $2::int[]))`;
      const wanted = [...new Map(queries.map(({ obj }) => [key(obj), obj])).values()];
      const values = [wanted.map((row) => row.symbol), wanted.map((row) => row.catExId)];
      const found = new Map((await rows(database, "instruments", text, values)).map((row) => [key(row), row]));
      return queries.map(({ obj }) => found.get(key(obj)) ?? null);
    },
  },
  Symbol: {
    async ticker(queries) {
      const pipeline = redis.pipeline();
      for (const { obj } of queries) pipeline.hget(`tickers:${obj.exchange}`, obj.symbol);
      return (await pipeline.exec()).map(([, text]) => text && JSON.parse(text));
    },
  },
};

const app = Fastify();
app.register(fastifyJwt, {
  secret: JWT_SECRET_KEY,
  verify: { algorithms: ["HS256"], allowedIss: "fullon", allowedAud: "fullon-graphql", cache: true },
});
app.register(mercurius, {
  schema,
  resolvers,
  loaders,
  jit: 1,
  context: async (request) => ({ uid: (await request.jwtVerify()).user_id }),
});
await app.listen({ host: "127.0.0.1", port: Number(PORT) });
