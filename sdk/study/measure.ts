import { availableParallelism } from "node:os";
import { engine } from "../engine/index.js";
import { AutoqnnError } from "../errors.js";
import type { GenerateOptions } from "../generation.js";
import type { Data, Examples } from "../train/data.js";
import type { AnyRun, StageRun } from "../train/run.js";
import { type Written, writtenAs } from "../written.js";
import type { AnyPlan } from "./trail.js";

/** What is measured of every cell. A number is null where the plan has no such stage, or the data no such split. */
export interface Metrics {
  /** Share of `examples` that the quantized network classifies correctly, 0..1. */
  readonly accuracy: number;
  /** Mean cross-entropy over them, in nats. */
  readonly loss: number;
  /** Number of examples. */
  readonly examples: number;
  /** Where they come from: the option `evaluate`, or the data's test split, or its validation split. */
  readonly split: "evaluate" | "test" | "validation";
  /** Of the last stage, on the validation split. */
  readonly validationAccuracy: number | null;
  readonly validationLoss: number | null;
  /** Bytes of all weight codes; of what stays in floating point; of all weights in float32. */
  readonly packedBytes: number;
  readonly floatingBytes: number;
  readonly fp32Bytes: number;
  /** Mean bits per weight and per input value. */
  readonly weightBits: number;
  readonly activationBits: number;
  /** Per example: sum of multiply-accumulates times both factors' bits. */
  readonly bitOperations: number;
  /** Peak of one example's pass: weights and live activations. */
  readonly memoryBytes: number;
  /** Wall-clock seconds of each stage's training steps, also where another cell has computed them. */
  readonly searchSeconds: number | null;
  readonly learnSeconds: number | null;
  readonly tuneSeconds: number | null;
  /** What the scheme search kept, and the way of rounding that precision learning kept. */
  readonly searched: string | null;
  readonly rounding: string | null;
  readonly seed: number;
  /** The version of this package, and what it computed on. */
  readonly library: string;
  readonly engine: string;
  readonly device: string;
  readonly threads: number;
}

/** What stands at a node of a cell's network. */
export interface NodeRow {
  readonly node: string;
  readonly kind: "weight" | "input";
  readonly scheme: string;
  readonly bits: number;
  readonly elements: number;
}

/** What a finished cell leaves. */
export interface Measured {
  readonly metrics: Metrics;
  readonly assignment: readonly NodeRow[];
}

/** How a cell's network is packed, and what it is judged on. */
export interface Judging {
  readonly generate?: Omit<GenerateOptions, "signal"> | undefined;
  readonly evaluate?: Examples | undefined;
}

/** Runs a plan to its end, packs the network and judges it. `signal` stops the last two; stages have their own. */
export async function measure(plan: AnyPlan, judging: Judging, signal: AbortSignal): Promise<Measured> {
  const { split, examples } = judgedOn(writtenAs(plan), judging);
  const last = await plan.run?.();
  const quantized = await (last ?? plan).generate({ ...judging.generate, signal });
  const { accuracy, loss, count } = await quantized.evaluate(examples, { signal });
  const { sizes, provenance, nodes } = quantized;
  const stages = lineage(last);
  const { search, learn, tune } = Object.fromEntries(stages.map((run) => [run.kind, run])) as Partial<
    Record<AnyRun["kind"], AnyRun>
  >;
  const { name, device } = await engine();
  return {
    metrics: {
      ...{ accuracy, loss, examples: count, split },
      validationAccuracy: last?.validation?.accuracy ?? null,
      validationLoss: last?.validation?.loss ?? null,
      packedBytes: sizes.packedBytes,
      floatingBytes: sizes.floatingBytes,
      fp32Bytes: sizes.fp32Bytes,
      weightBits: sizes.averageBits.weights,
      activationBits: sizes.averageBits.activations,
      bitOperations: sizes.bitOperations,
      memoryBytes: sizes.memoryBytes.peak,
      searchSeconds: search?.history.seconds ?? null,
      learnSeconds: learn?.history.seconds ?? null,
      tuneSeconds: tune?.history.seconds ?? null,
      searched: search?.kind === "search" ? search.chosen : null,
      rounding: learn?.kind === "learn" ? learn.chosen : null,
      seed: provenance.seed,
      library: provenance.library,
      ...{ engine: name, device },
      threads: name === "native" ? Number(process.env.AUTOQNN_THREADS) || availableParallelism() : 1,
    },
    assignment: nodes.map(({ id, kind, scheme, bits, elements }) => ({
      node: id,
      kind,
      scheme,
      bits,
      elements,
    })),
  };
}

/** Throws AutoqnnError `bad-option` where there is nothing to judge a network on. */
export function judgedOn(
  text: Written | undefined,
  { evaluate }: Judging,
): { readonly split: Metrics["split"]; readonly examples: Examples } {
  if (evaluate) return { split: "evaluate", examples: evaluate };
  const data = text?.options.data as Data | undefined;
  if (data?.test) return { split: "test", examples: data.test };
  if (data?.validation) return { split: "validation", examples: data.validation };
  throw new AutoqnnError(
    "bad-option",
    "Expected examples to judge every cell on, received data without a test or validation split.",
    "Give the plan's data one, or the study its own: study(plan, { evaluate: examples }).",
  );
}

/** A stage's result and those that it came from. */
function lineage(run: StageRun | undefined): StageRun[] {
  return run ? [...lineage(run.parent), run] : [];
}
