import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { autoqnn } from "../../sdk/autoqnn.js";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";

beforeAll(() => tf.setBackend("cpu"));

const l = tf.layers;
type Kwargs = { training?: boolean };
type Config = NonNullable<ConstructorParameters<typeof tf.layers.Layer>[0]>;
const only = (inputs: tf.Tensor | tf.Tensor[]): tf.Tensor => (Array.isArray(inputs) ? inputs[0]! : inputs);
const data = (t: tf.Tensor): number[] => [...t.dataSync()];

/** A user's dense layer, in the ways users write one. */
class Mine extends tf.layers.Layer {
  protected kernel!: tf.LayerVariable;
  constructor(
    config: Config = {},
    private readonly units = 3,
  ) {
    super(config);
  }
  override build([, channels]: tf.Shape): void {
    this.kernel = this.addWeight(
      "kernel",
      [channels!, this.units],
      "float32",
      tf.initializers.randomNormal({ seed: 1 }),
    );
    super.build([null, channels!]);
  }
  override computeOutputShape([batch]: tf.Shape): tf.Shape {
    return [batch!, this.units];
  }
  override call(inputs: tf.Tensor | tf.Tensor[], _: Kwargs): tf.Tensor | tf.Tensor[] {
    return tf.matMul(only(inputs), this.kernel.read() as tf.Tensor2D);
  }
}

/** front (a Dense) -> the layer -> back (a Dense). */
function around(layer: tf.layers.Layer): tf.LayersModel {
  const input = tf.input({ shape: [5] });
  const kernelInitializer = tf.initializers.randomUniform({ minval: 0.1, maxval: 0.9, seed: 5 });
  const front = l.dense({ name: "front", units: 4, activation: "relu", kernelInitializer }).apply(input);
  const kernel = tf.initializers.randomUniform({ minval: -0.9, maxval: 0.9, seed: 6 });
  const back = l
    .dense({ name: "back", units: 2, activation: "softmax", kernelInitializer: kernel })
    .apply(layer.apply(front));
  return tf.model({ inputs: input, outputs: back as tf.SymbolicTensor });
}

/** The outputs of a pass in which every node's tensor is doubled, or only some. */
function doubled(graph: QuantizedGraph, pattern: RegExp): number[] {
  return tf.tidy(() => {
    const quantize = (node: { id: string }, x: tf.Tensor): tf.Tensor =>
      pattern.test(node.id) ? tf.mul(x, 2) : x;
    return data(graph.forward(graph.read(), tf.ones([2, 5]), { training: false, quantize }).outputs[0]!);
  });
}

const nodeIds = (graph: QuantizedGraph): string[] => graph.nodes.map(({ id }) => id);
const reasonAt = (graph: QuantizedGraph, id: string): string | undefined =>
  graph.leftAlone.find((edge) => edge.id === id)?.reason;

