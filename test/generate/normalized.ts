import * as tf from "@tensorflow/tfjs";
import { LAYERS } from "../../sdk/model/layers/index.js";
import { stream } from "../../sdk/train/random.js";
import type { HostTensor, Snapshot } from "../../sdk/train/snapshot.js";

type Symbolic = tf.SymbolicTensor;
const l = tf.layers;

/** A model, which of its batch normalizations go into which layer, and what is said of the others. */
export interface Normalized {
  readonly name: string;
  readonly model: () => tf.LayersModel;
  readonly folded: Readonly<Record<string, string>>;
  readonly kept?: Readonly<Record<string, RegExp>>;
  /** Layers whose rounding errors add up on the longest path. */
  readonly depth: number;
}

const norm = (name = "norm", axis = -1): tf.layers.Layer => l.batchNormalization({ name, axis });

const conv = (name: string, options: Partial<Parameters<typeof l.conv2d>[0]> = {}): tf.layers.Layer =>
  l.conv2d({ name, filters: 4, kernelSize: 3, padding: "same", useBias: false, ...options });

const relu = (name: string): tf.layers.Layer => l.activation({ name, activation: "relu" });

function chain(inputShape: number[], ...layers: tf.layers.Layer[]): tf.LayersModel {
  return tf.sequential({ layers: [l.inputLayer({ inputShape }), ...layers] });
}

/** The model of `outputs`, a function of an image. */
function graph(outputs: (x: Symbolic) => Symbolic | Symbolic[], shape = [6, 6, 3]): tf.LayersModel {
  const input = tf.input({ shape, name: "image" });
  return tf.model({ inputs: input, outputs: outputs(input) });
}

const through = (x: Symbolic, ...layers: tf.layers.Layer[]): Symbolic =>
  layers.reduce((y, layer) => layer.apply(y) as Symbolic, x);

const alone = (name: string, shape: number[], layer: tf.layers.Layer): Normalized => ({
  name,
  model: () => chain(shape, layer, norm()),
  folded: { norm: layer.name },
  depth: 1,
});

/** A layer of the classes that files are read with. */
const own = (name: string, options: object): tf.layers.Layer => new LAYERS[name]!({ name: "it", ...options });

const einsumDense = (equation: string, outputShape: (number | null)[], biasAxes?: string): tf.layers.Layer =>
  own("EinsumDense", { equation, outputShape, biasAxes });

/** Every kind of layer that a batch normalization is folded into, without and with a bias of its own. */
export const KINDS: readonly Normalized[] = [
  alone("Dense", [5], l.dense({ name: "it", units: 4, useBias: false })),
  alone("Dense on sequences", [7, 5], l.dense({ name: "it", units: 4 })),
  alone("Conv1D", [7, 3], l.conv1d({ name: "it", filters: 4, kernelSize: 3, useBias: false })),
  alone("Conv2D", [6, 6, 3], conv("it")),
  alone("Conv2D with a bias", [6, 6, 3], conv("it", { useBias: true })),
  alone(
    "Conv2D in groups",
    [6, 6, 6],
    own("Conv2D", { filters: 4, kernelSize: 3, groups: 2, useBias: false }),
  ),
  alone("Conv1DTranspose", [7, 3], own("Conv1DTranspose", { filters: 4, kernelSize: 3, strides: 2 })),
  alone(
    "DepthwiseConv1D",
    [7, 3],
    own("DepthwiseConv1D", { kernelSize: 3, depthMultiplier: 2, useBias: false }),
  ),
  alone("SeparableConv1D", [7, 3], own("SeparableConv1D", { filters: 4, kernelSize: 3, depthMultiplier: 2 })),
  alone("EinsumDense without a bias", [7, 5], einsumDense("abc,cd->abd", [7, 4])),
  alone("EinsumDense by heads, with a bias", [7, 5], einsumDense("abc,cde->abde", [7, 2, 4], "de")),
  alone("EinsumDense of any rank", [6, 6, 5], einsumDense("...x,xy->...y", [4], "y")),
  alone("DepthwiseConv2D", [6, 6, 3], l.depthwiseConv2d({ name: "it", kernelSize: 3, depthMultiplier: 2 })),
  alone("SeparableConv2D", [6, 6, 3], l.separableConv2d({ name: "it", filters: 4, kernelSize: 3 })),
  alone(
    "Conv2DTranspose",
    [4, 4, 3],
    l.conv2dTranspose({ name: "it", filters: 5, kernelSize: 3, strides: 2 }),
  ),
  {
    name: "Dense of a normalization without scale, then one without centre",
    model: () =>
      chain(
        [5],
        l.dense({ name: "a", units: 4 }),
        l.batchNormalization({ name: "unscaled", scale: false }),
        l.dense({ name: "b", units: 3, useBias: false }),
        l.batchNormalization({ name: "uncentred", center: false, epsilon: 1e-5 }),
      ),
    folded: { unscaled: "a", uncentred: "b" },
    depth: 2,
  },
];

const residual = (x: Symbolic, name: string): Symbolic => {
  const inner = through(x, conv(`${name}_1`), norm(`${name}_bn1`), relu(`${name}_relu`));
  const outer = through(inner, conv(`${name}_2`), norm(`${name}_bn2`));
  const short = through(x, conv(`${name}_0`, { kernelSize: 1 }), norm(`${name}_bn0`));
  return relu(`${name}_out`).apply(l.add({ name: `${name}_add` }).apply([outer, short])) as Symbolic;
};

