import type { z } from "zod";
import type { Budget } from "./graph/budget.js";
import { checked, MeasureOptions } from "./options.js";
import { describePrices } from "./report/priceTables.js";
import { describeSensitivity } from "./report/sensitivityTable.js";
import { type Prices, shadowPrices } from "./train/prices.js";
import type { StageRun } from "./train/run.js";
import { measureSensitivity, type Sensitivity } from "./train/sensitivity.js";
import type { Workbench } from "./train/workbench.js";

export type SensitivityOptions = z.input<typeof MeasureOptions>;

/** A sensitivity table that prints itself, and gives the prices that follow from it. */
export interface SensitivityTable extends Sensitivity {
  /** Shadow prices under a budget; by default under that of the stage that learned the bitwidths. See `shadowPrices`. */
  prices(budget?: Budget): Prices & { toString(): string };
  toString(): string;
}

/** Measures the sensitivity of what a stage ended with. */
export async function sensitivityOf(
  bench: Workbench,
  run: StageRun,
  given: SensitivityOptions | undefined,
): Promise<SensitivityTable> {
  const options = checked(MeasureOptions, given, "sensitivity");
  const sensitivity = await measureSensitivity(bench, run.snapshot, run.assignment, options);
  return withMethods(sensitivity, {
    prices: (budget: Budget | undefined = budgetOf(run)) => {
      const prices = shadowPrices(bench.graph, sensitivity, budget);
      return withMethods(prices, { toString: () => describePrices(prices) });
    },
    toString: () => describeSensitivity(sensitivity),
  });
}

/** The budget of the last stage that had one. */
function budgetOf({ options, parent }: StageRun): Budget | undefined {
  return (options.budget as Budget | undefined) ?? (parent && budgetOf(parent));
}

/** Values with methods that are not enumerable: the values stay plain data. */
function withMethods<T extends object, M extends object>(values: T, methods: M): T & M {
  const properties = Object.entries(methods).map(([key, value]) => [key, { value, enumerable: false }]);
  return Object.freeze(Object.defineProperties({ ...values }, Object.fromEntries(properties))) as T & M;
}
