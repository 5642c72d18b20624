import * as tf from "@tensorflow/tfjs";
import { LOWERED_AT_LEAST, LOWERED_BY, thresholdsAt } from "../../staircase/fit.js";
import { derive, PLACE } from "../../staircase/measure.js";
import { evaluate, type Row } from "../../staircase/rows.js";
import { STATISTICS } from "../../staircase/statistics.js";
import { read, write } from "./host.js";
import { type Attribute, type NativeBackend, operation } from "./native-operation.js";

/**
 * The constant matrices of several candidates, one below the other. Row k of `thresholds` and of `jumps` (how far the
 * level rises there) belongs to candidate `owner[k]`; `bases` has a row, its lowest level, for each candidate.
 */
export interface Table {
  readonly thresholds: readonly Row[];
  readonly inclusive: readonly boolean[];
  readonly jumps: readonly Row[];
  readonly owner: readonly number[];
  readonly bases: readonly Row[];
  readonly within: readonly { readonly threshold: number; readonly lower: number; readonly upper: number }[];
}

/**
 * Thresholds [K], steps [K] and base of sum_i p_i Q_i for a raw statistic vector: a step is its candidate's jump of level
 * times its share. A candidate whose `active` is 0 has its thresholds at infinity and adds nothing.
 */
export const MIXTURE_KERNEL = "AutoqnnMixture";

/** Gradient by the shares [C]: dp_i = base_i dbase + sum over its thresholds of jump_k dsteps_k. */
const MIXTURE_GRADIENT_KERNEL = "AutoqnnMixtureGradient";

interface Call {
  inputs: Readonly<Record<"statistics" | "shares" | "active", tf.Tensor>>;
  attrs: { table: Table };
}
interface GradientCall {
  inputs: Readonly<Record<"statistics" | "active" | "dsteps" | "dbase", tf.Tensor>>;
  attrs: { table: Table };
}

function onHost({ inputs, attrs, backend }: Call & { backend: tf.KernelBackend }): tf.TensorInfo[] {
  const { thresholds, jumps, bases, owner } = attrs.table;
  const derived = derive(read(backend, inputs.statistics));
  const [shares, active] = [read(backend, inputs.shares), read(backend, inputs.active)];
  const at = thresholdsAt(attrs.table, derived).map((t, k) =>
    active[owner[k]!] ? t : Number.POSITIVE_INFINITY,
  );
  const steps = jumps.map((r, k) => (active[owner[k]!] ? evaluate(r, derived) * shares[owner[k]!]! : 0));
  const base = bases.reduce((sum, r, i) => sum + (active[i] ? evaluate(r, derived) * shares[i]! : 0), 0);
  return [
    write(backend, [thresholds.length], Float32Array.from(at)),
    write(backend, [thresholds.length], Float32Array.from(steps)),
    write(backend, [], Float32Array.of(base)),
  ];
}

function gradientOnHost({ inputs, attrs, backend }: GradientCall & { backend: tf.KernelBackend }) {
  const { jumps, bases, owner } = attrs.table;
  const derived = derive(read(backend, inputs.statistics));
  const [active, dsteps] = [read(backend, inputs.active), read(backend, inputs.dsteps)];
  const dbase = read(backend, inputs.dbase)[0]!;
  const sums = Float64Array.from(bases, (r) => evaluate(r, derived) * dbase);
  for (const [k, r] of jumps.entries()) sums[owner[k]!]! += evaluate(r, derived) * dsteps[k]!;
  return write(
    backend,
    [bases.length],
    Float32Array.from(sums, (sum, i) => (active[i] ? sum : 0)),
  );
}

type Matrices = Readonly<Record<"candidates" | "places" | "weights" | "owner", Attribute>>;

/** Every node of a kind has the same table, and every table serves forward and backward. */
const known = new WeakMap<Table, Matrices>();

function matrices(table: Table): Matrices {
  const found = known.get(table) ?? entriesOf(table);
  known.set(table, found);
  return found;
}

