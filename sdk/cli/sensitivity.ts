import type { Command } from "commander";
import type { AutoqnnOptions, LearnPrecisionOptions, SensitivityTable, tf } from "../index.js";
import { readData } from "./data.js";

/** What may be asked about sensitivity. */
export interface SensitivityAsked {
  readonly sensitivity?: true;
  readonly data?: string;
  readonly budget?: NonNullable<LearnPrecisionOptions["budget"]>;
  readonly examples?: number;
}

/** Ends the command with wrong usage where what is asked does not go together. */
export function checkAsked({ sensitivity, ...how }: SensitivityAsked, command: Command): void {
  const [given] = Object.keys(how);
  if (sensitivity && how.data === undefined)
    command.error("error: option '--sensitivity' needs '--data <name>', on which it is measured");
  if (!sensitivity && given !== undefined)
    command.error(`error: option '--${given}' needs '--sensitivity', which it is for`);
}

/**
 * What a bit at each node is worth to a network that nothing was trained for: clip everywhere, at bitwidths that are as equal
 * as the budget lets them be.
 */
export async function sensitivityOf(
  model: tf.LayersModel,
  { data: name, budget = { averageBits: 4 }, examples }: SensitivityAsked & { readonly data: string },
  edges: Pick<AutoqnnOptions, "recurrentState" | "attentionProducts">,
): Promise<SensitivityTable> {
  const { autoqnn } = await import("../index.js");
  const data = await readData(name, model.inputs[0]?.shape ?? []);
  const equal = await autoqnn(model, { ...edges, data })
    .learnPrecision({ budget, roundings: ["control"] })
    .run();
  return equal.sensitivity({ ...(examples !== undefined && { examples }) });
}
