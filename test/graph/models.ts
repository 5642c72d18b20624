import * as tf from "@tensorflow/tfjs";

type Symbolic = tf.SymbolicTensor;
type Batch = tf.Tensor | tf.Tensor[];

/** A small model around one layer class or one way of wiring, and a batch for it. */
export interface Case {
  readonly name: string;
  readonly model: () => tf.LayersModel;
  readonly batch: () => Batch;
  /** Layers of the model that own quantized weights, and so must appear as nodes. */
  readonly nodes?: readonly string[];
}

let draw = 0;
const normal = (...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", ++draw);
const integers = (limit: number, ...shape: number[]): tf.Tensor =>
  tf.floor(tf.randomUniform(shape, 0, limit, "float32", ++draw));

const around = (
  layer: tf.layers.Layer,
  shape: (number | null)[],
  batch: () => Batch,
  nodes: readonly string[] = [],
): Case => ({
  name: layer.getClassName(),
  model: () => {
    const input = tf.input({ shape, name: `${layer.name}_x` });
    return tf.model({ inputs: input, outputs: layer.apply(input) as Symbolic });
  },
  batch,
  nodes,
});

const l = tf.layers;
const image = (): Batch => normal(2, 8, 8, 3);
const volume = (): Batch => normal(2, 5, 6, 4, 2);
const sequence = (): Batch => normal(2, 5, 4);
const film = (): Batch => normal(2, 3, 6, 6, 2);

/** Every layer class of tfjs that `model.predict` runs (Resizing does not), each in a model of its own. */
export const classes: readonly Case[] = [
  around(l.dense({ units: 3, activation: "relu" }), [7], () => normal(2, 7), ["kernel"]),
  around(l.conv1d({ filters: 3, kernelSize: 3, padding: "same" }), [5, 4], sequence, ["kernel"]),
  around(
    l.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
    [8, 8, 3],
    image,
    ["kernel"],
  ),
  around(l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 }), [8, 8, 3], image, ["kernel"]),
  around(l.conv3d({ filters: 3, kernelSize: 2, activation: "tanh" }), [5, 6, 4, 2], volume, ["kernel"]),
  around(l.conv3dTranspose({ filters: 3, kernelSize: 2 }), [5, 6, 4, 2], volume, ["kernel"]),
  around(l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }), [8, 8, 3], image, ["depthwise_kernel"]),
  around(l.separableConv2d({ filters: 5, kernelSize: 3 }), [8, 8, 3], image, [
    "depthwise_kernel",
    "pointwise_kernel",
  ]),
  around(l.embedding({ inputDim: 10, outputDim: 4 }), [6], () => integers(10, 2, 6), ["embeddings"]),
  around(l.simpleRNN({ units: 3 }), [5, 4], sequence, ["kernel", "recurrent_kernel"]),
  around(l.gru({ units: 3, returnSequences: true }), [5, 4], sequence, ["kernel", "recurrent_kernel"]),
  around(l.lstm({ units: 3, goBackwards: true, dropout: 0.2, recurrentDropout: 0.2 }), [5, 4], sequence, [
    "kernel",
    "recurrent_kernel",
  ]),
  around(l.rnn({ cell: [l.gruCell({ units: 3 }), l.lstmCell({ units: 2 })] as never }), [5, 4], sequence, [
    "RNNCell_0/kernel",
    "RNNCell_1/recurrent_kernel",
  ]),
  around(l.convLstm2d({ filters: 2, kernelSize: 3, returnSequences: true } as never), [3, 6, 6, 2], film, [
    "kernel",
    "recurrent_kernel",
  ]),
  around(
    l.bidirectional({ layer: l.lstm({ units: 3, name: "inner" }) as tf.RNN, mergeMode: "concat" }),
    [5, 4],
    sequence,
    ["forward_inner/kernel", "backward_inner/recurrent_kernel"],
  ),
  around(l.timeDistributed({ layer: l.dense({ units: 3 }) }), [5, 4], sequence, ["kernel"]),
  around(l.prelu({}), [8, 8, 3], image),
  around(l.batchNormalization({}), [8, 8, 3], image),
  around(l.layerNormalization({}), [8, 8, 3], image),
  around(l.reLU({ maxValue: 1 }), [7], () => normal(2, 7)),
  around(l.leakyReLU({}), [7], () => normal(2, 7)),
  around(l.elu({}), [7], () => normal(2, 7)),
  around(l.thresholdedReLU({}), [7], () => normal(2, 7)),
  around(l.softmax({ axis: -1 }), [7], () => normal(2, 7)),
  around(l.activation({ activation: "sigmoid" }), [7], () => normal(2, 7)),
  around(l.dropout({ rate: 0.5 }), [7], () => normal(2, 7)),
  around(l.spatialDropout1d({ rate: 0.5 }), [5, 4], sequence),
  around(l.gaussianNoise({ stddev: 1 }), [7], () => normal(2, 7)),
  around(l.gaussianDropout({ rate: 0.5 }), [7], () => normal(2, 7)),
  around(l.alphaDropout({ rate: 0.5 }), [7], () => normal(2, 7)),
  around(l.flatten(), [8, 8, 3], image),
  around(l.reshape({ targetShape: [4, 48] }), [8, 8, 3], image),
  around(l.permute({ dims: [2, 1] }), [5, 4], sequence),
  around(l.repeatVector({ n: 3 }), [7], () => normal(2, 7)),
  around(l.masking({ maskValue: 0 }), [5, 4], sequence),
  around(l.cropping2D({ cropping: 1 as never }), [8, 8, 3], image),
  around(l.zeroPadding2d({ padding: 1 }), [8, 8, 3], image),
  around(l.upSampling2d({}), [8, 8, 3], image),
  around(l.averagePooling1d({}), [5, 4], sequence),
  around(l.averagePooling2d({}), [8, 8, 3], image),
  around(l.averagePooling3d({ poolSize: [2, 2, 2], strides: [2, 2, 2] } as never), [5, 6, 4, 2], volume),
  around(l.maxPooling1d({}), [5, 4], sequence),
  around(l.maxPooling2d({}), [8, 8, 3], image),
  around(l.maxPooling3d({ poolSize: [2, 2, 2], strides: [2, 2, 2] } as never), [5, 6, 4, 2], volume),
  around(l.globalAveragePooling1d({}), [5, 4], sequence),
  around(l.globalAveragePooling2d({ dataFormat: "channelsLast" }), [8, 8, 3], image),
  around(l.globalMaxPooling1d({}), [5, 4], sequence),
  around(l.globalMaxPooling2d({ dataFormat: "channelsLast" }), [8, 8, 3], image),
  around(l.rescaling({ scale: 0.5, offset: 1 }), [8, 8, 3], image),
  // These two overwrite the input's declared shape by their output's.
  around(l.centerCrop({ height: 4, width: 4 }), [8, 8, 3], () => normal(2, 4, 4, 3)),
  around(l.categoryEncoding({ numTokens: 4, outputMode: "multiHot" }), [3], () => integers(4, 2, 4)),
];

