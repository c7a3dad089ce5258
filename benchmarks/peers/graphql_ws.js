// graphql-ws as its guide has it: a schema of graphql-js, `ws`, one Redis connection for all, one execution per client.
import { createServer } from 'node:http'
import { GraphQLFloat, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { Redis } from 'ioredis'
import jwt from 'jsonwebtoken'
import { WebSocketServer } from 'ws'

const redis = new Redis(process.env.REDIS_URL.replace(/^unix:\/\//, '').replace(/\?.*/, ''))
const subscriber = redis.duplicate()
const listeners = new Map()

subscriber.on('message', (channel, message) => {
  const event = JSON.parse(message) // parsed once for all clients
  for (const push of listeners.get(channel) ?? []) push(event)
})

async function* tickers(channel, first) {
  const waiting = []
  let wake
  const push = (event) => {
    waiting.push(event)
    wake?.()
  }
  if (!listeners.has(channel)) {
    listeners.set(channel, new Set())
    await subscriber.subscribe(channel)
  }
  listeners.get(channel).add(push)
  try {
    const known = await first()
    if (known) yield JSON.parse(known)
    for (;;) {
      while (waiting.length) yield waiting.shift()
      await new Promise((resolve) => (wake = resolve))
    }
  } finally {
    listeners.get(channel).delete(push)
  }
}

const number = { type: GraphQLFloat }
const Ticker = new GraphQLObjectType({
  name: 'Ticker',
  fields: { symbol: { type: GraphQLString }, price: number, volume: number, bid: number, ask: number },
})
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      ticker: {
        type: Ticker,
        args: {
          exchange: { type: new GraphQLNonNull(GraphQLString) },
          symbol: { type: new GraphQLNonNull(GraphQLString) },
        },
        subscribe: (_, { exchange, symbol }) =>
          tickers(`ticker_updates:${exchange}:${symbol}`, () => redis.hget(`tickers:${exchange}`, symbol)),
        resolve: (event) => event,
      },
    },
  }),
})

const server = createServer()
useServer(
  {
    schema,
    onConnect: ({ connectionParams }) => {
      const token = connectionParams.authorization.replace('Bearer ', '')
      jwt.verify(token, process.env.JWT_SECRET_KEY, { algorithms: ['HS256'], audience: 'fullon-graphql', issuer: 'fullon' })
    },
  },
  new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false }),
)
server.listen(Number(process.env.PORT), '127.0.0.1')
