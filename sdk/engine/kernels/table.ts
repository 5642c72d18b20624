import * as tf from "@tensorflow/tfjs";
import { LOWERED_AT_LEAST, LOWERED_BY, thresholdsAt } from "../../staircase/fit.js";
import { derive, PLACE } from "../../staircase/measure.js";
import { evaluate, type Row } from "../../staircase/rows.js";
import { STATISTICS } from "../../staircase/statistics.js";
import { read, write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

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
 * Thresholds [K], jumps [K] and bases [C] of a table for a raw statistic vector. A candidate whose `active` is 0 has its
 * thresholds at infinity, its jumps and base at 0.
 */
export const TABLE_KERNEL = "AutoqnnTable";

interface Call {
  inputs: { statistics: tf.Tensor; active: tf.Tensor };
  attrs: { table: Table };
}

function onHost({ inputs, attrs, backend }: Call & { backend: tf.KernelBackend }): tf.TensorInfo[] {
  const { table } = attrs;
  const derived = derive(read(backend, inputs.statistics));
  const active = read(backend, inputs.active);
  const thresholds = thresholdsAt(table, derived);
  const all = {
    thresholds: thresholds.map((t, k) => (active[table.owner[k]!] ? t : Number.POSITIVE_INFINITY)),
    jumps: Float32Array.from(table.jumps, (r, k) => (active[table.owner[k]!] ? evaluate(r, derived) : 0)),
    bases: Float32Array.from(table.bases, (r, i) => (active[i] ? evaluate(r, derived) : 0)),
  };
  return Object.values(all).map((values) => write(backend, [values.length], values));
}

function onNative({ inputs, attrs, backend }: Call & { backend: NativeBackend }): tf.Tensor[] {
  const { table } = attrs;
  return operation(
    { backend, type: TABLE_KERNEL, inputs: [inputs.statistics, inputs.active], outputs: 3 },
    {
      rows: ["FLOAT", [...table.thresholds, ...table.jumps, ...table.bases].flatMap((r) => [...r])],
      lowered: ["INT", table.inclusive.map(Number)],
      owner: ["INT", table.owner],
      within: ["INT", table.within.flatMap(({ threshold, lower, upper }) => [threshold, lower, upper])],
    },
  );
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

/** In TensorFlow's own operations, for devices that have no kernel of ours. */
export function tableExpression({ inputs, attrs, backend }: Call & { backend: NativeBackend }): tf.Tensor[] {
  const { table } = attrs;
  return tf.tidy(() => {
    const derived = derivedColumn(backend, inputs.statistics);
    const exact = evaluated(table.thresholds, derived);
    const distance = tf.maximum(tf.mul(tf.abs(exact), LOWERED_BY), LOWERED_AT_LEAST);
    const inclusive = tf.tensor1d(table.inclusive.map(Number), "float32");
    const thresholds = held(tf.sub(exact, tf.mul(distance, inclusive)), table.within);
    const open = tf.gather(inputs.active, tf.tensor1d([...table.owner], "int32"));
    const never = tf.fill(thresholds.shape, Number.POSITIVE_INFINITY);
    return [
      tf.where(tf.greater(open, 0), thresholds, never),
      tf.mul(evaluated(table.jumps, derived), open),
      tf.mul(evaluated(table.bases, derived), inputs.active),
    ];
  });
}

export const tableKernels = [
  { kernelName: TABLE_KERNEL, backendName: "cpu", kernelFunc: onHost },
  {
    kernelName: TABLE_KERNEL,
    backendName: "tensorflow",
    kernelFunc: (call: Call & { backend: NativeBackend }) =>
      call.backend.isUsingGpuDevice ? tableExpression(call) : onNative(call),
  },
];
