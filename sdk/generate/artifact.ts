import { createHash } from "node:crypto";
import { z } from "zod";
import { type SchemeName, schemes } from "../staircase/schemes.js";

/**
 * The version of the format that this package writes. It also reads version 1, which knew neither factors nor what became
 * of batch normalizations.
 */
export const VERSION = 2;

/** The files of an artifact. */
export const FILES = { manifest: "model.json", packed: "packed.bin", floating: "floating.bin" } as const;

const whole = z.number().int().nonnegative();
const shape = z.array(whole);
const kind = z.enum(["weight", "input"]);
const edge = { id: z.string(), kind, layer: z.string(), shape };
const score = z.object({ loss: z.number(), accuracy: z.number(), count: whole });
const record = z.record(z.string(), z.json());

/** One stage of the plan that made the model, as far as it can be repeated: no times, no machine. */
const stage = z.object({
  kind: z.enum(["search", "learn", "tune"]),
  options: record,
  seed: z.number(),
  steps: whole,
  validation: score.optional(),
  /** The assignments that the stage compared, the best first, and the name of the one that it kept. */
  trials: z
    .array(
      z.looseObject({ name: z.string(), ties: z.array(z.string()).optional(), validation: score.optional() }),
    )
    .optional(),
  chosen: z.string().optional(),
});

/** How the model was generated from what the last stage left. */
const generation = z.object({
  /** Whether batch normalizations were folded where they could be. */
  folded: z.boolean(),
  /** From how many batches, at most, their moments were re-estimated, where they were. */
  reestimate: whole.optional(),
  /** How many biases were corrected, where any were. */
  correctedBiases: whole.optional(),
});

/** What became of a batch normalization: the layer that it was folded into, or the reason why it stands. */
const outcome = z.union([
  z.strictObject({ layer: z.string(), into: z.string() }),
  z.strictObject({ layer: z.string(), reason: z.string() }),
]);

const provenance = z.object({
  /** Version of this package. */
  library: z.string(),
  seed: z.number(),
  stages: z.array(stage),
  generation: generation.optional(),
});

/**
 * `model.json`: all of a quantized model but the values of its weights.
 *
 * Thresholds and levels are float32, written as the shortest decimals that round to them. `offset` of a weight node counts
 * bits of `packed.bin`, that of a floating variable counts values of `floating.bin`. `factor` of a weight node: its values
 * are levels times a factor each, whose shape broadcasts to the node's; factors lie behind the variables in `floating.bin`.
 * `channelAxes`: the axes that number the channels of a weight that was quantized with a scale for each.
 */
export const manifest = z.object({
  format: z.literal("autoqnn"),
  version: z.union([z.literal(1), z.literal(VERSION)]),
  topology: record,
  nodes: z.array(
    z.object({
      ...edge,
      elements: whole,
      scheme: z.enum(Object.keys(schemes) as [SchemeName, ...SchemeName[]]),
      bits: z.number().int().min(1).max(8),
      thresholds: z.array(z.number()),
      levels: z.array(z.number()).min(1),
      offset: whole.optional(),
      factor: z.object({ shape, offset: whole }).optional(),
      channelAxes: z.array(z.number().int().negative()).optional(),
    }),
  ),
  floating: z.array(
    z.object({ variable: z.string(), shape, dtype: z.enum(["float32", "int32"]), offset: whole }),
  ),
  leftAlone: z.array(z.object({ ...edge, reason: z.string() })),
  batchNormalizations: z.array(outcome).default([]),
  sizes: z.object({
    packedBytes: whole,
    floatingBytes: whole,
    fp32Bytes: whole,
    averageBits: z.object({ weights: z.number(), activations: z.number() }),
    memoryBytes: z.object({ peak: whole, sum: whole }),
    bitOperations: z.number(),
    // Artifacts of version 1 do not tell.
    macs: z.number().optional(),
    fp32: z
      .object({ memoryBytes: z.object({ peak: whole, sum: whole }), bitOperations: z.number() })
      .optional(),
  }),
  provenance,
  /** sha256 of the other files, so that files of two artifacts are never taken for one. */
  checksums: z.object({ packed: z.string(), floating: z.string() }),
});

export type Manifest = z.output<typeof manifest>;

/** Where a quantized model comes from: the stages of its plan, in order, without anything that differs between runs. */
export type Provenance = Readonly<z.output<typeof provenance>>;

/** What became of a batch normalization: the layer that it was folded into, or the reason why it stands. */
export type NormalizationOutcome = Readonly<z.output<typeof outcome>>;

/**
 * What a quantized model costs.
 *
 * `packedBytes`: all weight codes. `floatingBytes`: the weights without a quantizer, and the factors of those with one.
 * `fp32Bytes`: all weights of the network that was quantized, in float32.
 * `averageBits`: mean bits per weight and per input value, over those that have a quantizer; 32 where none has.
 * `memoryBytes`: one sample's pass, weights plus the largest (`peak`) or all (`sum`) of the live activations.
 * `bitOperations`: sum of multiply-accumulates (`macs`) times both factors' bits, per sample.
 * `fp32`: the same of the network that was quantized, with 32 bits everywhere but 8 for the model's input.
 */
export type Sizes = Readonly<Manifest["sizes"]>;

/** A quantized model as it lies on disk: `model.json`, `packed.bin`, `floating.bin`. */
export interface Artifact {
  readonly manifest: Manifest;
  readonly packed: Uint8Array;
  readonly floating: Uint8Array;
}

/** Float32 values as numbers whose decimals are the shortest that round to them; -0 becomes 0. */
export function decimals(values: Float32Array): number[] {
  return Array.from(values, (value) => {
    for (let digits = 6; digits < 9; digits++) {
      const candidate = Number(value.toPrecision(digits));
      if (Math.fround(candidate) === value) return candidate + 0;
    }
    return Number(value.toPrecision(9)) + 0;
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
