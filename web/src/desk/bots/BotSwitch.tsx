import { Change } from "../Change";
import { UpdateBot } from "./documents";

/** Starts a stopped bot, stops a running one. */
export function BotSwitch({ bot, onClose }: { bot: { botId: number; name: string; active: boolean }; onClose(): void }) {
  const verb = bot.active ? "Stop" : "Start";
  return (
    <Change
      title={`${verb} ${bot.name}`}
      confirm={verb}
      mutation={UpdateBot}
      input={{ input: { botId: bot.botId, active: !bot.active } }}
      before={{ running: bot.active }}
      after={({ updateBot }) => ({ running: updateBot.active })}
      onClose={onClose}
    >
      <p className="muted">
        {bot.active ? "It places no more orders. What is open on the exchange stays open." : "It places orders from now on."}
      </p>
    </Change>
  );
}
