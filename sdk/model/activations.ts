import * as tf from "@tensorflow/tfjs";
import { badModel } from "./badModel.js";
import { type Config, isConfig, show } from "./config.js";
import { withoutGradient } from "./layers/layer.js";

type Options = Readonly<Record<string, number>>;

interface Row {
  /** Options in their order, with Keras's defaults. */
  readonly options?: Options;
  compute(x: tf.Tensor, options: Options): tf.Tensor;
}

/** 1 where the condition holds, else 0: a constant of differentiation. */
const where = (condition: () => tf.Tensor): tf.Tensor =>
  withoutGradient(() => tf.cast(condition(), "float32"));

const softRelu = (x: tf.Tensor): tf.Tensor => tf.mul(tf.square(tf.add(x, 1)), 0.25);

/** Activation functions of Keras that tfjs lacks, or has without their options. x is a tensor of any rank. */
const ROWS: Readonly<Record<string, Row>> = {
  celu: {
    options: { alpha: 1 },
    compute: (x, { alpha }) => tf.add(tf.relu(x), tf.mul(alpha!, tf.expm1(tf.div(tf.minimum(x, 0), alpha!)))),
  },
  elu: {
    options: { alpha: 1 },
    compute: (x, { alpha }) => tf.add(tf.relu(x), tf.mul(alpha!, tf.expm1(tf.minimum(x, 0)))),
  },
  exponential: { compute: (x) => tf.exp(x) },
  glu: {
    options: { axis: -1 },
    compute: (x, { axis }) => {
      const [value, gate] = tf.split(x, 2, axis! < 0 ? axis! + x.rank : axis!);
      return tf.mul(value!, tf.sigmoid(gate!));
    },
  },
  hard_shrink: {
    options: { threshold: 0.5 },
    compute: (x, { threshold }) =>
      tf.mul(
        x,
        where(() => tf.greater(tf.abs(x), threshold!)),
      ),
  },
  // Keras 3 means 1 / 6 by it, Keras 2 and tfjs 0.2.
  hard_sigmoid: {
    options: { slope: 0.2 },
    compute: (x, { slope }) => tf.clipByValue(tf.add(tf.mul(x, slope!), 0.5), 0, 1),
  },
  hard_silu: { compute: (x) => tf.mul(x, tf.clipByValue(tf.add(tf.div(x, 6), 0.5), 0, 1)) },
  hard_tanh: { compute: (x) => tf.clipByValue(x, -1, 1) },
  leaky_relu: {
    options: { negative_slope: 0.2 },
    compute: (x, { negative_slope }) => tf.leakyRelu(x, negative_slope),
  },
  log_sigmoid: { compute: (x) => tf.neg(tf.softplus(tf.neg(x))) },
  relu: {
    options: { negative_slope: 0, max_value: Number.POSITIVE_INFINITY, threshold: 0 },
    compute: rectified,
  },
  softmax: { options: { axis: -1 }, compute: (x, { axis }) => softmaxOver(x, [axis!]) },
  soft_shrink: {
    options: { threshold: 0.5 },
    compute: (x, { threshold }) =>
      tf.sub(tf.relu(tf.sub(x, threshold!)), tf.relu(tf.sub(tf.neg(x), threshold!))),
  },
  sparse_plus: {
    compute: (x) =>
      tf.add(
        tf.mul(
          softRelu(x),
          where(() => tf.logicalAnd(tf.greater(x, -1), tf.less(x, 1))),
        ),
        tf.mul(
          x,
          where(() => tf.greaterEqual(x, 1)),
        ),
      ),
  },
  sparse_sigmoid: { compute: (x) => tf.clipByValue(tf.mul(tf.add(x, 1), 0.5), 0, 1) },
  sparsemax: { options: { axis: -1 }, compute: (x, { axis }) => sparsemax(x, axis!) },
  squareplus: {
    options: { b: 4 },
    compute: (x, { b }) => tf.mul(tf.add(x, tf.sqrt(tf.add(tf.square(x), b!))), 0.5),
  },
  tanh_shrink: { compute: (x) => tf.sub(x, tf.tanh(x)) },
  threshold: {
    options: { threshold: 0, default_value: 0 },
    compute: (x, { threshold, default_value }) => {
      const above = where(() => tf.greater(x, threshold!));
      return tf.add(tf.mul(x, above), tf.mul(tf.sub(1, above), default_value!));
    },
  },
};

