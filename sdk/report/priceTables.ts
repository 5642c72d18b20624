import { asText, type Column, table } from "../table.js";
import type { Exchange, Price, Prices, Rate, Swap } from "../train/prices.js";

const rate = (title: string, of: (row: Exchange) => Rate | undefined): Column<Exchange>[] => [
  { title, value: (row) => of(row)?.rate.toPrecision(3) },
  { title: "at", value: (row) => of(row)?.node },
];

const EXCHANGE: readonly Column<Exchange>[] = [
  { title: "limit", value: ({ limit }) => limit },
  { title: "unit", value: ({ unit }) => unit },
  { title: "used", value: ({ used }) => used },
  { title: "allowed", value: ({ allowed }) => allowed },
  { title: "binding", value: ({ binding }) => (binding ? "yes" : "no") },
  ...rate("one more earns (nat)", ({ buys }) => buys),
  ...rate("one less loses (nat)", ({ sells }) => sells),
];

const SWAPS: readonly Column<Swap>[] = [
  { title: "take a bit from", value: ({ from }) => from },
  { title: "give it to", value: ({ to }) => to },
  { title: "gain", unit: "nat", digits: 4, value: ({ gain }) => gain },
  { title: "±", digits: 4, value: ({ error }) => error },
  { title: "model", unit: "B", digits: 0, value: ({ bytes }) => bytes },
  { title: "bit operations", value: ({ bitOperations }) => bitOperations },
];

const PRICES: readonly Column<Price>[] = [
  { title: "one more bit at", value: ({ node }) => node },
  { title: "bits", value: ({ bits }) => bits },
  { title: "codes", unit: "B", digits: 0, value: ({ bytes }) => bytes },
  { title: "peak memory", unit: "B", digits: 0, value: ({ memoryBytes }) => memoryBytes },
  { title: "bit operations", value: ({ bitOperations }) => bitOperations },
  { title: "worth", unit: "nat", digits: 4, value: ({ worth }) => worth },
  { title: "±", digits: 4, value: ({ error }) => error },
  { title: "nat per KB", digits: 4, value: ({ perKilobyte }) => perKilobyte },
];

/** How many swaps are printed. */
const SHOWN = 10;

/** Prices as tables of text: swaps that would pay first, then limits, then nodes. What is empty is left out. */
export function describePrices({ swaps, exchange, rows }: Prices): string {
  const tables = [table(swaps.slice(0, SHOWN), SWAPS), table(exchange, EXCHANGE), table(rows, PRICES)];
  return tables
    .filter((part) => part.rows.length > 0)
    .map((part) => asText(part))
    .join("\n\n");
}
