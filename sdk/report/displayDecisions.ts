import type { MimeBundle } from "../display.js";
import { asHtml, asText, type Table, table } from "../table.js";
import type { Assignment } from "../train/policy.js";
import type { Score } from "../train/run.js";

/** A table as text and as HTML. */
export function tableBundle(shown: Table): MimeBundle {
  return {
    "text/plain": asText(shown),
    "text/html": `<div style="max-height:36em;overflow:auto">${asHtml(shown)}</div>`,
  };
}

/** Whether `value` is loss, accuracy and count, and nothing else. */
export function isScore(value: object): boolean {
  return hasOnly(value, ["loss", "accuracy", "count"]) && Object.values(value).every(Number.isFinite);
}

export function scoreBundle({ loss, accuracy, count }: Score): MimeBundle {
  const error = Math.sqrt((accuracy * (1 - accuracy)) / count);
  return tableBundle(
    table(
      [0],
      [
        {
          title: "accuracy",
          unit: "%",
          value: () => `${(100 * accuracy).toFixed(2)} ± ${(100 * error).toFixed(2)}`,
        },
        { title: "loss", unit: "nat", digits: 4, value: () => loss },
        { title: "examples", value: () => count },
      ],
    ),
  );
}

/** Whether `value` gives a scheme and a bitwidth, and nothing else, to each of one or more names. */
export function isAssignment(value: object): boolean {
  const entries = Object.values(value);
  return (
    entries.length > 0 &&
    entries.every(
      (entry) =>
        typeof entry === "object" &&
        entry !== null &&
        hasOnly(entry, ["scheme", "bits"]) &&
        typeof entry.scheme === "string" &&
        typeof entry.bits === "number",
    )
  );
}

export function assignmentBundle(assignment: Assignment): MimeBundle {
  return tableBundle(assignmentTable(assignment));
}

/** One line per node; with the real bitwidths before rounding where they are given. */
export function assignmentTable(
  assignment: Assignment,
  learned: Readonly<Record<string, number>> = {},
): Table {
  const rows = Object.entries(assignment).map(([id, { scheme, bits }]) => ({
    id,
    scheme,
    bits,
    real: learned[id],
  }));
  return table<(typeof rows)[number]>(rows, [
    { title: "node", value: ({ id }) => id },
    { title: "scheme", value: ({ scheme }) => scheme },
    { title: "bits", value: ({ bits }) => bits },
    ...(rows.some(({ real }) => real !== undefined)
      ? [{ title: "learned b", digits: 2, value: ({ real }: { real: number | undefined }) => real }]
      : []),
  ]);
}

function hasOnly(value: object, keys: readonly string[]): boolean {
  const own = Object.keys(value);
  return own.length === keys.length && keys.every((key) => own.includes(key));
}
