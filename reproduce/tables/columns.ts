import type { Cell, Column } from "../../sdk/table.js";
import type { Outcome } from "../experiment.js";
import { accuracy, type Group, kilobytes, memoryKilobytes, overSeeds } from "./group.js";

/** The columns that several tables over groups have, each said once. */

/** A cell, with a dash for what is not there yet. */
export const shown = (value: Cell): Cell => value ?? "-";

/** How a column is headed and printed, and the number of an outcome that it is about. */
type Shape = Omit<Column<Group>, "value">;
type Value = (outcome: Outcome) => number | undefined;

/** The mean of a number over seeds, without its spread. */
export const mean = (shape: Shape, value: Value): Column<Group> => ({
  ...shape,
  value: (group) => shown(overSeeds(group, value)?.mean),
});

/** The standard deviation of a number over seeds; a dash for one seed, which has none. */
export const deviation = (shape: Omit<Shape, "title">, value: Value): Column<Group> => ({
  ...{ title: "deviation", ...shape },
  value: (group) => {
    const found = overSeeds(group, value);
    return shown(found && found.count > 1 ? found.deviation : undefined);
  },
});

export const METHOD: Column<Group> = { title: "method", value: ({ method }) => method };

/** Of how many seeds a row is. */
export const SEEDS: Column<Group> = {
  title: "seeds",
  value: ({ outcomes, asked }) => `${outcomes.length} of ${asked}`,
};

/** Average bits of weights, and of the values of inputs. */
export const BITS: readonly Column<Group>[] = [
  mean({ title: "weights", unit: "bit", digits: 2 }, ({ averageBits }) => averageBits.weights),
  mean({ title: "inputs", unit: "bit", digits: 2 }, ({ averageBits }) => averageBits.activations),
];

export const SIZE = mean({ title: "size", unit: "KB", digits: 2 }, kilobytes);
export const MEMORY = mean({ title: "memory", unit: "KB", digits: 2 }, memoryKilobytes);

/** Test accuracy over seeds, how much it differs between them, and of how many it was taken. */
export const ACCURACY: readonly Column<Group>[] = [
  mean({ title: "test accuracy", unit: "%", digits: 2 }, accuracy),
  deviation({ unit: "points", digits: 2 }, accuracy),
  SEEDS,
];

export const VALIDATION_LOSS = mean(
  { title: "validation loss", unit: "nat", digits: 4 },
  ({ validation }) => validation.loss,
);
