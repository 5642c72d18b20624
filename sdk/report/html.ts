import { dividedByChannel } from "../staircase/channels.js";
import { asHtml, asText, escapeHtml, type Table, table } from "../table.js";
import type { AnyRun, LearnRun, Score, SearchRun } from "../train/run.js";
import {
  bitsOverTime,
  bitsPerNode,
  type Figure,
  lossOverTime,
  staircases,
  thetaOverTime,
} from "./figures.js";
import { drawing, page } from "./page.js";
import {
  type Described,
  leftAloneTable,
  nodeTable,
  normalizationTable,
  sizeTable,
  summaryText,
} from "./summary.js";

/** What a report is about. */
export interface Report {
  readonly title: string;
  /** Of the network before quantization, and of the quantized one, on the same examples. */
  readonly floating: Score;
  readonly quantized: Score;
  readonly model: Described;
  /** The stages, in order. */
  readonly runs: readonly AnyRun[];
  /** Paragraphs of text under the title: the data, the network, the command. */
  readonly notes?: readonly string[];
}

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
  return page(
    title,
    notes,
    `<section><h2>Result</h2>
${asHtml(resultTable(report))}
<p>Accuracy and loss on ${report.quantized.count.toLocaleString("en-US")} examples, ± one standard error of the sample. 1 KB = 1000 bytes.</p>
${learned ? `<h3>Rounding of the learned bitwidths</h3>\n<p>${escapeHtml(verdict(learned))}</p>\n${asHtml(armTable(learned))}` : ""}
</section>
<section><h2>Bitwidths and schemes</h2>
${drawn("nodes")}
${asHtml(nodeTable(model.nodes))}
<details><summary>Sizes</summary>${asHtml(sizeTable(model))}</details>
<details><summary>Left in floating point: ${model.leftAlone.length}</summary>${asHtml(leftAloneTable(model))}</details>
<details><summary>${normalizationLine(model)}</summary>${asHtml(normalizationTable(model))}</details>
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

type Section = "nodes" | "staircases" | "training";

function figuresOf({
  model,
  runs,
}: Report): readonly { readonly section: Section; readonly figure: Figure }[] {
  const learned = runs.findLast(isLearn);
  const last = runs.at(-1);
  const of = (kind: "weight" | "input") => model.nodes.filter((node) => node.kind === kind);
  const values = Object.fromEntries(
    of("weight").flatMap(({ id, shape, channelAxes }) => {
      const found = last?.snapshot.variables[id]?.data;
      if (!found) return [];
      return [[id, channelAxes ? dividedByChannel(found, shape, channelAxes) : found] as const];
    }),
  );
  const drawn: { section: Section; figure: Figure; of: number }[] = [
    { section: "nodes", figure: bitsPerNode(model.nodes, learned?.learned), of: model.nodes.length },
    {
      section: "staircases",
      figure: staircases(
        "Weights: staircase over the histogram of the trained weights",
        of("weight"),
        values,
      ),
      of: of("weight").length,
    },
    {
      section: "staircases",
      figure: staircases("Layer inputs: staircase", of("input")),
      of: of("input").length,
    },
    { section: "training", figure: lossOverTime(runs), of: runs.length },
    ...runs
      .filter(isSearch)
      .map((run) => ({ section: "training" as const, figure: thetaOverTime(run), of: run.nodes.length })),
    ...runs
      .filter(isLearn)
      .map((run) => ({ section: "training" as const, figure: bitsOverTime(run), of: run.nodes.length })),
  ];
  return drawn.filter((figure) => figure.of > 0);
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

/** FP32 against quantized, one line each. */
export function resultTable({ floating, quantized, model }: Report): Table {
  const { packedBytes, floatingBytes, fp32Bytes, averageBits } = model.sizes;
  const error = ({ accuracy, count }: Score): number => 100 * Math.sqrt((accuracy * (1 - accuracy)) / count);
  const row = (name: string, score: Score, bytes: number, weights: number, inputs: number) => ({
    ...{ name, score, bytes, weights, inputs },
    accuracy: `${(100 * score.accuracy).toFixed(2)} ± ${error(score).toFixed(2)}`,
  });
  const rows = [
    row("FP32", floating, fp32Bytes, 32, 32),
    row("quantized", quantized, packedBytes + floatingBytes, averageBits.weights, averageBits.activations),
  ];
  return table(rows, [
    { title: "network", value: ({ name }) => name },
    { title: "accuracy", unit: "%", value: ({ accuracy }) => accuracy },
    { title: "loss", unit: "nat", digits: 4, value: ({ score }) => score.loss },
    { title: "weights", unit: "KB", digits: 1, value: ({ bytes }) => bytes / 1000 },
    { title: "smaller", value: ({ bytes }) => `${(fp32Bytes / bytes).toFixed(1)}×` },
    { title: "bits of weights", digits: 2, value: ({ weights }) => weights },
    { title: "bits of inputs", digits: 2, value: ({ inputs }) => inputs },
  ]);
}

function armTable({ arms, chosen }: LearnRun): Table {
  return table(arms, [
    { title: "way of rounding", value: ({ name }) => name },
    { title: "validation loss", unit: "nat", digits: 4, value: ({ validation }) => validation?.loss },
    {
      title: "validation accuracy",
      unit: "%",
      digits: 2,
      value: ({ validation }) => validation && 100 * validation.accuracy,
    },
    { title: "ties", value: ({ ties }) => ties.length },
    { title: "", value: ({ name }) => (name === chosen ? "taken" : "") },
  ]);
}

function verdict({ chosen, arms }: LearnRun): string {
  if (chosen === "control") {
    return "The control won: bitwidths found without learning had the least validation loss, and were taken.";
  }
  const control = arms.find(({ name }) => name === "control")?.validation?.loss;
  const won = arms.find(({ name }) => name === chosen)?.validation?.loss;
  const margin =
    control !== undefined && won !== undefined
      ? ` by ${(control - won).toFixed(4)} nat of validation loss`
      : "";
  return `The learned bitwidths won (${chosen}): they beat the control, which ignores what was learned,${margin}.`;
}

const isSearch = (run: AnyRun): run is SearchRun => run.kind === "search";
const isLearn = (run: AnyRun): run is LearnRun => run.kind === "learn";
