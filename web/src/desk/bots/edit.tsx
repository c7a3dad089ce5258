import { useState } from "react";
import type { StrategyFieldsFragment } from "../../gql/graphql";
import { Change } from "../Change";
import { UpdateBot, UpdateStrategy } from "./documents";

interface Bot {
  botId: number;
  name: string;
  dryRun: boolean;
}

export function EditBot({ bot, onClose }: { bot: Bot; onClose(): void }) {
  const [name, setName] = useState(bot.name);
  const [dryRun, setDryRun] = useState(bot.dryRun);
  return (
    <Change
      title={`Edit ${bot.name}`}
      confirm="Save"
      mutation={UpdateBot}
      input={{ input: { botId: bot.botId, name, dryRun } }}
      before={{ name: bot.name, "dry run": bot.dryRun }}
      after={({ updateBot }) => ({ name: updateBot.name, "dry run": updateBot.dryRun })}
      onClose={onClose}
    >
      <label>
        Name
        <input value={name} onChange={(event) => setName(event.target.value)} required />
      </label>
      <label className="check">
        <input type="checkbox" checked={dryRun} onChange={(event) => setDryRun(event.target.checked)} />
        Dry run: it calculates, and places no orders
      </label>
    </Change>
  );
}

const NUMBERS = {
  takeProfit: "take profit, %",
  stopLoss: "stop loss, %",
  trailingStop: "trailing stop, %",
  sizePct: "size, % of the account",
  leverage: "leverage",
} as const;

type Numbers = Record<keyof typeof NUMBERS, number | null>;

const shown = (strategy: Numbers) =>
  Object.fromEntries(Object.entries(NUMBERS).map(([name, label]) => [label, strategy[name as keyof Numbers]]));

export function EditStrategy({ strategy, onClose }: { strategy: StrategyFieldsFragment; onClose(): void }) {
  const [numbers, setNumbers] = useState<Numbers>(strategy);
  const { takeProfit, stopLoss, trailingStop, sizePct, leverage } = numbers;
  return (
    <Change
      title={`Edit ${strategy.catalog.name}`}
      confirm="Save"
      mutation={UpdateStrategy}
      input={{ input: { strId: strategy.strId, takeProfit, stopLoss, trailingStop, sizePct, leverage: leverage ?? undefined } }}
      before={shown(strategy)}
      after={({ updateStrategy }) => shown(updateStrategy)}
      onClose={onClose}
    >
      <div className="pair">
        {Object.entries(NUMBERS).map(([name, label]) => (
          <label key={name}>
            {label}
            <input
              type="number"
              step="any"
              value={numbers[name as keyof Numbers] ?? ""}
              onChange={({ target: { value } }) => setNumbers({ ...numbers, [name]: value === "" ? null : Number(value) })}
            />
          </label>
        ))}
      </div>
    </Change>
  );
}
