import { useSubscription } from "@apollo/client/react";
import { BotStates, TradingStateUpdates } from "./documents";

/** The halts of trading in force, live. With each of their changes the cache learns which bots are on. */
export function useTradingState() {
  const { data, error } = useSubscription(TradingStateUpdates, {
    onData: ({ client }) => void client.query({ query: BotStates, fetchPolicy: "network-only" }).catch(() => undefined),
  });
  const halts = data?.tradingState.halts ?? [];
  return {
    known: Boolean(data),
    error,
    halted: data?.tradingState.halted ?? false,
    halts,
    /** True if a halt has switched off the bot. */
    hasHalted: (botId: number) => halts.some(({ botIds }) => botIds.includes(botId)),
  };
}

export type TradingState = ReturnType<typeof useTradingState>;