/** Networks in which they meet other layers. */
export const NETWORKS: readonly Normalized[] = [
  {
    name: "residual blocks",
    model: () =>
      graph((x) =>
        through(
          residual(residual(x, "a"), "b"),
          l.globalAveragePooling2d({ name: "pool", dataFormat: "channelsLast" }),
          l.dense({ name: "classes", units: 3 }),
        ),
      ),
    folded: { a_bn0: "a_0", a_bn1: "a_1", a_bn2: "a_2", b_bn0: "b_0", b_bn1: "b_1", b_bn2: "b_2" },
    depth: 5,
  },
  {
    name: "depthwise-separable blocks",
    model: () =>
      graph((x) =>
        through(
          x,
          l.depthwiseConv2d({ name: "depth", kernelSize: 3, useBias: false }),
          norm("depth_bn"),
          l.reLU({ name: "relu1" }),
          conv("point", { kernelSize: 1 }),
          norm("point_bn"),
          l.reLU({ name: "relu2" }),
        ),
      ),
    folded: { depth_bn: "depth", point_bn: "point" },
    depth: 2,
  },
  {
    name: "pre-activation",
    model: () => graph((x) => through(x, conv("stem"), relu("relu"), norm("before"), conv("last"))),
    folded: {},
    kept: { before: /follows Activation "relu"/ },
    depth: 2,
  },
  {
    name: "an activation of the layer itself, and the model's input",
    model: () => graph((x) => through(x, norm("first"), conv("one", { activation: "relu" }), norm("second"))),
    folded: {},
    kept: { first: /follows the model's input/, second: /activation relu of "one"/ },
    depth: 2,
  },
  {
    name: "an output that other layers and the caller read too",
    model: () =>
      graph((x) => {
        const [one, two] = [through(x, conv("one")), through(x, conv("two"))];
        return [
          l.add({ name: "sum" }).apply([one, through(one, norm("a"))]) as Symbolic,
          two,
          through(two, norm("b")),
        ];
      }),
    folded: {},
    kept: { a: /"one" also goes to "sum"/, b: /"two" is one of the model's/ },
    depth: 2,
  },
  {
    name: "one layer before two normalizations, one normalization behind two layers, and both called twice",
    model: () => {
      const inputs = ["left", "right"].map((name) => tf.input({ shape: [6, 6, 3], name }));
      const [shared, both, pair, after] = [conv("shared"), norm("both"), conv("pair"), norm("after")];
      const apart = inputs.map((x, i) => through(x, shared, norm(`apart${i}`)));
      const joined = inputs.map((x, i) => through(x, conv(`own${i}`), both));
      const twice = inputs.map((x) => through(x, pair, after));
      return tf.model({ inputs, outputs: [...apart, ...joined, ...twice] });
    },
    folded: { after: "pair" },
    kept: { apart0: /also goes to "apart1"/, apart1: /also goes to "apart0"/, both: /several layers/ },
    depth: 1,
  },
  {
    name: "nested models",
    model: () => {
      const inside = tf.input({ shape: [6, 6, 4], name: "inside" });
      const inner = tf.model({
        name: "inner",
        inputs: inside,
        outputs: through(inside, norm("begin"), relu("relu"), conv("conv"), norm("end")),
      });
      return graph((x) => through(x, conv("conv"), inner, inner, norm("conv/bn")));
    },
    folded: { "inner/end": "inner/conv" },
    kept: { "inner/begin": /several layers/, "conv/bn": /follows BatchNormalization "inner\/end"/ },
    depth: 5,
  },
  {
    name: "the border of a nested model",
    model: () => {
      const inner = chain([6, 6, 4], norm("begin"), conv("conv"));
      inner.name = "inner";
      return graph((x) => through(x, conv("stem"), inner, norm("end")));
    },
    folded: {},
    kept: { "inner/begin": /another model than "stem"/, end: /another model than "inner\/conv"/ },
    depth: 4,
  },
  {
    name: "another axis, and a wrapper",
    model: () =>
      graph(
        (x) =>
          through(
            x,
            l.dense({ name: "one", units: 4 }),
            norm("time", 1),
            l.dense({ name: "two", units: 4 }),
            l.timeDistributed({ name: "each", layer: norm("inner") }),
          ),
        [5, 3],
      ),
    folded: {},
    kept: { time: /axis 1, not the channels of "one"/, each: /computed by a layer of class TimeDistributed/ },
    depth: 4,
  },
];

/**
 * Values for every variable: kernels that neither shrink nor grow, and of batch normalizations, channel by channel, what is
 * hard on them: negative and zero gamma, variances from nothing to large, means far from 0.
 */
export function hard(snapshot: Snapshot, seed = 1): Snapshot {
  const draw = stream(seed, "hard");
  const uniform = (low: number, high: number): number => low + (high - low) * draw();
  const pick = (...values: number[]): number => values[Math.floor(draw() * values.length)]!;
  const value = (name: string, fan: number): number => {
    if (name.endsWith("gamma")) return pick(-1.3, 0, 0.02, 1, 2.5);
    if (name.endsWith("moving_variance")) return pick(0, 1e-9, 1e-4, 0.3, 1, 50);
    if (name.endsWith("moving_mean")) return pick(0, -0.5, 2, 30);
    if (name.endsWith("kernel")) return uniform(-1, 1) * Math.sqrt(3 / fan);
    return uniform(-0.5, 0.5);
  };
  const variables = Object.entries(snapshot.variables).map(([name, tensor]): [string, HostTensor] => {
    const fan = Math.max(
      1,
      tensor.shape.slice(0, -1).reduce((a, b) => a * b, 1),
    );
    return [name, { ...tensor, data: Float32Array.from(tensor.data, () => value(name, fan)) }];
  });
  return { ...snapshot, variables: Object.fromEntries(variables) };
}
