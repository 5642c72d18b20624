import type { AnyRun, Data, OnProgress, Tuned, tf } from "../../sdk/index.js";
import type { RecipeOptions } from "../../sdk/options.js";
import { STAGES } from "../../sdk/report/style.js";
import type { Outcome, Request, TimedStage } from "../experiment.js";

/** The protocol that every method of a comparison keeps. */
export interface Protocol {
  /** Choices are made on `validation`; `test` is read once, at the end. */
  readonly data: Required<Pick<Data, "train" | "validation" | "test">>;
  readonly seed: number;
  /** The average bits that weights and inputs may have, each by itself. */
  readonly bits: number;
  /** Steps in all, those of searches and of the trial that was kept included. */
  readonly steps: number;
  /** Of the weights, in every stage. */
  readonly learningRate: number;
  readonly batchSize?: number;
  readonly recipe?: RecipeOptions;
  /** Where every stage keeps its checkpoints, and what is told of its steps. */
  readonly watch?: { readonly checkpoint?: string; readonly onProgress?: OnProgress };
}

/** One row of a comparison: a way from a floating-point network to a quantized one. */
export interface Method {
  readonly name: string;
  /** Methods of one family share the learning rate that is best, by validation loss, for the family's first. */
  readonly family: string;
  /** @param model the network in floating point; it is left as it is */
  readonly run: (model: tf.LayersModel, protocol: Protocol) => Promise<Measured>;
}

/** What a method gives; the rest of an outcome is known to who runs it. */
export type Measured = Omit<
  Outcome,
  keyof Request | "rate" | "steps" | "seconds" | "processorSeconds" | "peakMegabytes"
>;

/** What `autoqnn` takes of a protocol. */
export const planOptions = ({ data, seed, batchSize, recipe }: Protocol) => ({
  ...{ data, seed },
  ...(batchSize !== undefined && { batchSize }),
  ...(recipe && { recipe }),
});

/** A plan of this project as a method. */
export const planned =
  (make: (model: tf.LayersModel, protocol: Protocol) => Tuned): Method["run"] =>
  async (model, protocol) => {
    const tuned = await make(model, protocol).run();
    const quantized = await tuned.generate();
    const { sizes, provenance, nodes } = quantized;
    const chosen = provenance.stages.flatMap((stage) => stage.chosen ?? []).join(" + ");
    return {
      validation: await quantized.evaluate(protocol.data.validation),
      test: await quantized.evaluate(protocol.data.test),
      bytes: sizes.packedBytes,
      averageBits: sizes.averageBits,
      memoryBytes: sizes.memoryBytes.peak,
      nodes: nodes.map(({ id, layer, kind, scheme, bits, elements }) => {
        return { id, layer, kind, scheme, bits, elements };
      }),
      stages: timesOf(tuned),
      ...(chosen && { chosen }),
    };
  };

/** Seconds spent in the steps of every stage that led to `run`; trials of contenders are not among them. */
function timesOf(run: AnyRun): TimedStage[] {
  const { seconds, steps } = run.history;
  const own = {
    ...{ name: STAGES[run.kind].title, seconds },
    ...(steps > 0 && { stepMilliseconds: (1000 * seconds) / steps }),
  };
  return [...(run.parent ? timesOf(run.parent as AnyRun) : []), own];
}

/** A part of the steps, as a whole number. */
export const share = (part: number, { steps }: Protocol): number => Math.max(1, Math.round(part * steps));