describe("a layer of a user's own is converted by the rule of all layers", () => {
  it("with its operations counted by what it runs, registered or not", () => {
    const graph = quantizedGraph(around(new Mine({ name: "mine" })));
    expect(nodeIds(graph)).toEqual([
      "front/kernel",
      "mine/kernel",
      "mine/input",
      "back/kernel",
      "back/input",
    ]);
    for (const id of ["mine/kernel", "mine/input"])
      expect(graph.nodes.find((node) => node.id === id)).toMatchObject({ macs: 4 * 3 });
    const plain = doubled(graph, /^$/);
    expect(doubled(graph, /^mine\/kernel/)).toEqual(doubled(graph, /^mine\/input/));
    expect(doubled(graph, /^mine\/kernel/)).not.toEqual(plain);
  });

  it.each([
    [
      "the variable behind the weight",
      class extends Mine {
        override call(inputs: tf.Tensor[]): tf.Tensor {
          return tf.matMul(only(inputs), Reflect.get(this.kernel, "val") as tf.Tensor2D);
        }
      },
    ],
    [
      "a property that keeps that variable",
      class extends Mine {
        private variable!: tf.Tensor2D;
        override build(shape: tf.Shape): void {
          super.build(shape);
          this.variable = this.kernel.read() as tf.Tensor2D;
        }
        override call(inputs: tf.Tensor[]): tf.Tensor {
          return tf.matMul(only(inputs), this.variable);
        }
      },
    ],
  ])("where its call reads %s", (_, Kind) => {
    const layer = new Kind({ name: "mine" });
    const graph = quantizedGraph(around(layer));
    expect(nodeIds(graph)).toContain("mine/kernel");
    const before = Object.values(layer);
    expect(doubled(graph, /^mine\/kernel/)).toEqual(doubled(graph, /^mine\/input/));
    expect(doubled(graph, /^mine\/kernel/)).not.toEqual(doubled(graph, /^$/));
    expect(Object.values(layer)).toEqual(before);
  });

  it("also inside a wrapper, and with layers inside itself, which are trained with it", () => {
    class Block extends tf.layers.Layer {
      private readonly inner = l.dense({ name: "inner", units: 3, useBias: false });
      private readonly drop = l.dropout({ rate: 0.5 });
      override build(shape: tf.Shape): void {
        this.inner.build(shape);
        super.build(shape);
      }
      override computeOutputShape(shape: tf.Shape): tf.Shape {
        return [...shape.slice(0, -1), 3];
      }
      override call(inputs: tf.Tensor[], kwargs: Kwargs): tf.Tensor {
        return this.drop.apply(this.inner.apply(only(inputs)), kwargs) as tf.Tensor;
      }
    }
    const input = tf.input({ shape: [6, 4] });
    const wrapped = l.timeDistributed({ name: "each", layer: new Block({ name: "block" }) }).apply(input);
    const output = new Block({ name: "block" }).apply(wrapped) as tf.SymbolicTensor;
    const graph = quantizedGraph(tf.model({ inputs: input, outputs: output }));
    expect(nodeIds(graph)).toEqual(["each/kernel", "block/kernel", "block/input"]);
    expect(graph.variables.map(({ trainable }) => trainable)).toEqual([true, true]);
    expect(graph.nodes.map(({ macs }) => macs)).toEqual([6 * 4 * 3, 6 * 3 * 3, 6 * 3 * 3]);
  });

  it("also as a model with a call of its own, nested and as the whole", () => {
    class Own extends tf.Sequential {
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.mul(only(super.call(inputs, {})), 3);
      }
    }
    const own = (): Own =>
      new Own({ name: "own", layers: [l.dense({ name: "d", units: 4, inputShape: [4], useBias: false })] });
    const nested = quantizedGraph(around(own()));
    expect(nodeIds(nested)).toEqual([
      "front/kernel",
      "own/d/kernel",
      "own/input",
      "back/kernel",
      "back/input",
    ]);
    expect(nested.variables.every(({ trainable }) => trainable)).toBe(true);

    const whole = own();
    const graph = quantizedGraph(whole, { quantizeInput: true });
    expect(nodeIds(graph)).toEqual(["own/d/kernel", "own/input"]);
    const x = tf.ones([2, 4]);
    const expected = data(whole.apply(x) as tf.Tensor);
    const quantize = (_: unknown, t: tf.Tensor): tf.Tensor => t;
    const actual = tf.tidy(() =>
      data(graph.forward(graph.read(), x, { training: false, quantize }).outputs[0]!),
    );
    expect(actual).toEqual(expected);
    class Shapeless extends tf.LayersModel {
      constructor() {
        super({ inputs: [], outputs: [] });
      }
    }
    expect(() => quantizedGraph(new Shapeless())).toThrow(/class Shapeless\) without inputs/);
  });

  it("also when its activation is no last act: logits are what comes out", () => {
    class Gate extends Mine {
      private readonly activation = { apply: tf.softmax, getClassName: () => "softmax" };
      override call(inputs: tf.Tensor[]): tf.Tensor {
        return tf.mul(this.activation.apply(super.call(inputs, {}) as tf.Tensor), 5);
      }
    }
    const input = tf.input({ shape: [5] });
    const output = new Gate({ name: "gate" }).apply(input) as tf.SymbolicTensor;
    expect(quantizedGraph(tf.model({ inputs: input, outputs: output })).outputs[0]!.softmax).toBe(false);
  });
});

