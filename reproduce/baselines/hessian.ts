import { uniform } from "../../sdk/engine/ops.js";
import { type QuantizingNode, tf } from "../../sdk/index.js";
import { Feed } from "../../sdk/train/feed.js";
import { crossEntropy } from "../../sdk/train/objective.js";
import { FLOATING } from "../../sdk/train/policy.js";
import { program } from "../../sdk/train/program.js";
import { type Snapshot, toDevice } from "../../sdk/train/snapshot.js";
import { scalar, stateOf } from "../../sdk/train/state.js";
import { refuseStopped } from "../../sdk/train/stopped.js";
import type { Workbench } from "../../sdk/train/workbench.js";

/** The difference's step, in parts of the root mean square of a tensor. */
const EPSILON = 0.01;

/** Of a tensor of zeros the step has to be something. */
const LEAST_SCALE = 1e-3;

/**
 * The average Hessian trace Tr(H_i) / n_i of the training loss by the n_i values of every weight i, in floating point and by
 * running moments of batch normalization, as HAWQ-V2 (Dong et al., arXiv 1911.03852) takes it.
 *
 * Hutchinson's method: Tr(H_i) = E[z_i' H_i z_i], z of +1 and -1 drawn anew each time, here each time with a batch of its
 * own. One product H z serves all weights, since the parts z_i' H_ij z_j between two of them have the mean 0. Products are
 * central differences of gradients, z_i' (g_i(w + e D z) - g_i(w - e D z)) / (2 e d_i), where d_i is the root mean square of
 * weight i and e = 0.01: gradients of gradients are not at hand, and, unlike them, this sees the kinks of ReLU.
 *
 * @param draws how many products the mean is of
 * @throws AutoqnnError `aborted` when the signal fires.
 */
export async function averageTraces(
  { engine, graph, train, seed, batchSize }: Workbench,
  start: Snapshot,
  nodes: readonly QuantizingNode[],
  { draws, signal }: { readonly draws: number; readonly signal?: AbortSignal | undefined },
): Promise<Readonly<Record<string, number>>> {
  const keys = nodes.map(({ id }) => `variable/${id}`);
  const scales = nodes.map(({ id }) => rootMeanSquare(start.variables[id]!.data as Float32Array));
  const { logits } = program(graph, FLOATING, start.signed);
  const step = engine.compile("hutchinson", (inputs) => {
    const z = keys.map((key, i) => signs(inputs[key]!.shape, inputs.seed!, i));
    const moved = keys.map((key, i) =>
      tf.add(inputs[key]!, tf.mul(z[i]!, tf.mul(inputs.epsilon!, scales[i]!))),
    );
    const loss = (...values: tf.Tensor[]): tf.Tensor => {
      const at = { ...inputs, ...Object.fromEntries(keys.map((key, i) => [key, values[i]!])) };
      return crossEntropy(logits(at, "running"), inputs.y!);
    };
    const gradients = tf.grads(loss)(moved);
    return { slopes: tf.stack(gradients.map((gradient, i) => tf.sum(tf.mul(gradient, z[i]!)))) };
  });
  const state = stateOf(graph, start, FLOATING);
  const feed = new Feed(train, { batchSize, seed, name: "hutchinson" }, 0);
  const sums = nodes.map(() => 0);
  try {
    for (let draw = 0; draw < draws; draw++) {
      refuseStopped(signal, `The measurement of the Hessian was stopped after draw ${draw} of ${draws}`);
      const batch = await feed.next();
      const slopes = async (epsilon: number): Promise<Float32Array> => {
        const own = toDevice({
          epsilon: scalar(epsilon),
          seed: { shape: [2], dtype: "int32", data: Int32Array.of(seed, draw) },
        });
        const found = await step.run({ ...state, ...own, ...batch });
        const values = await found.slopes!.data<"float32">();
        tf.dispose([own, found]);
        return values;
      };
      const [above, below] = [await slopes(EPSILON), await slopes(-EPSILON)];
      for (const [i, scale] of scales.entries()) sums[i]! += (above[i]! - below[i]!) / (2 * EPSILON * scale);
      tf.dispose([batch.x, batch.y]);
    }
  } finally {
    step.dispose();
    tf.dispose(state);
    await feed.close();
  }
  return Object.fromEntries(nodes.map(({ id, elements }, i) => [id, sums[i]! / draws / elements]));
}

/** +1 or -1, each as likely: a pure function of the seed and of which tensor it is for. */
function signs(shape: readonly number[], seed: tf.Tensor, index: number): tf.Tensor {
  const drawn = uniform(shape, tf.add(seed, tf.tensor1d([1000 * (index + 1), 0], "int32")));
  return tf.sub(tf.mul(tf.cast(tf.greaterEqual(drawn, 0.5), "float32"), 2), 1);
}

function rootMeanSquare(values: Float32Array): number {
  const sum = values.reduce((total, value) => total + value * value, 0);
  return Math.max(LEAST_SCALE, Math.sqrt(sum / values.length));
}
