import { asText, type Column, type Table, table } from "../table.js";
import type { Exchange, Price, Prices, Rate, Swap } from "./prices.js";
import type { LossChange, Sensitivity, SensitivityRow } from "./sensitivity.js";

const change = (
  title: string,
  of: (row: SensitivityRow) => LossChange | undefined,
): Column<SensitivityRow>[] => [
  { title, unit: "nats", digits: 4, value: (row) => of(row)?.loss },
  { title: "+-", digits: 4, value: (row) => of(row)?.error },
];

const SENSITIVITY: readonly Column<SensitivityRow>[] = [
  { title: "node", value: ({ node }) => node },
  { title: "scheme", value: ({ scheme }) => scheme },
  { title: "bits", value: ({ bits }) => bits },
  ...change("one bit more", ({ up }) => up),
  ...change("one bit less", ({ down }) => down),
];

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
  ...rate("one more earns (nats)", ({ buys }) => buys),
  ...rate("one less loses (nats)", ({ sells }) => sells),
];

const SWAPS: readonly Column<Swap>[] = [
  { title: "take a bit from", value: ({ from }) => from },
  { title: "give it to", value: ({ to }) => to },
  { title: "gain", unit: "nats", digits: 4, value: ({ gain }) => gain },
  { title: "+-", digits: 4, value: ({ error }) => error },
  { title: "model", unit: "B", digits: 0, value: ({ bytes }) => bytes },
  { title: "bit operations", value: ({ bitOperations }) => bitOperations },
];

const PRICES: readonly Column<Price>[] = [
  { title: "one more bit at", value: ({ node }) => node },
  { title: "bits", value: ({ bits }) => bits },
  { title: "codes", unit: "B", digits: 0, value: ({ bytes }) => bytes },
  { title: "peak memory", unit: "B", digits: 0, value: ({ memoryBytes }) => memoryBytes },
  { title: "bit operations", value: ({ bitOperations }) => bitOperations },
  { title: "worth", unit: "nats", digits: 4, value: ({ worth }) => worth },
  { title: "+-", digits: 4, value: ({ error }) => error },
  { title: "nats per KB", digits: 4, value: ({ perKilobyte }) => perKilobyte },
];

/** How many swaps are printed. */
const SHOWN = 10;

/** A sensitivity table, ready to be printed. */
export const sensitivityTable = ({ rows }: Sensitivity): Table => table(rows, SENSITIVITY);

/** Prices as tables: swaps that would pay first, then limits, then nodes. What is empty is left out. */
export function priceTables({ swaps, exchange, rows }: Prices): Table[] {
  const tables = [table(swaps.slice(0, SHOWN), SWAPS), table(exchange, EXCHANGE), table(rows, PRICES)];
  return tables.filter((part) => part.rows.length > 0);
}

/** A sensitivity table as text. */
export function describeSensitivity(sensitivity: Sensitivity): string {
  const { loss, accuracy, examples, labels } = sensitivity;
  const against = labels === "soft" ? "the floating-point network's labels" : "the labels of the data";
  const percent = (100 * accuracy).toFixed(2);
  return [
    `Sensitivity on ${examples} held-out examples, against ${against}: loss ${loss.toFixed(4)}, ${percent} % alike`,
    asText(sensitivityTable(sensitivity)),
  ].join("\n");
}

/** Prices as text. */
export const describePrices = (prices: Prices): string =>
  priceTables(prices)
    .map((part) => asText(part))
    .join("\n\n");
