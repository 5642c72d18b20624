import type { Choices } from "../graph/budget.js";
import type { Sensitivity } from "../train/sensitivity.js";

/**
 * What a table of sensitivity lets a rounding decide: at every node one bit up or down among its choices, at the loss that was
 * measured. A bit more is taken never to harm and a bit less never to help: what says otherwise is noise, or a network that
 * has adapted to its bits.
 */
export function measuredAim(
  { rows }: Sensitivity,
  choices: Choices,
): { choices: Choices; cost: (id: string, bits: number) => number } {
  const own = new Map(rows.map((row) => [row.node, row]));
  return {
    choices: Object.fromEntries(
      Object.entries(choices).map(([id, list]) => [
        id,
        list.filter((bits) => Math.abs(bits - own.get(id)!.bits) <= 1),
      ]),
    ),
    cost: (id: string, bits: number): number => {
      const row = own.get(id)!;
      const gained = Math.max(0, -(row.up?.loss ?? 0));
      if (bits > row.bits) return 0;
      return bits === row.bits ? gained : gained + Math.max(0, row.down!.loss);
    },
  };
}
