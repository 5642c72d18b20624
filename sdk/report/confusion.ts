import { AutoqnnError } from "../errors.js";
import { type Table, table } from "../table.js";
import type { Figure } from "./panels.js";
import { axis, layout, SEQUENTIAL } from "./style.js";

/** How often each class was taken for each: `counts[truth][prediction]`, examples. */
export interface Confusion {
  readonly counts: readonly (readonly number[])[];
  /** Names of the classes, in order. */
  readonly classes: readonly string[];
}

/** With more classes there is no room for numbers. */
const NUMBERED = 25;

/**
 * A confusion matrix: a row for each true class, a column for each predicted one. The colour is the share of the true class
 * in percent, the number in a cell the count of examples.
 *
 * Throws AutoqnnError `bad-option` unless there is a row and a column for each class.
 *
 * @example
 * const { data, layout } = confusionMatrix(await quantized.confusion(data.test), "Quantized");
 */
export function confusionMatrix(confusion: Confusion, title = "Confusion matrix"): Figure {
  check(confusion);
  const { counts, classes } = confusion;
  const rates = counts.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count) => (total === 0 ? 0 : (100 * count) / total));
  });
  const numbered = classes.length <= NUMBERED;
  const side = Math.max(420, Math.min(900, 30 * classes.length + 220));
  const category = { type: "category", categoryorder: "array", categoryarray: classes, showgrid: false };
  const heat = {
    type: "heatmap",
    x: classes,
    y: classes,
    z: rates,
    zmin: 0,
    zmax: 100,
    text: counts,
    ...(numbered && { texttemplate: "%{text}", textfont: { size: 11 } }),
    colorscale: SEQUENTIAL,
    colorbar: { title: { text: "share of the true class (%)", side: "right" }, thickness: 14 },
    hovertemplate: "%{y} taken for %{x}: %{text} examples, %{z:.1f} %<extra></extra>",
  };
  return {
    data: [heat],
    layout: layout(title, side, {
      width: side + 120,
      xaxis: axis("predicted class", { ...category, tickangle: -40 }),
      yaxis: axis("true class", { ...category, autorange: "reversed" }),
      margin: { l: 60, r: 20, t: 48, b: 56 },
    }),
  };
}

/** The same in numbers, per class: examples, the share that was found, the share of its predictions that was right, and what it was taken for most. */
export function confusionTable(confusion: Confusion): Table {
  check(confusion);
  const { counts, classes } = confusion;
  const rows = classes.map((name, truth) => {
    const own = counts[truth]!;
    const examples = own.reduce((sum, count) => sum + count, 0);
    const predicted = counts.reduce((sum, row) => sum + row[truth]!, 0);
    const others = own.map((count, other) => (other === truth ? 0 : count));
    const most = Math.max(0, ...others);
    const share = (of: number): number | undefined => (of === 0 ? undefined : (100 * own[truth]!) / of);
    return {
      ...{ name, examples, recall: share(examples), precision: share(predicted), most },
      other: most > 0 ? classes[others.indexOf(most)] : undefined,
    };
  });
  return table(rows, [
    { title: "class", value: ({ name }) => name },
    { title: "examples", value: ({ examples }) => examples },
    { title: "recall", unit: "%", digits: 1, value: ({ recall }) => recall },
    { title: "precision", unit: "%", digits: 1, value: ({ precision }) => precision },
    { title: "taken most for", value: ({ other }) => other },
    { title: "so often", value: ({ most }) => most },
  ]);
}

function check({ counts, classes }: Confusion): void {
  const square = counts.length === classes.length && counts.every((row) => row.length === classes.length);
  if (square && new Set(classes).size === classes.length) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a row and a column of counts for each of ${classes.length} different classes, received rows of ${counts.map((row) => row.length).join(", ")}.`,
    "Name every class once, in the order of the model's outputs.",
  );
}
