import { type Table, table } from "../table.js";
import type { AnyRun, LearnRun, Score, SearchRun } from "../train/run.js";
import { type Confusion, confusionTable } from "./confusion.js";
import { errorTable, type LayerErrorRow } from "./errorPerLayer.js";
import {
  bitsAgainstSensitivity,
  bitsOverTime,
  bitsPerNode,
  confusionMatrix,
  errorPerLayer,
  type Figure,
  lossOverTime,
  staircases,
  thetaOverTime,
  whereBitsGo,
} from "./figures.js";
import { type SensitiveNode, sensitivityTable } from "./sensitivityTable.js";
import {
  type Described,
  leftAloneTable,
  nodeTable,
  normalizationTable,
  sizeTable,
  stageTable,
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
  /** What a stage's `sensitivity()` measured: its rows. */
  readonly sensitivity?: readonly SensitiveNode[];
  /** What the quantized model's `errors()` measured. */
  readonly errors?: readonly LayerErrorRow[];
  /** What the quantized model's `confusion()` counted. */
  readonly confusion?: Confusion;
}

/** The parts of a report, in order. */
export type Section = "result" | "nodes" | "staircases" | "training";

/** A figure's place, and its name: of letters and hyphens, different for each. */
export interface PlacedFigure {
  readonly section: Section;
  readonly name: string;
  readonly figure: Figure;
}

/** All figures of a report. What was not measured, or has nothing to show, is left out. */
export function figuresOf({ model, runs, sensitivity, errors, confusion }: Report): readonly PlacedFigure[] {
  const learned = runs.findLast(isLearn);
  const { nodes } = model;
  const of = (kind: "weight" | "input") => nodes.filter((node) => node.kind === kind);
  const variables = runs.at(-1)?.snapshot.variables ?? {};
  const values = Object.fromEntries(
    of("weight").flatMap(({ id }) => (variables[id] ? [[id, variables[id].data] as const] : [])),
  );
  const overlaid = "Weights: staircase over the histogram of the trained weights";
  const weights = of("weight").length > 0;
  const inputs = of("input").length > 0;
  // A stage may have run more than once.
  const numbered = (name: string, index: number): string => (index === 0 ? name : `${name}-${index + 1}`);
  const rows: readonly (readonly [
    section: Section,
    name: string,
    draw: (() => Figure) | false | undefined,
  ])[] = [
    ["result", "confusion", confusion && (() => confusionMatrix(confusion, "Confusion matrix, quantized"))],
    ["nodes", "bits-per-node", nodes.length > 0 && (() => bitsPerNode(nodes, learned?.learned))],
    ["nodes", "sensitivity", sensitivity && (() => bitsAgainstSensitivity(sensitivity))],
    ["nodes", "where-bits-go-weights", weights && (() => whereBitsGo(nodes, "weight"))],
    ["nodes", "where-bits-go-inputs", inputs && (() => whereBitsGo(nodes, "input"))],
    ["nodes", "error-per-layer", errors && (() => errorPerLayer(errors))],
    ["staircases", "staircases-weights", weights && (() => staircases(overlaid, of("weight"), values))],
    ["staircases", "staircases-inputs", inputs && (() => staircases("Layer inputs: staircase", of("input")))],
    ["training", "loss-over-time", runs.length > 0 && (() => lossOverTime(runs))],
    ...runs
      .filter(isSearch)
      .map((run, i) => ["training", numbered("theta-over-time", i), () => thetaOverTime(run)] as const),
    ...runs
      .filter(isLearn)
      .map((run, i) => ["training", numbered("bits-over-time", i), () => bitsOverTime(run)] as const),
  ];
  return rows.flatMap(([section, name, draw]) => (draw ? [{ section, name, figure: draw() }] : []));
}

/** All tables of a report by name. Those without a line are left out. */
export function tablesOf(report: Report): Readonly<Record<string, Table>> {
  const { model, runs, sensitivity, errors, confusion } = report;
  const learned = runs.findLast(isLearn);
  const all: Readonly<Record<string, Table | undefined>> = {
    result: resultTable(report),
    nodes: nodeTable(model.nodes),
    sizes: sizeTable(model),
    "left-alone": leftAloneTable(model),
    "batch-normalizations": normalizationTable(model),
    stages: stageTable(model),
    rounding: learned && armTable(learned),
    sensitivity: sensitivity && sensitivityTable(sensitivity),
    "error-per-layer": errors && errorTable(errors),
    confusion: confusion && confusionTable(confusion),
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, own]) => (own && own.rows.length > 0 ? [[name, own] as const] : [])),
  );
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

/** The ways of rounding the learned bitwidths, and which was taken. */
export function armTable({ arms, chosen }: LearnRun): Table {
  return table(arms, [
    { title: "way of rounding", value: ({ name }) => name },
    { title: "validation loss", unit: "nat", digits: 4, value: ({ validation }) => validation?.loss },
    {
      title: "validation accuracy",
      unit: "%",
      digits: 2,
      value: ({ validation }) => validation && 100 * validation.accuracy,
    },
    { title: "ties", value: ({ ties, proven }) => (proven ? ties.length : "not all sought") },
    { title: "taken", value: ({ name }) => (name === chosen ? "yes" : "") },
  ]);
}

const isSearch = (run: AnyRun): run is SearchRun => run.kind === "search";
export const isLearn = (run: AnyRun): run is LearnRun => run.kind === "learn";