/** The function `name` of the table above, with Keras's defaults for the options that are not given. */
export function activate(name: string, x: tf.Tensor, options: Options = {}): tf.Tensor {
  const { compute, options: defaults } = ROWS[name]!;
  return compute(x, { ...defaults, ...options });
}

/** Names that mean the same function. */
const SAME: Readonly<Record<string, string>> = { silu: "swish", hard_swish: "hard_silu" };

/** Layers that Keras takes for an activation, and what becomes of them. */
const AS_LAYERS: Readonly<Record<string, { name: string; options: Readonly<Record<string, number>> }>> = {
  ReLU: { name: "relu", options: {} },
  LeakyReLU: { name: "leaky_relu", options: { negative_slope: 0.3 } },
  ELU: { name: "elu", options: {} },
  Softmax: { name: "softmax", options: {} },
  ThresholdedReLU: { name: "threshold", options: { threshold: 1 } },
};
const LAYER_OPTIONS: Readonly<Record<string, string>> = { alpha: "negative_slope", theta: "threshold" };

/** f(x) = max_value from there on, x from the threshold on, negative_slope (x - threshold) below it (Keras's ReLU layer). */
export function rectified(
  x: tf.Tensor,
  { negative_slope = 0, max_value, threshold = 0 }: Options,
): tf.Tensor {
  const most = max_value ?? Number.POSITIVE_INFINITY;
  const above = where(() => tf.greaterEqual(x, threshold));
  const limited = Number.isFinite(most) ? tf.minimum(x, most) : x;
  const passed = threshold === 0 ? tf.relu(limited) : tf.mul(limited, above);
  if (negative_slope === 0) return passed;
  return tf.add(passed, tf.mul(tf.mul(tf.sub(x, threshold), negative_slope), tf.sub(1, above)));
}

/** exp(x) / sum exp(x) over some axes together. */
export function softmaxOver(x: tf.Tensor, axes: readonly number[]): tf.Tensor {
  const own = axes.map((axis) => (axis < 0 ? axis + x.rank : axis));
  if (own.length === 1 && own[0] === x.rank - 1) return tf.softmax(x);
  const largest = withoutGradient(() => tf.max(x, own, true));
  const exponentials = tf.exp(tf.sub(x, largest));
  return tf.div(exponentials, tf.sum(exponentials, own, true));
}

/**
 * Martins and Astudillo (2016), but with the threshold as Keras takes it: from the sum of the cumulative sums of the
 * support, not the last of them. Ranks are counted, since sorting has no gradient in tfjs.
 */
function sparsemax(x: tf.Tensor, axis: number): tf.Tensor {
  const own = axis < 0 ? axis + x.rank : axis;
  const order = x.shape.map((_, i) => (i === own ? x.rank - 1 : i === x.rank - 1 ? own : i));
  const swapped = tf.transpose(x, order);
  const factors = withoutGradient(() => {
    const [mine, others] = [tf.expandDims(swapped, -1), tf.expandDims(swapped, -2)];
    const before = tf.cast(tf.greaterEqual(others, mine), "float32");
    const rank = tf.sum(before, -1);
    const sums = tf.sum(tf.mul(others, before), -1);
    const support = tf.cast(tf.greater(tf.add(1, tf.mul(rank, swapped)), sums), "float32");
    const k = tf.sum(support, -1, true);
    return tf.div(tf.mul(support, tf.sub(tf.add(k, 1), rank)), k);
  });
  const inverse = withoutGradient(() => {
    const used = tf.cast(tf.greater(factors, 0), "float32");
    return tf.reciprocal(tf.sum(used, -1, true));
  });
  const tau = tf.sub(tf.sum(tf.mul(swapped, factors), -1, true), inverse);
  return tf.transpose(tf.relu(tf.sub(swapped, tau)), order);
}