const merged = (layer: tf.layers.Layer): Case => ({
  name: layer.getClassName(),
  model: () => {
    const a = tf.input({ shape: [6], name: `${layer.name}_a` });
    const b = tf.input({ shape: [6], name: `${layer.name}_b` });
    const left = l.dense({ units: 6, name: `${layer.name}_left` }).apply(a) as Symbolic;
    return tf.model({ inputs: [a, b], outputs: layer.apply([left, b]) as Symbolic });
  },
  batch: () => [normal(2, 6), normal(2, 6)],
  nodes: ["kernel"],
});

export const merges: readonly Case[] = [
  merged(l.add()),
  merged(l.average()),
  merged(l.concatenate()),
  merged(l.maximum()),
  merged(l.minimum()),
  merged(l.multiply()),
  merged(l.dot({ axes: -1 })),
];

const conv = (name: string, filters = 4): tf.layers.Layer =>
  l.conv2d({ name, filters, kernelSize: 3, padding: "same", useBias: false });

/** Two residual blocks, the second with a projection, as in a small ResNet. */
export function residual(): tf.LayersModel {
  const input = tf.input({ shape: [8, 8, 3], name: "image" });
  const unit = (x: Symbolic, name: string, filters: number): Symbolic => {
    const y = l.batchNormalization({ name: `${name}_bn` }).apply(conv(name, filters).apply(x)) as Symbolic;
    return l.activation({ name: `${name}_relu`, activation: "relu" }).apply(y) as Symbolic;
  };
  const stem = unit(input, "stem", 4);
  const first = l.add({ name: "add1" }).apply([unit(unit(stem, "a1", 4), "a2", 4), stem]) as Symbolic;
  const second = l
    .add({ name: "add2" })
    .apply([unit(unit(first, "b1", 6), "b2", 6), conv("project", 6).apply(first) as Symbolic]);
  const pooled = l.globalAveragePooling2d({ name: "pool", dataFormat: "channelsLast" }).apply(second);
  const output = l.dense({ name: "predictions", units: 5, activation: "softmax" }).apply(pooled) as Symbolic;
  return tf.model({ name: "residual", inputs: input, outputs: output });
}

