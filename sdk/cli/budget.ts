import { InvalidArgumentError } from "commander";
import type { LearnPrecisionOptions } from "../index.js";

const LIMITS = {
  "average-bits": "averageBits",
  "model-size": "modelSize",
  memory: "memory",
  "bit-operations": "bitOperations",
} as const;

const USAGE = `Expected limits such as average-bits=2 or model-size=16x, joined by commas; there are ${Object.keys(LIMITS).join(", ")}.`;

/**
 * A budget as it is written on the command line.
 *
 * @throws InvalidArgumentError for anything else.
 * @example
 * parseBudget("average-bits=2,model-size=16x"); // { averageBits: 2, modelSize: "16x" }
 */
export function parseBudget(text: string): NonNullable<LearnPrecisionOptions["budget"]> {
  const entries = text.split(",").map((part): [string, number | string] => {
    const [, name = "", number = "", factor] = /^\s*([a-z-]+)=(\d+(?:\.\d+)?)(x?)\s*$/.exec(part) ?? [];
    const key = LIMITS[name as keyof typeof LIMITS];
    if (!key || Number(number) === 0 || (factor && key === "averageBits"))
      throw new InvalidArgumentError(USAGE);
    return [key, factor ? `${number}x` : Number(number)];
  });
  const names = entries.map(([key]) => key);
  if (new Set(names).size < names.length) throw new InvalidArgumentError(`${USAGE} Give each once.`);
  return Object.fromEntries(entries);
}