describe("rules that hold for every layer hold for a user's own", () => {
  /** Logits over the words of an embedding, by the embedding's own weights. */
  class Tied extends tf.layers.Layer {
    constructor(readonly words: tf.layers.Layer) {
      super({ name: "tied" });
    }
    override computeOutputShape(shape: tf.Shape): tf.Shape {
      return [...shape.slice(0, -1), this.words.weights[0]!.shape[0]!];
    }
    override call([x]: tf.Tensor3D[]): tf.Tensor {
      const table = this.words.weights[0]!.read() as tf.Tensor2D;
      return tf.reshape(tf.matMul(tf.reshape(x!, [-1, table.shape[1]]), table, false, true), [
        ...x!.shape.slice(0, -1),
        table.shape[0],
      ]);
    }
  }

  it("a table of an embedding that is the output's kernel too is one node, read by both", () => {
    const words = l.embedding({ name: "words", inputDim: 9, outputDim: 4 });
    const input = tf.input({ shape: [5] });
    const hidden = l.dense({ name: "hidden", units: 4, useBias: false }).apply(words.apply(input));
    const output = new Tied(words).apply(hidden) as tf.SymbolicTensor;
    const graph = quantizedGraph(tf.model({ inputs: input, outputs: output }));
    expect(graph.nodes.map(({ id, consumers, macs }) => [id, consumers, macs])).toEqual([
      ["words/embeddings", 2, 5 * 4 * 9],
      ["hidden/kernel", 1, 5 * 4 * 4],
      ["hidden/input", 1, 5 * 4 * 4],
      ["tied/input", 1, 5 * 4 * 9],
    ]);
    expect(reasonAt(graph, "words/input")).toBe("integers: positions in a table");
    expect(graph.table().totals).toMatchObject({ parameters: { all: 36 + 16 }, macs: 5 * 4 * (9 + 4) });
    // The table doubled at the one node is doubled at both reads.
    const quantize = (node: { id: string }, x: tf.Tensor): tf.Tensor =>
      node.id === "words/embeddings" ? tf.mul(x, 2) : x;
    const pass = (quantized: boolean): number[] =>
      tf.tidy(() => {
        const keep = (_: unknown, x: tf.Tensor): tf.Tensor => x;
        const given = { training: false, quantize: quantized ? quantize : keep };
        return data(graph.forward(graph.read(), tf.tensor2d([[1, 2, 3, 4, 5]]), given).outputs[0]!);
      });
    const [plain, twice] = [pass(false), pass(true)];
    for (const [i, value] of twice.entries()) expect(value).toBeCloseTo(4 * plain[i]!, 4);
  });

  it("a layer called with other shapes has an input node for each, with its own counts", () => {
    const shared = new Mine({ name: "shared" });
    const [a, b] = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
    const longer = l.dense({ name: "longer", units: 3, useBias: false });
    const both = l.concatenate({ name: "both" });
    const seen = [shared.apply(a), shared.apply(b)] as tf.SymbolicTensor[];
    const deep = longer.apply(l.reshape({ name: "r", targetShape: [2, 3] }).apply(both.apply(seen)));
    const flat = longer.apply(seen[0]!);
    const graph = quantizedGraph(tf.model({ inputs: [a, b], outputs: [deep, flat] as tf.SymbolicTensor[] }));
    expect(graph.nodes.map(({ id, consumers, macs }) => [id, consumers, macs])).toEqual(
      expect.arrayContaining([
        ["shared/kernel", 2, 2 * 12],
        ["longer/kernel", 2, 3 * 9],
      ]),
    );
    const inputs = graph.nodes.filter(({ id }) => id.startsWith("longer/input"));
    expect(inputs.map(({ shape, macs }) => [shape.length, macs]).sort()).toEqual([
      [1, 9],
      [2, 18],
    ]);
  });

  it("masks reach it, and it may count on them", () => {
    class Mean extends tf.layers.Layer {
      constructor() {
        super({ name: "mean" });
        this.supportsMasking = true;
      }
      override computeMask(): tf.Tensor {
        return undefined as unknown as tf.Tensor;
      }
      override computeOutputShape([batch, , channels]: tf.Shape): tf.Shape {
        return [batch!, channels!];
      }
      override call([x]: tf.Tensor[], { mask }: { mask?: tf.Tensor }): tf.Tensor {
        const there = tf.expandDims(tf.cast(mask!, "float32"), -1);
        return tf.div(tf.sum(tf.mul(x!, there), 1), tf.sum(there, 1));
      }
    }
    const input = tf.input({ shape: [3] });
    const words = l.embedding({ name: "words", inputDim: 9, outputDim: 2, maskZero: true }).apply(input);
    const model = tf.model({ inputs: input, outputs: new Mean().apply(words) as tf.SymbolicTensor });
    const graph = quantizedGraph(model);
    const x = tf.tensor2d([[3, 5, 0]]);
    const quantize = (_: unknown, t: tf.Tensor): tf.Tensor => t;
    const actual = tf.tidy(() =>
      data(graph.forward(graph.read(), x, { training: false, quantize }).outputs[0]!),
    );
    expect(actual).toEqual(data(model.predict(x) as tf.Tensor));
  });
});

