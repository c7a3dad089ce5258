import type { RuleFieldsFragment } from "../../gql/graphql";
import { age, fixed, price } from "../format";

type Rule = Omit<RuleFieldsFragment, "id" | "ruleId" | "name" | "active" | "lastFiredAt">;

/** The condition of a rule in words. */
export function inWords({ condition, exchange, symbol, direction, threshold, windowSeconds, service, statuses, bot }: Rule): string {
  const instrument = `${symbol} on ${exchange}`;
  switch (condition) {
    case "PRICE_CROSSES":
      return `${instrument} ${{ ABOVE: "rises to", BELOW: "falls to", ANY: "crosses" }[direction]} ${price(threshold)}`;
    case "CHANGE_PERCENT":
      return `${instrument} ${{ ABOVE: "rises", BELOW: "falls", ANY: "changes" }[direction]} by ${fixed(threshold, 1)} % within ${age(windowSeconds ?? 0)}`;
    case "FEED_STALE":
      return `the ticker of ${instrument} is older than ${fixed(threshold, 0)} s`;
    case "SERVICE_FAILED":
      return service ? `the service ${service.toLowerCase()} fails` : "a service fails";
    case "DRAWDOWN":
      return `the drawdown of ${bot?.name ?? "a deleted bot"} reaches ${fixed(threshold, 1)} %`;
    case "ORDER_STATE":
      return `an order ${bot ? `of ${bot.name} ` : ""}becomes ${statuses.join(" or ").replaceAll("_", " ")}`;
  }
}
