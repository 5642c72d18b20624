import { asHtml, asText, escapeHtml } from "../table.js";
import type { LearnRun } from "../train/run.js";
import { figuresOf, isLearn, type Report, resultTable, type Section, tablesOf } from "./contents.js";
import { drawing, page } from "./page.js";
import { type Described, summaryText } from "./summary.js";

/**
 * The report of a quantized network as one HTML file that needs no other: result, nodes, staircases over the histograms of
 * the weights, theta and bitwidths over time.
 *
 * @example
 * await writeFile("report.html", htmlReport({ title: "ResNet8", floating, quantized, model, runs }));
 */
export function htmlReport(report: Report): string {
  const { title, model, runs, notes = [] } = report;
  const figures = figuresOf(report);
  const drawings = figures.map(({ figure }, i) => drawing(figure, i));
  const drawn = (section: Section): string =>
    figures.map((figure, i) => (figure.section === section ? drawings[i]! : "")).join("\n");
  const learned = runs.findLast(isLearn);
  const tables = tablesOf(report);
  const told = (name: string): string => (tables[name] ? asHtml(tables[name]) : "");
  return page(
    title,
    notes,
    `<section><h2>Result</h2>
${told("result")}
<p>Accuracy and loss on ${report.quantized.count.toLocaleString("en-US")} examples, ± one standard error of the sample. 1 KB = 1000 bytes.</p>
${drawn("result")}
${told("confusion")}
${learned ? `<h3>Rounding of the learned bitwidths</h3>\n<p>${escapeHtml(verdict(learned))}</p>\n${told("rounding")}` : ""}
</section>
<section><h2>Bitwidths and schemes</h2>
${drawn("nodes")}
${told("nodes")}
<details><summary>Stages</summary>${told("stages")}</details>
<details><summary>Sizes</summary>${told("sizes")}</details>
<details><summary>Left in floating point: ${model.leftAlone.length}</summary>${told("left-alone")}</details>
<details><summary>${normalizationLine(model)}</summary>${told("batch-normalizations")}</details>
</section>
<section><h2>Staircases</h2>
${drawn("staircases")}
</section>
<section><h2>Training</h2>
${drawn("training")}
</section>
<section><h2>Origin</h2>
<details><summary>Options and scores of every stage</summary><pre>${escapeHtml(JSON.stringify(model.provenance, undefined, 2))}</pre></details>
</section>`,
  );
}

function normalizationLine({ batchNormalizations }: Described): string {
  const folded = batchNormalizations.filter((outcome) => "into" in outcome).length;
  return `Batch normalizations: ${folded} folded, ${batchNormalizations.length - folded} kept`;
}

/**
 * The report in text, for a terminal: FP32 against quantized, then the model's own summary.
 *
 * @example
 * console.log(textReport({ title: "ResNet8", floating, quantized, model, runs }));
 */
export function textReport(report: Report): string {
  return `${report.title}\n\n${asText(resultTable(report))}\n\n${summaryText(report.model)}`;
}

function verdict({ chosen, arms }: LearnRun): string {
  if (chosen === "control") {
    return "The control won: bitwidths found without learning had the least validation loss, and were taken.";
  }
  const control = arms.find(({ name }) => name === "control")?.validation?.loss;
  const won = arms.find(({ name }) => name === chosen)?.validation?.loss;
  const margin =
    control !== undefined && won !== undefined
      ? `, by ${(control - won).toFixed(4)} nat of validation loss`
      : "";
  return `The learned bitwidths won (${chosen}): they beat the control, which ignores what was learned${margin}.`;
}
