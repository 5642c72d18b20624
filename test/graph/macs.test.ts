import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { observe } from "../../sdk/graph/observe.js";
import { models } from "../../sdk/model/index.js";
import { file } from "../model/files.js";
import { families, type LayerCase } from "../model/layers/fixture.js";
import { classes, merges, wirings } from "./models.js";

beforeAll(() => engine());

/** Multiply-accumulates of one sample: what the graph says, and what TensorFlow is asked to do in a pass. */
async function counts({ topology, inputs }: LayerCase): Promise<{ said: number; done: number }> {
  const model = await models.load(file("model.json", JSON.stringify(topology)));
  const graph = quantizedGraph(model);
  const xs = inputs.map(({ shape, dtype }) => tf.zeros([1, ...shape], dtype));
  const quantize = (_: unknown, x: tf.Tensor): tf.Tensor => x;
  const { sight } = observe(new Map(), () =>
    tf.tidy(() => void graph.forward(graph.read(), xs, { training: false, quantize })),
  );
  const done = sight.products.reduce((sum, { macs }) => sum + macs, 0);
  return { said: graph.table().totals.macs, done };
}

/** TensorFlow computes these by convolutions that multiply more than they say: by zeros between taps or groups. */
const COMPOSED = /groups|dilated|Conv3DTranspose/;

/** Interpolation is no product of two tensors of the network, though here it is done by products of matrices. */
const RESIZED = /^(UpSampling2D|Resizing|CenterCrop|RandomCrop)/;

/** Two vectors that meet by a sum of their products. */
const SUMMED = /^Dot (of \(4,\)|normalized)/;

/** Every kernel once per position of Keras's output, or of the input where the convolution is transposed. */
function byPositions({ name, inputs, weights, inference }: LayerCase): number {
  const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const [, ...positions] = /Transpose/.test(name) ? [0, ...inputs[0]!.shape] : inference.outputs[0]!.shape;
  const kernels = weights.filter((weight) => /kernel$/.test(weight.name));
  const steps = /LSTM/.test(name) ? inputs[0]!.shape[0]! : 1;
  return kernels.reduce(
    (sum, { shape }) => sum + steps * product(shape) * product(positions.slice(0, -1)),
    0,
  );
}

const counted = families();

describe.each(counted)("multiply-accumulates of %s layers are those that TensorFlow computes", (_, cases) => {
  test.each(cases.map((each) => [`${each.name} (${each.writer})`, each] as const))("%s", async (_, each) => {
    const { said, done } = await counts(each);
    if (RESIZED.test(each.name)) return expect(said).toBe(0);
    if (SUMMED.test(each.name)) return expect(said).toBe(each.inputs[0]!.shape[0]);
    if (!COMPOSED.test(each.name)) return expect(said).toBe(done);
    expect(said).toBe(byPositions(each));
    expect(said).toBeLessThanOrEqual(done);
  });
});

describe("multiply-accumulates of every class of tfjs are those that its kernels compute", () => {
  // CategoryEncoding counts by a kernel that the native engine lacks, and Dot of vectors is done by a sum.
  const known = [...classes, ...merges, ...wirings].filter(
    ({ name }) => !/^(CategoryEncoding|Dot)$/.test(name),
  );
  test.each(known.map((each) => [each.name, each] as const))("%s", (_, each) => {
    const graph = quantizedGraph(each.model());
    const batch = [each.batch()].flat();
    const quantize = (_: unknown, x: tf.Tensor): tf.Tensor => x;
    const { sight } = observe(new Map(), () =>
      tf.tidy(() => void graph.forward(graph.read(), batch, { training: false, quantize })),
    );
    const done = sight.products.reduce((sum, { macs }) => sum + macs, 0) / batch[0]!.shape[0]!;
    const { macs } = graph.table().totals;
    expect(macs).toBe(done);
  });
});

test("a model inside a wrapper counts once per step, with what meets the wrapper's input", () => {
  const l = tf.layers;
  const inner = tf.sequential({
    layers: [
      l.conv2d({ filters: 2, kernelSize: 3, inputShape: [5, 5, 1] }),
      l.flatten(),
      l.dense({ units: 3 }),
    ],
  });
  const model = tf.sequential({
    layers: [l.timeDistributed({ name: "each", layer: inner, inputShape: [4, 5, 5, 1] })],
  });
  const graph = quantizedGraph(model, { quantizeInput: true });
  const [kernel, dense] = [4 * 9 * 9 * 2, 4 * 18 * 3];
  expect(graph.nodes.map(({ macs }) => macs)).toEqual([kernel, dense, kernel]);
  expect(graph.table().totals.macs).toBe(kernel + dense);
});

test("a dot product counts one per pair of numbers that meet", () => {
  const inputs = [[6], [6]].map((shape) => tf.input({ shape }));
  const output = tf.layers.dot({ axes: -1 }).apply(inputs) as tf.SymbolicTensor;
  expect(quantizedGraph(tf.model({ inputs, outputs: output })).table().totals.macs).toBe(6);
});
