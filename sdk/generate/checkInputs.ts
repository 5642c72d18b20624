import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";

/** Throws AutoqnnError `bad-data` unless `inputs` are one tensor per input of the network, of its shape after the batch dimension. */
export function checkInputs({ inputs: expected }: QuantizedGraph, inputs: readonly tf.Tensor[]): void {
  const shapes = inputs.map((x) => (x instanceof tf.Tensor ? `[${x.shape.join(", ")}]` : typeof x));
  const fit =
    inputs.length === expected.length &&
    expected.every(({ shape }, i) => {
      const x = inputs[i]!;
      return (
        x instanceof tf.Tensor &&
        x.rank === shape.length &&
        shape.every((size, axis) => size === null || size < 0 || size === x.shape[axis])
      );
    });
  if (fit) return;
  const wanted = expected.map(({ name, shape }) => `"${name}" [${shape.map((d) => d ?? "n").join(", ")}]`);
  throw new AutoqnnError(
    "bad-data",
    `Expected ${wanted.join(" and ")}, received ${shapes.join(" and ") || "nothing"} at predict.`,
    "Give a batch: one tensor per input of the model, with the number of samples as first dimension.",
  );
}