describe("what cannot be converted is left alone, and the rest is converted", () => {
  it("a variable beside the weights, which keeps its value", () => {
    class Scaled extends Mine {
      private readonly factors = [tf.variable(tf.fill([4, 3], 0.5), false)];
      override call(inputs: tf.Tensor[]): tf.Tensor {
        return tf.matMul(only(inputs), tf.mul(this.kernel.read(), this.factors[0]!) as tf.Tensor2D);
      }
    }
    const graph = quantizedGraph(around(new Scaled({ name: "scaled" })));
    expect(reasonAt(graph, "scaled/factors_0")).toMatch(/tf\.Variable beside/);
    expect(graph.variables.find(({ name }) => name === "scaled/factors_0")).toMatchObject({
      trainable: false,
    });
    expect(nodeIds(graph)).toContain("scaled/kernel");
    const halved = tf.tidy(() => {
      const values = { ...graph.read(), "scaled/factors_0": tf.fill([4, 3], 1) };
      const quantize = (_: unknown, x: tf.Tensor): tf.Tensor => x;
      return data(graph.forward(values, tf.ones([2, 5]), { training: false, quantize }).outputs[0]!);
    });
    expect(halved).toEqual(doubled(graph, /^scaled\/kernel/));
  });

  it("weights and inputs that its call does not use", () => {
    class Idle extends Mine {
      private idle!: tf.LayerVariable;
      override build(shape: tf.Shape): void {
        this.idle = this.addWeight("idle", [2, 2], "float32", tf.initializers.zeros());
        super.build(Array.isArray(shape[0]) ? (shape[0] as never) : shape);
      }
      override computeOutputShape(): tf.Shape {
        return [null, 3];
      }
      override call(inputs: tf.Tensor[], kwargs: Kwargs): tf.Tensor | tf.Tensor[] {
        this.idle.read();
        return super.call([inputs[0]!], kwargs);
      }
    }
    const a = tf.input({ shape: [4] });
    const b = tf.input({ shape: [4] });
    const output = new Idle({ name: "idle" }).apply([a, b]) as tf.SymbolicTensor;
    const graph = quantizedGraph(tf.model({ inputs: [a, b], outputs: output }), { quantizeInput: true });
    expect(nodeIds(graph)).toEqual(["idle/kernel", "idle/input"]);
    expect(reasonAt(graph, "idle/idle")).toBe("its layer does not use it");
    expect(reasonAt(graph, "idle/input:1")).toBe("its layer does not use it");
  });
});

