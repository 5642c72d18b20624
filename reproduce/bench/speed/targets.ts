import type { Outcome, Timing } from "./interleave.js";

/** One figure that the product is held to; less is better. */
export interface Target {
  readonly title: string;
  readonly must: number;
  readonly aim: number;
  readonly unit: "x" | "s" | "%";
  /** The figure of one network, out of its outcomes by method; undefined where something it needs was not run. */
  value(of: (method: string) => Timing | undefined): number | undefined;
}

type Field = (timing: Timing) => number;
const time: Field = ({ median }) => median;
/** What the steps add to the process; tracing and compiling included. */
const memory: Field = ({ before, peak }) => peak - before;

const ratio =
  (method: string, base: string, field: Field = time): Target["value"] =>
  (of) => {
    const [above, below] = [of(method), of(base)];
    return above && below && field(above) / field(below);
  };

export const TARGETS: readonly Target[] = [
  {
    title: "ours FP32 / TensorFlow Python, tf.function",
    ...{ must: 1.05, aim: 0.95, unit: "x" },
    value: ratio("fp32", "tensorflow"),
  },
  {
    title: "W2A2, one scheme / FP32",
    ...{ must: 1.25, aim: 1.1, unit: "x" },
    value: ratio("one-scheme", "fp32"),
  },
  { title: "QSS / FP32", ...{ must: 1.4, aim: 1.15, unit: "x" }, value: ratio("qss", "fp32") },
  {
    title: "schemes x bits / QSS",
    ...{ must: 1.15, aim: 1.05, unit: "x" },
    value: ratio("schemes-bits", "qss"),
  },
  {
    title: "QSS / PyTorch mixture, compiled quantizers",
    ...{ must: 0.7, aim: 0.5, unit: "x" },
    value: ratio("qss", "torch-mixture-compile"),
  },
  {
    title: "QSS / Brevitas, one scheme",
    ...{ must: 0.6, aim: 0.4, unit: "x" },
    value: ratio("qss", "brevitas"),
  },
  {
    title: "peak memory of the steps, QSS / FP32",
    ...{ must: 1.5, aim: 1.2, unit: "x" },
    value: ratio("qss", "fp32", memory),
  },
  {
    title: "trace and compile, QSS",
    ...{ must: 5, aim: 2, unit: "s" },
    value: (of) => {
      const qss = of("qss");
      return qss && qss.compile / 1000;
    },
  },
  {
    title: "JavaScript's share of a step, QSS",
    ...{ must: 3, aim: 1, unit: "%" },
    value: (of) => {
      const share = of("qss")?.javascript;
      return share === undefined ? undefined : 100 * share;
    },
  },
];

export type Verdict = "aim" | "must" | "short" | "not measured";

/** How far a value goes. */
export function verdict({ must, aim }: Target, value: number | undefined): Verdict {
  if (value === undefined) return "not measured";
  if (value <= aim) return "aim";
  return value <= must ? "must" : "short";
}

/** The value of a target on a network. */
export const reached = (target: Target, outcomes: Readonly<Record<string, Outcome>>): number | undefined =>
  target.value((method) => {
    const found = outcomes[method];
    return found && "median" in found ? found : undefined;
  });
