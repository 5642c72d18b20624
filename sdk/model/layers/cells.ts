import * as tf from "@tensorflow/tfjs";
import type { InnerEdge } from "./inner.js";
import type { Activation } from "./weights.js";

type Masks = tf.Tensor | tf.Tensor[];

/** What recurrent cells of tfjs and of ours hold at run time. */
export interface CellFields {
  readonly units: number;
  readonly useBias: boolean;
  readonly implementation?: number;
  readonly resetAfter?: boolean;
  readonly activation: Activation;
  readonly recurrentActivation: Activation;
  readonly kernel: tf.LayerVariable;
  readonly recurrentKernel: tf.LayerVariable;
  readonly bias?: tf.LayerVariable | null;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly dropoutFunc?: (ones: tf.Tensor, rate: number) => tf.Tensor;
  dropoutMask: Masks | null;
  recurrentDropoutMask: Masks | null;
}

export type Enter = (name: string, x: tf.Tensor) => tf.Tensor;

/** One step of a cell: from the input and the states, [output, ...new states]. */
export type Step = (cell: CellFields, inputs: tf.Tensor[], training: boolean, enter: Enter) => tf.Tensor[];

/**
 * The same mask at every step of a sequence, drawn at the first: one for all gates, or in implementation 1 one for each.
 * Whoever runs the cell sets the fields back to null afterwards.
 */
export function dropped(
  cell: CellFields,
  key: "dropout" | "recurrentDropout",
  x: tf.Tensor,
  gates: number,
  training: boolean,
): tf.Tensor[] {
  const rate = cell[key];
  if (!training || !(rate > 0 && rate < 1)) return [x];
  const field = `${key}Mask` as const;
  const draw = (): tf.Tensor => {
    const ones = tf.onesLike(x);
    return tf.keep((cell.dropoutFunc?.(ones, rate) ?? tf.dropout(ones, rate)).clone());
  };
  cell[field] ??= Array.from({ length: gates }, draw);
  return [cell[field]].flat().map((mask) => tf.mul(x, mask));
}

/** Each gate's part of x K, where x differs from gate to gate. */
function product(xs: readonly tf.Tensor[], kernel: tf.Tensor, gates: number): tf.Tensor {
  const [first, ...more] = xs as [tf.Tensor, ...tf.Tensor[]];
  if (more.length === 0) return tf.matMul(first, kernel);
  const parts = tf.split(kernel, gates, 1).map((part, i) => tf.matMul(xs[i]!, part));
  return tf.concat(parts, 1);
}

const gatesOf = (cell: CellFields, gates: number): number => (cell.implementation === 1 ? gates : 1);

/** h' = activation(x K + h R + b). */
const simple: Step = (cell, [x, h], training, enter) => {
  const [input] = dropped(cell, "dropout", x!, 1, training);
  const [state] = dropped(cell, "recurrentDropout", h!, 1, training);
  const fed = tf.matMul(input!, cell.kernel.read());
  const biased = cell.bias ? tf.add(fed, cell.bias.read()) : fed;
  const z = tf.add(biased, tf.matMul(enter("state", state!), cell.recurrentKernel.read()));
  const output = cell.activation.apply(z);
  return [output, output];
};

/** Gates i, f, c, o of x K + h R + b; c' = f c + i tanh, h' = o tanh(c') (Hochreiter and Schmidhuber, 1997). */
const lstm: Step = (cell, [x, h, c], training, enter) => {
  const count = gatesOf(cell, 4);
  const inputs = dropped(cell, "dropout", x!, count, training);
  const masked = dropped(cell, "recurrentDropout", h!, count, training);
  const states = masked.map((state) => enter("state", state));
  const z = tf.add(product(inputs, cell.kernel.read(), 4), product(states, cell.recurrentKernel.read(), 4));
  return gated(cell, tf.split(cell.bias ? tf.add(z, cell.bias.read()) : z, 4, -1), c!);
};

/** [h', h', c'] of the four gates. */
export function gated(cell: CellFields, gates: readonly tf.Tensor[], c: tf.Tensor): tf.Tensor[] {
  const [i, f, candidate, o] = gates as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const gate = (x: tf.Tensor): tf.Tensor => cell.recurrentActivation.apply(x);
  const next = tf.add(tf.mul(gate(f), c), tf.mul(gate(i), cell.activation.apply(candidate)));
  const h = tf.mul(gate(o), cell.activation.apply(next));
  return [h, h, next];
}

/**
 * Gates z, r and a candidate; h' = z h + (1 - z) candidate (Cho et al., 2014). The reset gate is applied to h before the
 * recurrent kernel, or, `reset_after`, to what the kernel gives, which then has a bias of its own: bias [2, 3 units].
 */
const gru: Step = (cell, [x, h], training, enter) => {
  const count = gatesOf(cell, 3);
  const inputs = dropped(cell, "dropout", x!, count, training);
  const masked = dropped(cell, "recurrentDropout", h!, count, training);
  const candidateState = masked.at(-1)!;
  const bias = cell.bias?.read();
  const [inputBias, recurrentBias] = bias && cell.resetAfter ? tf.unstack(bias) : [bias, undefined];
  const biased = (value: tf.Tensor, b: tf.Tensor | undefined): tf.Tensor => (b ? tf.add(value, b) : value);
  const [xz, xr, xh] = tf.split(biased(product(inputs, cell.kernel.read(), 3), inputBias), 3, -1);
  const recurrentKernel = cell.recurrentKernel.read();
  const gate = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => cell.recurrentActivation.apply(tf.add(a, b));
  const mix = (z: tf.Tensor, candidate: tf.Tensor): tf.Tensor[] => {
    const next = tf.add(tf.mul(z, h!), tf.mul(tf.sub(1, z), candidate));
    return [next, next];
  };
  if (cell.resetAfter) {
    const states = masked.map((state) => enter("state", state));
    const inner = biased(product(states, recurrentKernel, 3), recurrentBias);
    const [hz, hr, hh] = tf.split(inner, 3, -1);
    const r = gate(xr!, hr!);
    return mix(gate(xz!, hz!), cell.activation.apply(tf.add(xh!, tf.mul(r, hh!))));
  }
  const [gateKernel, candidateKernel] = tf.split(recurrentKernel, [2 * cell.units, cell.units], 1);
  const states = masked.slice(0, 2).map((state) => enter("state", state));
  const [hz, hr] = tf.split(product(states, gateKernel!, 2), 2, -1);
  const reset = enter("reset_state", tf.mul(gate(xr!, hr!), candidateState));
  const candidate = cell.activation.apply(tf.add(xh!, tf.matMul(reset, candidateKernel!)));
  return mix(gate(xz!, hz!), candidate);
};

/** The computations of the cells by class, the same for tfjs's own, which they replace while nodes stand inside. */
export const STEPS: Readonly<Record<string, Step>> = {
  SimpleRNNCell: simple,
  LSTMCell: lstm,
  GRUCell: gru,
};

/** The inner edges of a cell, one step each: what meets the recurrent kernel. */
export function cellEdges(kind: string, { units, resetAfter }: CellFields): readonly InnerEdge[] {
  const edge = (name: string, columns: number): InnerEdge => ({
    name,
    shape: [units],
    option: "recurrentState",
    meets: [{ factor: "recurrent_kernel", macs: units * columns * units }],
  });
  if (kind === "SimpleRNNCell") return [edge("state", 1)];
  if (kind === "LSTMCell") return [edge("state", 4)];
  return resetAfter ? [edge("state", 3)] : [edge("state", 2), edge("reset_state", 1)];
}