/** An activation of `ROWS` as a layer holds it. It is saved as one word: "leaky_relu(negative_slope=0.1)". */
class KerasActivation extends tf.serialization.Serializable {
  static readonly className = "AutoqnnActivation";
  readonly #name: string;
  readonly #options: Options;

  constructor(config: { name: string; options: readonly number[] }) {
    super();
    this.#name = config.name;
    const names = Object.keys(ROWS[config.name]!.options ?? {});
    this.#options = Object.fromEntries(names.map((name, i) => [name, config.options[i]!]));
  }

  apply(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => ROWS[this.#name]!.compute(x, this.#options));
  }

  override getClassName(): string {
    return spelled(this.#name, this.#options);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { name: this.#name, options: Object.values(this.#options) };
  }
}

tf.serialization.registerClass(KerasActivation);

function spelled(name: string, options: Options): string {
  const own = Object.entries(options).filter(([key, value]) => ROWS[name]!.options![key] !== value);
  return own.length === 0 ? name : `${name}(${own.map(([key, value]) => `${key}=${value}`).join(",")})`;
}

/**
 * An activation as a file names it, by a word or by a serialized function or layer, as tfjs reads it: its own by their
 * names, so that fused kernels and a final softmax are known, others as `AutoqnnActivation`.
 *
 * @throws AutoqnnError `bad-model` naming an activation that nobody knows.
 */
export function activation(value: unknown, where: string, writer: "tfjs" | "keras2" | "keras3"): unknown {
  const { name, options } = named(value, where);
  if (name === undefined) return value ?? null;
  const word = (Object.hasOwn(SAME, name) && SAME[name]) || name;
  const row = Object.hasOwn(ROWS, word) ? ROWS[word] : undefined;
  const defaults: Options = writer === "keras3" && word === "hard_sigmoid" ? { slope: 1 / 6 } : {};
  const given = { ...row?.options, ...defaults, ...options };
  const plain = !row || spelled(word, given) === word;
  if (plain && isKnown(word)) return word;
  if (row) {
    const values = Object.keys(row.options ?? {}).map((key) => given[key]);
    return { class_name: KerasActivation.className, config: { name: word, options: values } };
  }
  const hint =
    "Use an activation of Keras or tfjs, or register its class with tf.serialization.registerClass().";
  throw badModel("an activation that Keras or tfjs has", `"${name}"`, where, hint);
}

function isKnown(word: string): boolean {
  const registry = tf.serialization.SerializationMap.getMap().classNameMap;
  const camel = word.replace(/_+(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(registry, word) || Object.hasOwn(registry, camel);
}

function named(value: unknown, where: string): { name?: string; options: Options } {
  if (typeof value === "string") {
    const [, name, inside] = /^(\w+)\((.*)\)$/.exec(value) ?? [];
    const pairs = (inside?.split(",") ?? []).map((pair) => pair.split("="));
    return { name: name ?? value, options: Object.fromEntries(pairs.map(([key, v]) => [key, Number(v)])) };
  }
  if (!isConfig(value)) return { options: {} };
  if (typeof value.config === "string") return { name: value.config, options: {} };
  const config: Config = isConfig(value.config) ? value.config : {};
  if (value.class_name === KerasActivation.className) return { options: {} };
  const own = String(value.class_name);
  const layer = Object.hasOwn(AS_LAYERS, own) ? AS_LAYERS[own] : undefined;
  if (!layer) {
    const kind = String(value.class_name ?? show(value));
    if (isKnown(kind)) return { name: kind, options: {} };
    throw badModel("an activation without weights", kind, where, "Put it after the layer, as a layer.");
  }
  const allowed = Object.keys(ROWS[layer.name]!.options ?? {});
  const options = Object.entries(config).flatMap(([key, v]) => {
    const option = allowed.includes(key) ? key : (LAYER_OPTIONS[key] ?? key);
    return allowed.includes(option) && typeof v === "number" ? [[option, v] as const] : [];
  });
  return { name: layer.name, options: { ...layer.options, ...Object.fromEntries(options) } };
}
