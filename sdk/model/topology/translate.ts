import { activation } from "../activations.js";
import { badModel } from "../badModel.js";
import { type Config, isConfig, type LayerConfig, nameOf, show } from "../config.js";
import { deferred, drawn } from "../initializers.js";
import { MERGES } from "../layers/merge.js";
import { classNameOf } from "./classes.js";
import { dtypeOf } from "./dtype.js";
import { batchShape } from "./limits.js";

/**
 * Options of Keras that tfjs reads past or takes otherwise, with the values for which it computes the same. Any other
 * value would silently compute something else.
 */
const ASSUMED: Readonly<Record<string, Config>> = {
  InputLayer: { sparse: false, ragged: false },
  Conv1DTranspose: { groups: 1 },
  Conv2DTranspose: { groups: 1 },
  Conv3DTranspose: { groups: 1 },
  DepthwiseConv1D: { groups: 1 },
  DepthwiseConv2D: { groups: 1 },
  SeparableConv1D: { groups: 1 },
  SeparableConv2D: { groups: 1 },
  EinsumDense: { lora_rank: null },
  Embedding: { lora_rank: null },
  BatchNormalization: { renorm: false, virtual_batch_size: null },
};

/** Options under another name in tfjs. */
const RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  InputLayer: { batch_shape: "batch_input_shape" },
  LeakyReLU: { negative_slope: "alpha" },
};

/** What a layer without these options means to some writers alone. */
const MEANT: Readonly<Record<Reading["writer"], Readonly<Record<string, Config>>>> = {
  // It samples from corners, and keeps the states of stacked cells in reverse.
  tfjs: { UpSampling2D: { half_pixel_centers: false }, StackedRNNCells: { reverse_state_order: true } },
  keras2: {},
  // It keeps the type of its input, and a step that any input of a sum sees.
  keras3: {
    Resizing: { whole_numbers: true },
    ...Object.fromEntries(Object.keys(MERGES).map((kind) => [kind, { join_masks: "any" }])),
  },
};

/** Options that mean nothing in the layer, and that tfjs refuses or would misread. */
const DROPPED: Readonly<Record<string, readonly string[]>> = {
  InputLayer: ["ragged", "optional", "shape"],
  Dropout: ["seed"],
};

/** Names that tfjs takes for tensors. It draws the values of weights before it looks. */
const NAME = /^[A-Za-z0-9.][-\w.\\/]*$/;

export interface Reading {
  /** Some words mean something else in each. */
  readonly writer: "tfjs" | "keras2" | "keras3";
  /** Values follow: draw none. */
  readonly weightsFollow: boolean;
}

/**
 * One layer, not a container, as tfjs reads it.
 *
 * @throws AutoqnnError `bad-model` naming the layer, for a class that tfjs lacks and for an option that it cannot honour.
 */
export function translateLayer(layer: LayerConfig, reading: Reading): LayerConfig {
  const where = `layer "${nameOf(layer)}"`;
  const kind = classNameOf(layer, where);
  const { config } = layer;
  refuseCode(config, where);
  const name = layer.name ?? config.name ?? "";
  if (name !== "" && !NAME.test(String(name))) {
    const hint = "Rename the layer in Keras.";
    throw badModel("a name of letters, digits, -, _, / and .", show(name), where, hint);
  }
  const assumptions = reading.writer === "tfjs" ? undefined : rowOf(ASSUMED, kind);
  for (const [option, assumed] of Object.entries(assumptions ?? {})) {
    const value = config[option] ?? assumed;
    if (show(value) !== show(assumed)) {
      const hint = `tfjs computes ${kind} as Keras does for ${show(assumed)} only: rebuild the layer without it.`;
      throw badModel(`${option} ${show(assumed)} of ${kind}`, show(value), where, hint);
    }
  }
  const options = Object.entries({ ...rowOf(MEANT[reading.writer], kind), ...config })
    .filter(([option]) => !rowOf(DROPPED, kind)?.includes(option))
    .map(([option, value]) => [
      rowOf(RENAMED, kind)?.[option] ?? option,
      translateOption(option, value, where, reading),
    ]);
  return { class_name: kind, config: Object.fromEntries(options) };
}

/** The row of a layer class in a table, which has no row for what every object has. */
function rowOf<Row>(table: Readonly<Record<string, Row>>, kind: string): Row | undefined {
  return Object.hasOwn(table, kind) ? table[kind] : undefined;
}

/** Python's code stands in a file as an object of a class of its own. */
function refuseCode(value: unknown, where: string): void {
  if (Array.isArray(value)) for (const part of value) refuseCode(part, where);
  if (!isConfig(value)) return;
  if (value.class_name === "__lambda__") {
    const hint = "Replace it by layers and functions of Keras: code inside a model file is never run.";
    throw badModel("layers without code of their own", "a Python lambda", where, hint);
  }
  for (const part of Object.values(value)) refuseCode(part, where);
}

function translateOption(option: string, value: unknown, where: string, reading: Reading): unknown {
  if (option === "dtype") return dtypeOf(value, where, reading.writer);
  if (option === "batch_shape" || option === "batch_input_shape") return batchShape(value, where);
  if (option.endsWith("activation")) return activation(value, where, reading.writer);
  if (option === "axis" && Array.isArray(value) && value.length === 1) return value[0];
  if (option.endsWith("_regularizer") && isConfig(value)) return regularizer(value);
  // tfjs saves a depthwise regularizer in the constraint's place too.
  if (option === "depthwise_constraint" && isConfig(value) && value.class_name === "L1L2") return null;
  if (option.endsWith("_initializer") && isConfig(value)) {
    const original = { class_name: value.class_name, config: value.config };
    return reading.weightsFollow ? deferred(original) : drawn(original);
  }
  if (Array.isArray(value)) return value.map((item) => translateOption("", item, where, reading));
  if (!isConfig(value) || typeof value.class_name !== "string" || !isConfig(value.config)) return value;
  if (!["layer", "backward_layer", "cell", ""].includes(option)) {
    return { class_name: value.class_name, config: value.config };
  }
  const inner = translateLayer({ ...value, class_name: value.class_name, config: value.config }, reading);
  // The forward half of a Bidirectional is named anew from its layer.
  const name =
    typeof inner.config.name === "string" ? { name: inner.config.name.replace(/^forward_/, "") } : {};
  return { ...inner, config: { ...inner.config, ...name } };
}

function regularizer(value: Config): Config {
  const config = isConfig(value.config) ? value.config : {};
  const both = value.class_name === "L1" || value.class_name === "L2";
  return both
    ? { class_name: "L1L2", config: { l1: 0, l2: 0, ...config } }
    : { class_name: value.class_name, config: value.config };
}
