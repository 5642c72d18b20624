import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bitOperations, operationCost } from "../../sdk/graph/costs.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { liveActivations } from "../../sdk/graph/memory.js";
import { autoqnn, engine, load } from "../../sdk/index.js";
import { measure } from "../../sdk/staircase/schemes.js";
import { calibrate } from "../../sdk/train/calibrate.js";
import { checkedSource } from "../../sdk/train/data.js";
import { modelShape } from "../../sdk/train/workbench.js";
import { fill, ours, recurrentNetwork, transformer } from "./sequences.js";

const BOTH = { recurrentState: true, attentionProducts: true };
const NETWORKS = { recurrentNetwork, transformer };
const STATES = ["lstm/state", "gru/state"];
const PRODUCTS = ["attention/query", "attention/key", "attention/value", "attention/probabilities"];

const inputs = (graph: ReturnType<typeof quantizedGraph>): string[] =>
  graph.nodes.filter(({ kind }) => kind === "input").map(({ id }) => id);

describe("edges inside layers", () => {
  it("hidden states are nodes by option, and left alone with a reason without it", () => {
    const model = recurrentNetwork();
    expect(inputs(quantizedGraph(model))).toEqual(["gru/input", "classes/input"]);
    expect(quantizedGraph(model).leftAlone.filter(({ id }) => STATES.includes(id))).toMatchObject([
      { id: "lstm/state", kind: "input", layer: "lstm", reason: expect.stringMatching(/recurrentState/) },
      { id: "gru/state" },
    ]);
    const graph = quantizedGraph(model, { recurrentState: true });
    expect(inputs(graph)).toEqual(["lstm/state", "gru/input", "gru/state", "classes/input"]);
    // Five steps of three units, each into four gates of three.
    expect(graph.nodes.find(({ id }) => id === "lstm/state")).toMatchObject({
      ...{ shape: [5, 3], elements: 15, steps: 5, macs: 5 * 3 * 12, consumers: 1 },
    });
    expect(graph.nodes.find(({ id }) => id === "lstm/recurrent_kernel")!.macs).toBe(5 * 3 * 12);
    expect(String(graph.table())).toContain("lstm/state");
  });

  it("the projection of attention is a node like the layer's inputs, the factors of its products by option", () => {
    const model = transformer();
    const plain = quantizedGraph(model, { quantizeInput: true });
    expect(inputs(plain)).toEqual([
      ...["attention/input", "attention/input:1", "attention/projection"],
      ...["wide/input", "narrow/input", "classes/input"],
    ]);
    const graph = quantizedGraph(model, { attentionProducts: true });
    expect(inputs(graph)).toEqual(expect.arrayContaining(PRODUCTS));
    const macs = Object.fromEntries(graph.nodes.map((node) => [node.id, node.macs]));
    // Two heads of three features, five positions; the result has four.
    expect(macs).toMatchObject({
      "attention/query": 2 * 5 * 5 * 3,
      "attention/key": 2 * 5 * 5 * 3,
      "attention/probabilities": 2 * 5 * 5 * 3,
      "attention/value": 2 * 5 * 5 * 3,
      "attention/projection": 5 * 6 * 4,
      "attention/query/kernel": 5 * 4 * 6,
      "attention/key/kernel": 5 * 4 * 6,
      "attention/attention_output/kernel": 5 * 6 * 4,
    });
    expect(quantizedGraph(model, { exclude: ["attention/*"] }).leftAlone).toContainEqual(
      expect.objectContaining({ id: "attention/projection", reason: "its layer owns no quantized weight" }),
    );
  });

  it("a product of two inner edges costs the bits of both", () => {
    const graph = quantizedGraph(transformer(), { attentionProducts: true });
    const at = (bits: Record<string, number>) =>
      bitOperations(
        graph,
        Object.fromEntries(Object.entries(bits).map(([id, b]) => [id, { scheme: "clip", bits: b }])),
      );
    const floating = at({});
    expect(floating - at({ "attention/query": 4, "attention/key": 2 })).toBe(150 * (32 * 32 - 4 * 2));
    expect(operationCost(graph).products).toContainEqual({
      ...{ weight: "attention/value", input: "attention/probabilities", coefficient: 150 },
    });
    // A state is in memory once, whatever the number of steps.
    const states = quantizedGraph(recurrentNetwork(), { recurrentState: true });
    const full = liveActivations(states, {}).sum;
    expect(full - liveActivations(states, { "lstm/state": { scheme: "clip", bits: 2 } }).sum).toBe(3 * 30);
  });

  it("a layer of a user's own declares them the same way", () => {
    class Squeeze extends tf.layers.Layer {
      static className = "SqueezeOfTest";
      #in!: tf.LayerVariable;
      #out!: tf.LayerVariable;
      override build(shape: tf.Shape) {
        const channels = shape[1]!;
        this.#in = this.addWeight("in", [channels, 2], "float32", tf.initializers.glorotNormal({ seed: 1 }));
        this.#out = this.addWeight(
          "out",
          [2, channels],
          "float32",
          tf.initializers.glorotNormal({ seed: 2 }),
        );
        this.built = true;
      }
      override computeOutputShape(shape: tf.Shape) {
        return shape;
      }
      innerEdges([shape]: readonly (readonly number[])[]) {
        return [{ name: "narrow", shape: [2], meets: [{ factor: "out", macs: 2 * shape![0]! }] }];
      }
      enter(_: string, x: tf.Tensor) {
        return x;
      }
      override call(inputs: tf.Tensor | tf.Tensor[]) {
        return tf.tidy(() => {
          const narrow = tf.matMul([inputs].flat()[0]!, this.#in.read());
          return tf.matMul(this.enter("narrow", narrow), this.#out.read());
        });
      }
    }
    const input = tf.input({ shape: [4] });
    const output = new Squeeze({ name: "squeeze" }).apply(input) as tf.SymbolicTensor;
    const graph = quantizedGraph(tf.model({ inputs: input, outputs: output }));
    expect(graph.nodes.map(({ id, macs }) => [id, macs])).toEqual([
      ...[
        ["squeeze/in", 8],
        ["squeeze/out", 8],
        ["squeeze/narrow", 8],
      ],
    ]);
    const seen: string[] = [];
    tf.tidy(() => {
      const quantize = ({ id }: { id: string }, x: tf.Tensor) => {
        seen.push(`${id} ${x.shape}`);
        return id === "squeeze/narrow" ? tf.zerosLike(x) : x;
      };
      const { outputs } = graph.forward(graph.read(), tf.ones([3, 4]), { training: false, quantize });
      expect([...outputs[0]!.dataSync()]).toEqual(Array(12).fill(0));
    });
    expect(seen).toContain("squeeze/narrow 3,2");
  });
});

const grid = (x: number): number => Math.round(x * 8) / 8;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const times = (x: readonly number[], m: readonly number[][]): number[] =>
  m[0]!.map((_, j) => x.reduce((sum, value, i) => sum + value * m[i]![j]!, 0));

/** One sequence through a cell, h rounded to the grid at each step where it meets the recurrent kernel. */
const LOOPS: Record<string, (x: number[][], w: (name: string) => number[][], units: number) => number[]> = {
  SimpleRNN: (x, w, units) => {
    let h = Array(units).fill(0) as number[];
    for (const step of x) {
      const [a, b] = [times(step, w("kernel")), times(h.map(grid), w("recurrent_kernel"))];
      h = h.map((_, i) => Math.tanh(a[i]! + b[i]! + w("bias")[0]![i]!));
    }
    return h;
  },
  LSTM: (x, w, units) => {
    let h = Array(units).fill(0) as number[];
    let c = [...h];
    for (const step of x) {
      const [a, b] = [times(step, w("kernel")), times(h.map(grid), w("recurrent_kernel"))];
      const z = a.map((value, i) => value + b[i]! + w("bias")[0]![i]!);
      const gate = (k: number, i: number): number => sigmoid(z[k * units + i]!);
      c = c.map((value, i) => gate(1, i) * value + gate(0, i) * Math.tanh(z[2 * units + i]!));
      h = c.map((value, i) => gate(3, i) * Math.tanh(value));
    }
    return h;
  },
  GRU: (x, w, units) => {
    let h = Array(units).fill(0) as number[];
    for (const step of x) {
      const a = times(step, w("kernel")).map((value, i) => value + w("bias")[0]![i]!);
      const recurrent = w("recurrent_kernel");
      const b = times(h.map(grid), recurrent);
      const gate = (k: number, i: number): number => sigmoid(a[k * units + i]! + b[k * units + i]!);
      const reset = times(
        h.map((value, i) => grid(gate(1, i) * value)),
        recurrent,
      );
      h = h.map((value, i) => {
        const candidate = Math.tanh(a[2 * units + i]! + reset[2 * units + i]!);
        return gate(0, i) * value + (1 - gate(0, i)) * candidate;
      });
    }
    return h;
  },
};

describe("a quantized hidden state is that of a loop which rounds it at each step", () => {
  const units = 3;
  const layers: readonly (readonly [string, () => tf.layers.Layer])[] = [
    ["SimpleRNN", () => tf.layers.simpleRNN({ name: "cell", units })],
    ["LSTM", () => tf.layers.lstm({ name: "cell", units, recurrentActivation: "sigmoid" })],
    ["GRU", () => tf.layers.gru({ name: "cell", units, recurrentActivation: "sigmoid" })],
    ["LSTM", () => ours("LSTM", { name: "cell", units, recurrentActivation: "sigmoid" })],
    ["GRU", () => ours("GRU", { name: "cell", units, recurrentActivation: "sigmoid" })],
  ];
  it.each(layers)("%s", (kind, make) => {
    const input = tf.input({ shape: [6, 4] });
    const model = tf.model({ inputs: input, outputs: make().apply(input) as tf.SymbolicTensor });
    fill(model);
    const graph = quantizedGraph(model, { recurrentState: true });
    const values = graph.read();
    const w = (name: string): number[][] => {
      const value = values[`cell/${name}`]!;
      return value.reshape([value.rank > 1 ? value.shape[0]! : 1, -1]).arraySync() as number[][];
    };
    const x = tf.randomNormal([2, 6, 4], 0, 1, "float32", 4) as tf.Tensor3D;
    const steps: number[] = [];
    tf.tidy(() => {
      const { outputs } = graph.forward(values, x, {
        training: false,
        quantize: (node, value) => {
          if (!node.id.endsWith("state")) return value;
          steps.push(value.shape[1]!);
          return tf.div(tf.round(tf.mul(value, 8)), 8);
        },
      });
      const actual = outputs[0]!.arraySync() as number[][];
      for (const [row, sequence] of x.arraySync().entries()) {
        const expected = LOOPS[kind]!(sequence, w, units);
        for (const [i, value] of expected.entries()) expect(actual[row]![i]).toBeCloseTo(value, 5);
      }
    });
    expect(steps.length).toBe(kind === "GRU" ? 12 : 6);
  });
});

describe.each(Object.entries(NETWORKS))("inner nodes of the %s through the stages", (name, make) => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "autoqnn-inner-"));
    await engine();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  /** Sequences whose class is where their sum is largest. */
  function* examples() {
    for (let i = 0; i < 4; i++) {
      const x = tf.randomNormal([8, 5, 4], 0, 1, "float32", 50 + i);
      const y = tf.tidy(() => tf.cast(tf.argMax(tf.sum(x, 1).slice([0, 0], [8, 3]), 1), "int32"));
      yield { x, y };
    }
  }
  const data = { train: { [Symbol.iterator]: examples } };

  it("what passes at several steps is measured together", async () => {
    const graph = quantizedGraph(make(), { quantizeInput: true, ...BOTH });
    const source = await checkedSource("examples", data.train, modelShape(graph));
    const options = { batchSize: 8, batches: 1, seed: 1 };
    const { statistics } = await calibrate(await engine(), graph, source, options);
    const passed: Record<string, number[]> = {};
    const quantize = ({ id }: { id: string }, x: tf.Tensor) => {
      passed[id] = [...(passed[id] ?? []), ...x.dataSync()];
      return x;
    };
    const { x } = [...examples()][0]!;
    tf.tidy(() => graph.forward(graph.read(), x, { training: false, quantize }));
    for (const { id } of graph.inner) {
      const expected = measure(Float32Array.from(passed[id]!));
      for (const [i, value] of expected.entries()) expect(statistics[id]![i]).toBeCloseTo(value, 4);
    }
  });

  it("a step of search and one of learning train, and the artifact predicts the same after loading", async () => {
    const model = make();
    const plan = autoqnn(model, { data, batchSize: 8, seed: 1, quantizeInput: true, ...BOTH });
    const inner = plan.graph.inner.map(({ id }) => id);
    expect(plan.graph.nodes.map(({ id }) => id)).toEqual(expect.arrayContaining(inner));
    const searched = await plan.searchSchemes({ steps: 2, control: false }).run();
    for (const loss of searched.history.loss) expect(Number.isFinite(loss)).toBe(true);
    const learned = await searched.learnPrecision({ steps: 2, roundings: ["gamma 1"] }).run();
    for (const loss of learned.history.loss) expect(Number.isFinite(loss)).toBe(true);
    for (const id of inner) {
      expect(searched.theta[id]!.some((value) => value !== 0)).toBe(true);
      expect([...learned.snapshot.statistics[id]!].every(Number.isFinite)).toBe(true);
      expect(learned.snapshot.statistics[id]).not.toEqual(searched.snapshot.statistics[id]);
    }
    const before = plan.graph.read();
    const changed = Object.entries(before).filter(([key, value]) =>
      value.dataSync().some((each, i) => each !== learned.snapshot.variables[key]!.data[i]),
    );
    expect(changed.map(([key]) => key)).toEqual(
      expect.arrayContaining(plan.graph.nodes.flatMap(({ variable }) => (variable ? [variable] : []))),
    );

    const quantized = await learned.generate();
    for (const id of inner) expect(quantized.assignment[id]).toBeDefined();
    await quantized.save(join(root, name));
    const loaded = await load(join(root, name));
    const x = tf.randomNormal([3, 5, 4], 0, 1, "float32", 9);
    const bits = (y: tf.Tensor) => [...new Uint32Array(Float32Array.from(y.dataSync()).buffer)];
    expect(bits(loaded.predict(x))).toEqual(bits(quantized.predict(x)));
    expect(loaded.sizes).toEqual(quantized.sizes);
  });
});
