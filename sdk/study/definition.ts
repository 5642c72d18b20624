import { createHash } from "node:crypto";
import type * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import type { Written } from "../written.js";
import { canonical, digest } from "./cell.js";

/**
 * What makes the results of two runs comparable. The values of the axes are not part of it: a study may be given further
 * cells later.
 */
export interface Definition {
  readonly axes: readonly string[];
  /** The plan as it was written, or the text of the function that makes it. */
  readonly plan: string;
  /** Of the network that a plan starts from: its layers and weights. Absent where a function makes the plan. */
  readonly model?: string;
  /** How networks are packed and judged. */
  readonly judging: string;
}

/** Throws AutoqnnError `bad-file`, with what differs, unless the file at `path` is of the same study. */
export function checkSame(path: string, found: Definition, wanted: Definition): void {
  const parts = ["axes", "plan", "model", "judging"] as const;
  const comparable = (definition: Definition) => ({ ...definition, axes: definition.axes.toSorted() });
  const [left, right] = [comparable(found), comparable(wanted)];
  const different = parts.filter((part) => canonical(left[part]) !== canonical(right[part]));
  if (different.length === 0) return;
  const told = different.map((part) =>
    part === "axes" ? `axes ${found.axes.join(", ")} (not ${wanted.axes.join(", ")})` : `another ${part}`,
  );
  throw new AutoqnnError(
    "bad-file",
    `Expected results of this study in ${path}, received those of one with ${told.join(" and ")}.`,
    "Give another file: results of different studies are not comparable.",
  );
}

/** A plan's text: what its options and stages say, the sizes of its data, and nothing of where and how it is watched. */
export function planText({ options, stages }: Written): string {
  const { data, ...rest } = options;
  const sizes = Object.entries((data ?? {}) as object).flatMap(([name, split]) =>
    split && typeof split === "object" && "size" in split ? [[name, split.size]] : [],
  );
  const asked = stages.map(({ name, options: { checkpoint: _, ...own } }) => ({ name, options: own }));
  return canonical({ options: rest, data: Object.fromEntries(sizes), stages: asked });
}

/** The layers of a network and the bits of its weights, as a short name. */
export async function modelDigest(model: tf.LayersModel | tf.GraphModel): Promise<string> {
  const hash = createHash("sha256");
  const tensors =
    "getWeights" in model
      ? model.getWeights()
      : Object.values(model.weights as Record<string, tf.Tensor[]>).flat();
  for (const tensor of tensors) {
    const data = await tensor.data();
    hash.update(`${tensor.shape} ${tensor.dtype} `);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const layers = "layers" in model ? model.layers.map((layer) => [layer.getClassName(), layer.name]) : [];
  return digest(layers, hash.digest("hex"));
}