/** A nested functional model called twice, itself with a nested sequential model. */
export function nested(): tf.LayersModel {
  const inside = tf.input({ shape: [8, 8, 4], name: "inside" });
  const block = tf.sequential({
    name: "block",
    layers: [
      l.conv2d({ name: "conv", filters: 4, kernelSize: 3, padding: "same", inputShape: [8, 8, 4] }),
      l.reLU({ name: "relu" }),
    ],
  });
  const inner = tf.model({
    name: "inner",
    inputs: inside,
    outputs: block.apply(conv("first").apply(inside)) as Symbolic,
  });
  const input = tf.input({ shape: [8, 8, 3], name: "image" });
  const twice = inner.apply(inner.apply(conv("stem").apply(input)) as Symbolic);
  const flat = l.flatten({ name: "flat" } as never).apply(twice);
  return tf.model({
    inputs: input,
    outputs: l.dense({ name: "out", units: 3, activation: "softmax" }).apply(flat) as Symbolic,
  });
}

export const wirings: readonly Case[] = [
  { name: "residual", model: residual, batch: image, nodes: ["kernel"] },
  { name: "nested and shared models", model: nested, batch: image, nodes: ["kernel"] },
  {
    name: "sequential in sequential",
    model: () =>
      tf.sequential({
        layers: [
          tf.sequential({
            name: "front",
            layers: [l.dense({ name: "d", units: 4, inputShape: [6], activation: "relu" })],
          }),
          tf.sequential({ name: "back", layers: [l.dense({ name: "e", units: 3, inputShape: [4] })] }),
        ],
      }),
    batch: () => normal(2, 6),
    nodes: ["kernel"],
  },
  {
    name: "shared layer, two inputs and two outputs",
    model: () => {
      const a = tf.input({ shape: [6], name: "left" });
      const b = tf.input({ shape: [6], name: "right" });
      const hidden = l.dense({ name: "hidden", units: 6, activation: "tanh" });
      const shared = l.dense({ name: "shared", units: 3 });
      const outputs = [a, b].map((x) => shared.apply(hidden.apply(x)) as Symbolic);
      return tf.model({ inputs: [a, b], outputs });
    },
    batch: () => [normal(2, 6), normal(2, 6)],
    nodes: ["kernel"],
  },
  {
    name: "masks through recurrent layers",
    model: () =>
      tf.sequential({
        layers: [
          l.embedding({ name: "words", inputDim: 10, outputDim: 4, maskZero: true, inputShape: [6] }),
          l.lstm({ name: "lstm", units: 3, returnSequences: true }),
          l.gru({ name: "gru", units: 3 }),
          l.dense({ name: "out", units: 2, activation: "softmax" }),
        ],
      }),
    batch: () => integers(10, 2, 6),
    nodes: ["kernel"],
  },
  {
    name: "states from one recurrent layer to another",
    model: () => {
      const a = tf.input({ shape: [5, 4], name: "source" });
      const b = tf.input({ shape: [3, 4], name: "target" });
      const [, h, c] = l.lstm({ name: "encoder", units: 3, returnState: true }).apply(a) as Symbolic[];
      const decoded = l
        .lstm({ name: "decoder", units: 3, returnSequences: true })
        .apply(b, { initialState: [h, c] });
      return tf.model({
        inputs: [a, b],
        outputs: l
          .timeDistributed({ name: "each", layer: l.dense({ units: 2, activation: "softmax" }) })
          .apply(decoded as Symbolic) as Symbolic,
      });
    },
    batch: () => [normal(2, 5, 4), normal(2, 3, 4)],
    nodes: ["kernel"],
  },
];