/** The matrices as attributes: of their entries only those that are not 0. */
function entriesOf({ thresholds, jumps, bases, owner }: Table): Matrices {
  const entries = [...thresholds, ...jumps, ...bases].flatMap((r) => [...r]);
  const places = entries.flatMap((value, place) => (value === 0 ? [] : [place]));
  return {
    candidates: ["INT", bases.length],
    places: ["INT", places],
    weights: ["FLOAT", places.map((place) => entries[place]!)],
    owner: ["INT", owner],
  };
}

function onNative({ inputs, attrs, backend }: Call & { backend: NativeBackend }): tf.Tensor[] {
  const { table } = attrs;
  return operation(
    {
      backend,
      type: MIXTURE_KERNEL,
      inputs: [inputs.statistics, inputs.shares, inputs.active],
      outputs: 3,
    },
    {
      ...matrices(table),
      lowered: ["INT", table.inclusive.map(Number)],
      within: ["INT", table.within.flatMap(({ threshold, lower, upper }) => [threshold, lower, upper])],
    },
  );
}

function gradientOnNative({ inputs, attrs, backend }: GradientCall & { backend: NativeBackend }): tf.Tensor {
  const { statistics, active, dsteps, dbase } = inputs;
  return operation(
    { backend, type: MIXTURE_GRADIENT_KERNEL, inputs: [statistics, active, dsteps, dbase], outputs: 1 },
    matrices(attrs.table),
  )[0]!;
}

/** Rows to a matrix; a traced step refuses constants of more than 64 KB. */
const ROWS_AT_ONCE = 1024;

function evaluated(rows: readonly Row[], derived: tf.Tensor2D): tf.Tensor1D {
  const parts: tf.Tensor[] = [];
  for (let k = 0; k < rows.length; k += ROWS_AT_ONCE) {
    const matrix = tf.tensor2d(rows.slice(k, k + ROWS_AT_ONCE).map((r) => [...r]));
    parts.push(tf.reshape(tf.matMul(matrix, derived), [-1]));
  }
  return (parts.length === 1 ? parts[0]! : tf.concat(parts)) as tf.Tensor1D;
}

/** `derive` in TensorFlow's own operations: of absMaximum only the exponent bits are kept. */
function derivedColumn(backend: NativeBackend, statistics: tf.Tensor): tf.Tensor2D {
  const recast = (x: tf.Tensor, from: "float32" | "int32", to: "float32" | "int32"): tf.Tensor =>
    operation(
      { backend, type: "Bitcast", inputs: [x], outputs: 1 },
      { T: ["TYPE", from], type: ["TYPE", to] },
    )[0]!;
  const kept = tf.tensor1d(
    STATISTICS.map((_, place) => (place === PLACE.absMaximum ? 0x7f800000 : -1)),
    "int32",
  );
  const bits = recast(statistics, "float32", "int32");
  const [masked] = operation(
    { backend, type: "BitwiseAnd", inputs: [bits, kept], outputs: 1 },
    { T: ["TYPE", "int32"] },
  );
  return tf.reshape(recast(masked!, "int32", "float32"), [-1, 1]);
}