describe("what a compiled step would compute wrongly is refused at once, by the name of the layer", () => {
  const refusals: [string, (x: tf.Tensor, kwargs: Kwargs, layer: tf.layers.Layer) => unknown, RegExp][] = [
    [
      "values read on the host",
      (x) => tf.mul(x, x.sum().dataSync()[0]!),
      /read of a tensor's values in layer "bad"/,
    ],
    [
      "random numbers drawn there",
      (x) => tf.add(x, tf.randomNormal(x.shape)),
      /randomNormal\) in layer "bad"/,
    ],
    [
      "the same, with a seed",
      (x) => tf.add(x, tf.randomUniform(x.shape, 0, 1, "float32", 7)),
      /randomUniform/,
    ],
    ["the same, of JavaScript's", (x) => tf.mul(x, Math.random()), /Math\.random\) in layer "bad"/],
    [
      "the same, in training alone",
      (x, { training }) => (training ? tf.dropout(x, 0.5) : x),
      /dropout\) in layer "bad"/,
    ],
    [
      "variables made in the call",
      (x) => tf.mul(x, tf.variable(tf.scalar(2))),
      /the variable ".+", which is none/,
    ],
    [
      "tensors kept for the next call",
      (x, _, layer) => {
        const last = Reflect.get(layer, "last") as tf.Tensor | undefined;
        Reflect.set(layer, "last", tf.keep(x.clone()));
        return last ? tf.add(x, last) : x;
      },
      /kept from one call to the next in layer "bad"/,
    ],
    [
      "other outputs than declared",
      (x) => [x, x],
      /to return \[any, 4\] as it declares, received \[1, 4\] and \[1, 4\]/,
    ],
    [
      "other shapes in training",
      (x, { training }) => (training ? tf.concat([x, x], 1) : x),
      /received \[1, 8\]/,
    ],
    ["no tensor at all", async (x) => x, /received object/],
    [
      "calls that throw",
      () => tf.ones([2]).add(tf.ones([3])),
      /layer "bad" .* to compute on zeros of shape \[1,4\]/,
    ],
  ];
  it.each(refusals)("%s", (_, body, message) => {
    class Bad extends tf.layers.Layer {
      override call(inputs: tf.Tensor[], kwargs: Kwargs): tf.Tensor {
        return body(only(inputs), kwargs, this) as tf.Tensor;
      }
    }
    const layer = new Bad({ name: "bad" });
    const model = around(layer);
    const before = { tensors: tf.memory().numTensors, properties: Object.keys(layer), random: Math.random };
    expect(() => quantizedGraph(model)).toThrow(message);
    expect(Object.keys(layer)).toEqual(before.properties);
    expect(Math.random).toBe(before.random);
    expect(Object.keys(tf.engine())).not.toContain("runKernelFunc");
    if (!/made in the call/.test(_)) expect(tf.memory().numTensors).toBe(before.tensors);
  });

  it("a variable that the call reaches by a closure", () => {
    const secret = tf.variable(tf.scalar(2), false, "secret");
    class Closed extends tf.layers.Layer {
      override call(inputs: tf.Tensor[]): tf.Tensor {
        return tf.mul(only(inputs), secret);
      }
    }
    expect(() => quantizedGraph(around(new Closed({ name: "closed" })))).toThrow(
      /variable "secret".*"closed"/,
    );
  });

  it("constants made in the call may be read there", () => {
    class Fine extends tf.layers.Layer {
      override call(inputs: tf.Tensor[]): tf.Tensor {
        return tf.mul(only(inputs), tf.scalar(3).dataSync()[0]!);
      }
    }
    expect(nodeIds(quantizedGraph(around(new Fine({ name: "fine" }))))).toContain("back/input");
  });
});

describe("a plan is refused before any work where its result could not be saved", () => {
  class Unregistered extends Mine {}
  class Nameless extends Mine {
    static readonly className = "Nameless";
    constructor(config: Config, extra: { width: number }) {
      super(config, extra.width);
    }
  }
  class Forgetful extends Mine {
    static readonly className = "Forgetful";
    constructor(config: Config & { width?: number }) {
      super(config, config.width ?? 2);
    }
  }
  class Complete extends Mine {
    static readonly className = "Complete";
    constructor(private readonly config: Config & { width?: number }) {
      super(config, config.width ?? 2);
    }
    override getConfig(): tf.serialization.ConfigDict {
      return { ...super.getConfig(), width: this.config.width ?? 2 };
    }
  }
  beforeAll(async () => {
    await referenceEngine();
    for (const kind of [Nameless, Forgetful, Complete]) tf.serialization.registerClass(kind as never);
  });

  it.each([
    [
      "classes that are not registered",
      () => new Unregistered({ name: "odd" }),
      /Unregistered.*not registered|registered.*Unregistered/s,
    ],
    [
      "constructors that take more than a configuration",
      () => new Nameless({ name: "odd" }, { width: 3 }),
      /layer "odd".*getConfig of Nameless/s,
    ],
    [
      "configurations that leave something out",
      () => new Forgetful({ name: "odd", width: 3 }),
      /\[4,3\].*\[4,2\].*"odd"/s,
    ],
  ])("%s", (_, make, message) => {
    expect(() => autoqnn(around(make()))).toThrow(message);
    expect(() => autoqnn(around(l.timeDistributed({ layer: l.dense({ units: 2 }) }) && make()))).toThrow(
      message,
    );
  });

  it("models with a call of their own", () => {
    class Own extends tf.Sequential {
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.mul(only(super.call(inputs, {})), 3);
      }
    }
    const own = new Own({ name: "own", layers: [l.dense({ units: 4, inputShape: [4] })] });
    expect(() => autoqnn(around(own))).toThrow(
      /class Own with a call of its own at layer "own".*extends tf\.layers\.Layer/,
    );
  });

  it("but not where it can be", () => {
    expect(nodeIds(autoqnn(around(new Complete({ name: "odd", width: 3 }))).graph)).toContain("odd/kernel");
  });
});