/** Holds thresholds within their parents: as many rounds as the tree is deep, each over all thresholds. */
function held(thresholds: tf.Tensor1D, within: Table["within"]): tf.Tensor1D {
  const size = thresholds.size;
  const bounds = (side: "lower" | "upper", unbounded: number): tf.Tensor1D => {
    const places = new Int32Array(size).fill(unbounded);
    for (const entry of within) if (entry[side] >= 0) places[entry.threshold] = entry[side];
    return tf.tensor1d(places, "int32");
  };
  const depth = new Map<number, number>();
  for (const { threshold, lower, upper } of within) {
    depth.set(threshold, 1 + Math.max(depth.get(lower) ?? 0, depth.get(upper) ?? 0));
  }
  const [lower, upper] = [bounds("lower", size), bounds("upper", size + 1)];
  const open = tf.tensor1d([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  let t = thresholds;
  for (let round = Math.max(0, ...depth.values()); round > 0; round--) {
    const around = tf.concat1d([t, open]);
    t = tf.maximum(tf.gather(around, lower), tf.minimum(tf.gather(around, upper), t));
  }
  return t;
}

/** Whose threshold each is, [K, C] of 0 and 1: as a matrix, because the gradient of a gather would scatter. */
function owners({ owner, bases }: Table): tf.Tensor2D {
  if (bases.length === 1) return tf.ones([owner.length, 1]);
  return tf.cast(tf.oneHot(tf.tensor1d([...owner], "int32"), bases.length), "float32") as tf.Tensor2D;
}

/** In TensorFlow's own operations, which XLA compiles. */
export function mixtureExpression({
  inputs,
  attrs,
  backend,
}: Call & { backend: NativeBackend }): tf.Tensor[] {
  const { table } = attrs;
  return tf.tidy(() => {
    const derived = derivedColumn(backend, inputs.statistics);
    const exact = evaluated(table.thresholds, derived);
    const distance = tf.maximum(tf.mul(tf.abs(exact), LOWERED_BY), LOWERED_AT_LEAST);
    const inclusive = tf.tensor1d(table.inclusive.map(Number), "float32");
    const thresholds = held(tf.sub(exact, tf.mul(distance, inclusive)), table.within);
    const selection = owners(table);
    const ofOwners = (values: tf.Tensor) => tf.dot(selection, values as tf.Tensor1D);
    const shares = tf.mul(inputs.shares, inputs.active);
    const never = tf.fill(thresholds.shape, Number.POSITIVE_INFINITY);
    return [
      tf.where(tf.greater(ofOwners(inputs.active), 0), thresholds, never),
      tf.mul(evaluated(table.jumps, derived), ofOwners(shares)),
      tf.sum(tf.mul(evaluated(table.bases, derived), shares)),
    ];
  });
}

export function mixtureGradientExpression({
  inputs,
  attrs,
  backend,
}: GradientCall & { backend: NativeBackend }): tf.Tensor {
  const { table } = attrs;
  return tf.tidy(() => {
    const derived = derivedColumn(backend, inputs.statistics);
    const stepped = tf.mul(evaluated(table.jumps, derived), inputs.dsteps) as tf.Tensor1D;
    const sums = tf.dot(stepped, owners(table));
    return tf.mul(tf.add(tf.mul(evaluated(table.bases, derived), inputs.dbase), sums), inputs.active);
  });
}

export const mixtureKernels = [
  { kernelName: MIXTURE_KERNEL, backendName: "cpu", kernelFunc: onHost },
  { kernelName: MIXTURE_GRADIENT_KERNEL, backendName: "cpu", kernelFunc: gradientOnHost },
  {
    kernelName: MIXTURE_KERNEL,
    backendName: "tensorflow",
    kernelFunc: (call: Call & { backend: NativeBackend }) =>
      call.backend.expressions ? mixtureExpression(call) : onNative(call),
  },
  {
    kernelName: MIXTURE_GRADIENT_KERNEL,
    backendName: "tensorflow",
    kernelFunc: (call: GradientCall & { backend: NativeBackend }) =>
      call.backend.expressions ? mixtureGradientExpression(call) : gradientOnNative(call),
  },
];

/** Thresholds carry no gradient, and neither do statistics. */
export const mixtureGradient = {
  kernelName: MIXTURE_KERNEL,
  inputsToSave: ["statistics", "active"],
  gradFunc: (dys: tf.Tensor | tf.Tensor[], saved: tf.Tensor[], attrs: object) => {
    const [, dsteps, dbase] = dys as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [statistics, active] = saved as [tf.Tensor, tf.Tensor];
    const inputs = { statistics, active, dsteps, dbase };
    return { shares: () => tf.engine().runKernel<tf.Tensor>(MIXTURE_GRADIENT_KERNEL, inputs, { ...attrs }) };
  },
};
