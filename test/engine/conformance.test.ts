import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Engine, Step, TensorMap } from "../../sdk/engine/engine.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { AutoqnnError } from "../../sdk/errors.js";
import { onGpu, product } from "./device.js";

type Body = (inputs: TensorMap) => TensorMap;
const names = ["native", "reference"] as const;
const engines = {} as Record<(typeof names)[number], Engine>;
const steps: Step[] = [];

function compile(name: (typeof names)[number], body: Body, label = "step"): Step {
  const step = engines[name].compile(label, body);
  steps.push(step);
  return step;
}

/** The outputs of one run as plain arrays. */
async function run(step: Step, inputs: TensorMap): Promise<Record<string, number[]>> {
  const outputs = await step.run(inputs);
  const read = Object.entries(outputs).map(
    ([name, tensor]) => [name, Array.from(tensor.dataSync())] as const,
  );
  tf.dispose(outputs);
  return Object.fromEntries(read);
}

async function refusal(promise: Promise<unknown>): Promise<AutoqnnError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AutoqnnError);
  return error as AutoqnnError;
}

function nativeTensors(): number {
  return (
    tf.findBackend("tensorflow") as unknown as { binding: { getNumOfTensors(): number } }
  ).binding.getNumOfTensors();
}

/** Values in [-1, 1) that no random number generator is needed for. */
function waves(shape: number[], phase = 0): tf.Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + phase)),
    shape,
  );
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = actual.reduce((most, value, i) => {
    const difference = Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    return Math.max(most, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }, 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}

beforeAll(async () => {
  engines.native = await nativeEngine();
  engines.reference = await referenceEngine();
});

afterEach(() => {
  for (const step of steps.splice(0)) step.dispose();
});

describe.each(names)("the %s engine", (name) => {
  it("runs a pure function of its inputs", async () => {
    const step = compile(name, ({ x, y }) => ({
      sum: tf.add(x!, y!),
      scaled: tf.mul(x!, 3),
      x: x!,
      again: x!,
    }));
    const inputs = { x: tf.tensor1d([1, 2, 3]), y: tf.tensor1d([10, 20, 30]) };
    const expected = { sum: [11, 22, 33], scaled: [3, 6, 9], x: [1, 2, 3], again: [1, 2, 3] };
    expect(await run(step, inputs)).toEqual(expected);
    expect(await run(step, { x: inputs.y, y: inputs.x })).toEqual({
      sum: [11, 22, 33],
      scaled: [30, 60, 90],
      x: [10, 20, 30],
      again: [10, 20, 30],
    });
    expect(Array.from(inputs.x.dataSync())).toEqual([1, 2, 3]);
    tf.dispose(inputs);
  });

  it("takes constants of any size whose elements are equal, and small ones", async () => {
    const step = compile(name, ({ x }) => ({
      y: tf
        .zeros([300, 300])
        .add(tf.ones([300, 300]))
        .add(tf.fill([300, 300], -0))
        .sum()
        .add(x!),
      z: tf.tensor1d([1, 2, 4]).mul(x!),
      nan: tf.fill([100], Number.NaN).isNaN().sum(),
      negativeZero: tf.div(1, tf.fill([100], -0)).max(),
    }));
    const x = tf.scalar(2);
    expect(await run(step, { x })).toEqual({
      y: [90002],
      z: [2, 4, 8],
      nan: [100],
      negativeZero: [Number.NEGATIVE_INFINITY],
    });
    x.dispose();
  });

  it("differentiates, also by custom gradients", async () => {
    const doubled = tf.customGrad((x) => {
      const input = x as tf.Tensor;
      return { value: input.square(), gradFunc: (dy) => (dy as tf.Tensor).mul(2) };
    });
    const step = compile(name, ({ x }) => ({
      cubic: tf.grad((v: tf.Tensor) => v.pow(3).sum())(x!),
      custom: tf.grad((v: tf.Tensor) => doubled(v).sum())(x!),
    }));
    const x = tf.tensor1d([1, -2, 3]);
    const { cubic, custom } = await run(step, { x });
    expectClose(cubic!, [3, 12, 27], 1e-5);
    expect(custom).toEqual([2, 2, 2]);
    x.dispose();
  });

  it("traces anew for new shapes and types", async () => {
    const step = compile(name, ({ x }) => ({ sum: x!.sum(), size: tf.scalar(x!.size) }));
    for (const x of [tf.ones([2, 3]), tf.ones([4]), tf.ones([4], "int32"), tf.ones([2, 3])]) {
      expect(await run(step, { x })).toEqual({ sum: [x.size], size: [x.size] });
      x.dispose();
    }
    expect(step.traced.count).toBe(name === "native" ? 3 : 0);
    expect(step.traced.milliseconds > 0).toBe(name === "native");
  });

  it("takes variables as inputs, at their value of the moment", async () => {
    const step = compile(name, ({ w }) => ({ w: w!.add(1) }));
    const w = tf.variable<tf.Rank>(tf.tensor1d([1, 2]), true, `w-${name}`);
    for (let i = 0; i < 3; i++) {
      const { w: next } = await step.run({ w });
      w.assign(next!);
      next!.dispose();
    }
    expect(Array.from(w.dataSync())).toEqual([4, 5]);
    w.dispose();
  });

  it("runs several at a time, also when the inputs are disposed meanwhile", async () => {
    const step = compile(name, ({ x, m }) => ({
      y: tf
        .matMul(m as tf.Tensor2D, m as tf.Tensor2D)
        .sum()
        .add(x!),
    }));
    const runs = Array.from({ length: 8 }, async (_, i) => {
      const inputs = { x: tf.scalar(i), m: tf.ones([100, 100]) };
      const running = run(step, inputs);
      tf.dispose(inputs);
      return (await running).y;
    });
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 8 }, (_, i) => [1e6 + i]));
  });

  it("holds as much memory after 200 runs as after one", async () => {
    const step = compile(name, ({ w, x }) => {
      const { value, grads } = tf.valueAndGrads((v: tf.Tensor) => x!.mul(v).square().mean())([w!]);
      return { loss: value, w: w!.sub(grads[0]!.mul(0.1)) };
    });
    const x = waves([50, 20]);
    let w: tf.Tensor = tf.ones([20]);
    const measure: [number, number, number][] = [];
    for (let i = 0; i < 200; i++) {
      const { loss, w: next } = await step.run({ w, x });
      tf.dispose([loss!, w]);
      w = next!;
      measure.push([tf.memory().numTensors, tf.memory().numDataBuffers, nativeTensors()]);
    }
    expect(measure.at(-1)).toEqual(measure[0]);
    tf.dispose([w, x]);
  });

  it("refuses inputs and outputs that are none, and goes on", async () => {
    const step = compile(name, ({ x, y }) => ({ z: x!.add(y!) }), "sum");
    const x = tf.scalar(1);
    await run(step, { x, y: x });
    const before = tf.memory().numTensors;
    expect((await refusal(step.run({ x }))).message).toContain('the inputs x, y at step "sum", received x.');
    expect((await refusal(step.run({ x, y: 3 as unknown as tf.Tensor }))).message).toContain(
      'number at input "y"',
    );
    const dead = tf.scalar(1);
    dead.dispose();
    expect((await refusal(step.run({ x, y: dead }))).message).toContain('a disposed one at input "y"');
    const wrong: [unknown, string][] = [
      [undefined, "undefined at the outputs"],
      [Promise.resolve({}), "a promise at the outputs"],
      [{ loss: 3 }, 'number at output "loss"'],
    ];
    for (const [outputs, message] of wrong) {
      const error = await refusal(compile(name, () => outputs as TensorMap).run({ x }));
      expect(error.code).toBe("bad-option");
      expect(error.message).toContain(message);
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(await run(step, { x, y: x })).toEqual({ z: [2] });
    x.dispose();
  });

  it("passes on what the body throws, and goes on", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    const step = compile(name, (inputs) => ({
      y: tf.grad((v: tf.Tensor) => {
        tf.exp(v).square();
        throw new RangeError("of the body");
      })(inputs.x!),
    }));
    const before = [tf.memory().numTensors, tf.memory().numDataBuffers, nativeTensors()];
    await expect(step.run({ x })).rejects.toThrow(new RangeError("of the body"));
    if (name === "native") {
      expect([tf.memory().numTensors, tf.memory().numDataBuffers, nativeTensors()]).toEqual(before);
    }
    const slope = tf.grad((v: tf.Tensor) => v.square().sum())(x);
    expect(Array.from(slope.dataSync())).toEqual([2, 4, 6]);
    tf.dispose([x, slope]);
  });

  it("does not run after dispose, and finishes what ran before it", async () => {
    const step = compile(name, ({ x }) => ({ y: x!.square() }), "square");
    const x = tf.tensor1d([3]);
    const running = run(step, { x });
    step.dispose();
    expect(await running).toEqual({ y: [9] });
    expect((await refusal(step.run({ x }))).message).toContain('a run of "square" after dispose');
    step.dispose();
    x.dispose();
  });
});

describe("both engines", () => {
  const image = { x: () => waves([2, 6, 6, 4]), w: () => waves([3, 3, 4, 5], 1) };
  const matrix = { x: () => waves([6, 8]), w: () => waves([8, 5], 1) };
  const indices = { x: () => waves([6, 8]), i: () => tf.tensor1d([3, 0, 5], "int32") };
  const four = (x: tf.Tensor | undefined) => x as tf.Tensor4D;
  const operations: [string, Record<string, () => tf.Tensor>, (inputs: TensorMap) => tf.Tensor][] = [
    ["conv2d", image, ({ x, w }) => tf.conv2d(four(x), four(w), 2, "same")],
    [
      "depthwiseConv2d",
      image,
      ({ x, w }) => tf.depthwiseConv2d(four(x), four(w!.slice([0, 0, 0, 0], [3, 3, 4, 1])), 1, "valid"),
    ],
    [
      "conv2dTranspose",
      image,
      ({ x, w }) => tf.conv2dTranspose(four(x), four(w!.transpose([0, 1, 3, 2])), [2, 13, 13, 5], 2, "valid"),
    ],
    [
      "pooling",
      image,
      ({ x }) => tf.concat([tf.maxPool(four(x), 2, 2, "same"), tf.avgPool(four(x), 2, 2, "same")], 3),
    ],
    [
      "batchNorm",
      image,
      ({ x }) => {
        const { mean, variance } = tf.moments(x!, [0, 1, 2]);
        return tf.batchNorm(
          x!,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          tf.zeros([4]),
          tf.ones([4]),
          1e-3,
        );
      },
    ],
    [
      "resizing and padding",
      image,
      ({ x }) =>
        tf.pad(tf.image.resizeBilinear(four(x), [4, 5]), [
          [0, 0],
          [1, 2],
          [0, 1],
          [0, 0],
        ]),
    ],
    ["matMul", matrix, ({ x, w }) => tf.matMul(w as tf.Tensor2D, x as tf.Tensor2D, true, true)],
    ["einsum", matrix, ({ x, w }) => tf.einsum("ij,jk->ki", x!, w!)],
    [
      "reductions",
      matrix,
      ({ x }) => tf.stack([x!.sum(), x!.mean(), x!.max(), x!.min(), tf.prod(x!), x!.norm()]),
    ],
    ["softmax", matrix, ({ x }) => tf.concat([tf.softmax(x!), tf.logSoftmax(x!)], 0)],
    [
      "activations",
      matrix,
      ({ x }) =>
        tf.addN([
          tf.relu(x!),
          tf.elu(x!),
          tf.selu(x!),
          tf.sigmoid(x!),
          tf.tanh(x!),
          tf.leakyRelu(x!),
          tf.relu6(x!),
        ]),
    ],
    [
      "rounding",
      matrix,
      ({ x }) =>
        tf.addN([tf.floor(x!), tf.round(x!.mul(3)), tf.sign(x!), tf.abs(x!), tf.clipByValue(x!, -0.5, 0.5)]),
    ],
    ["comparison", matrix, ({ x }) => tf.where(tf.greater(x!, 0.1), x!, tf.notEqual(x!, 0).toFloat())],
    ["slices", matrix, ({ x }) => tf.concat(tf.split(tf.reverse(x!.slice([1, 0], [4, 8]), 1), 2, 1), 0)],
    ["tile and transpose", matrix, ({ x }) => tf.tile(tf.transpose(x!), [2, 1]).reshape([-1, 3])],
    ["cumsum and argMax", matrix, ({ x }) => tf.cumsum(x!, 1).add(tf.argMax(x!, 1).expandDims(1).toFloat())],
    ["topk", matrix, ({ x }) => tf.topk(x!, 3).values.add(tf.topk(x!, 3).indices.toFloat())],
    ["gather", indices, ({ x, i }) => tf.gather(x!, i as tf.Tensor1D)],
    ["gather of an axis", indices, ({ x, i }) => tf.gather(x!, i as tf.Tensor1D, 1)],
    ["oneHot", indices, ({ i }) => tf.oneHot(i as tf.Tensor1D, 6).toFloat()],
    [
      "scatter",
      indices,
      ({ x, i }) => tf.scatterND(i!.expandDims(1) as tf.Tensor2D, x!.slice([0, 0], [3, 8]), [7, 8]),
    ],
    [
      "lstm cell",
      matrix,
      ({ x }) =>
        tf.basicLSTMCell(
          tf.scalar(1),
          waves([12, 16], 2) as tf.Tensor2D,
          waves([16]) as tf.Tensor1D,
          x as tf.Tensor2D,
          waves([6, 4]) as tf.Tensor2D,
          waves([6, 4], 3) as tf.Tensor2D,
        )[1],
    ],
    ["losses", matrix, ({ x }) => tf.losses.softmaxCrossEntropy(tf.oneHot(tf.argMax(x!, 1), 8), x!.mul(2))],
  ];

  const forwardsOnly = new Set(["einsum", "comparison", "topk", "scatter"]);

  it.each(operations)("agree on %s and on its gradients", async (title, make, operation) => {
    const inputs = Object.fromEntries(Object.entries(make).map(([key, create]) => [key, create()]));
    const body: Body = (given) => {
      const y = operation(given);
      const outputs: TensorMap = { y };
      if (!forwardsOnly.has(title)) {
        for (const key of Object.keys(given).filter((one) => given[one]!.dtype === "float32")) {
          const sum = (v: tf.Tensor) =>
            operation({ ...given, [key]: v })
              .mul(waves(y.shape, 7))
              .sum()
              .add(v.sum());
          outputs[`d${key}`] = tf.grad(sum)(given[key]!);
        }
      }
      return outputs;
    };
    const native = await run(compile("native", body), inputs);
    const reference = await run(compile("reference", body), inputs);
    expect(Object.keys(native)).toEqual(Object.keys(reference));
    for (const key of Object.keys(reference)) expectClose(native[key]!, reference[key]!, product(1e-5));
    tf.dispose(inputs);
  });

  it("agree over 20 steps of training a small convolutional network", async () => {
    const parameters = (): TensorMap => ({
      kernel: waves([3, 3, 2, 8]).mul(0.3),
      gamma: tf.ones([8]),
      beta: tf.zeros([8]),
      dense: waves([8 * 9, 4], 2).mul(0.2),
      bias: tf.zeros([4]),
    });
    const order = ["kernel", "gamma", "beta", "dense", "bias"];
    const body: Body = ({ x, labels, rate, ...weights }) => {
      const loss = (...values: tf.Tensor[]) => {
        const [kernel, gamma, beta, dense, bias] = values as [
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor1D,
          tf.Tensor2D,
          tf.Tensor1D,
        ];
        const h = tf.conv2d(x as tf.Tensor4D, kernel, 1, "same");
        const { mean, variance } = tf.moments(h, [0, 1, 2]);
        const normal = tf.batchNorm(
          h,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          beta,
          gamma,
          1e-3,
        ) as tf.Tensor4D;
        const pooled = tf.maxPool(tf.relu(normal), 2, 2, "same");
        return tf.losses.softmaxCrossEntropy(
          labels!,
          pooled.reshape([-1, 72]).matMul(dense).add(bias),
        ) as tf.Scalar;
      };
      const { value, grads } = tf.valueAndGrads(loss)(order.map((key) => weights[key]!));
      const updated = order.map((key, i) => [key, weights[key]!.sub(grads[i]!.mul(rate!))] as const);
      return { loss: value, ...Object.fromEntries(updated) };
    };
    const batch = {
      x: waves([8, 6, 6, 2], 5),
      labels: tf.oneHot(tf.tensor1d([0, 1, 2, 3, 0, 1, 2, 3], "int32"), 4).toFloat(),
      rate: tf.scalar(0.05),
    };
    const history: Record<string, number[][]> = {};
    for (const name of names) {
      const step = compile(name, body, "train");
      let weights = parameters();
      history[name] = [];
      for (let i = 0; i < 20; i++) {
        const { loss, ...next } = await step.run({ ...weights, ...batch });
        tf.dispose(weights);
        weights = next;
        history[name].push([
          loss!.dataSync()[0]!,
          ...weights.kernel!.dataSync(),
          ...weights.dense!.dataSync(),
        ]);
        loss!.dispose();
      }
      tf.dispose(weights);
    }
    const [first, last] = [history.reference![0]![0]!, history.reference!.at(-1)![0]!];
    expect(last).toBeLessThan(first * 0.8);
    history.reference!.forEach((values, i) => {
      expectClose(history.native![i]!, values, product(1e-4));
    });
    tf.dispose(batch);
  });
});

describe("the trace of the native engine", () => {
  const refused: [string, Body, string][] = [
    [
      "a read of values",
      ({ x }) => ({ y: tf.scalar(x!.dataSync()[0]!) }),
      "a read of a tensor's values in its body",
    ],
    [
      "a shape that depends on values",
      ({ x }) => ({ y: tf.unique(x as tf.Tensor1D).values }),
      'UniqueV2: the shape of its output depends on values in the operation "unique"',
    ],
    [
      "a later read of values",
      ({ x }) => {
        void x!.data();
        return { y: x! };
      },
      "a read of a tensor's values in its body",
    ],
    [
      "a refusal that the body swallows",
      ({ x }) => {
        try {
          x!.dataSync();
        } catch {}
        return { y: x! };
      },
      "a read of a tensor's values in its body",
    ],
    [
      "randomNormal",
      ({ x }) => ({ y: x!.add(tf.randomNormal([4])) }),
      'received the operation "randomNormal"',
    ],
    [
      "randomUniform",
      ({ x }) => ({ y: x!.add(tf.randomUniform([4])) }),
      'received the operation "randomUniform"',
    ],
    [
      "truncatedNormal",
      ({ x }) => ({ y: x!.add(tf.truncatedNormal([4])) }),
      'received the operation "truncatedNormal"',
    ],
    [
      "multinomial",
      ({ x }) => ({ y: tf.multinomial(x as tf.Tensor1D, 3) }),
      'received the operation "multinomial"',
    ],
    ["dropout", ({ x }) => ({ y: tf.dropout(x!, 0.5) }), 'received the operation "dropout"'],
    [
      "a large constant",
      ({ x }) => ({ y: x!.add(waves([20000]).sum()) }),
      '80000 bytes of shape [20000] in the operation "sum"',
    ],
    [
      "a variable made in the body",
      ({ x }) => ({ y: tf.variable(x!, true, "inner").add(1) }),
      'the variable "inner"',
    ],
  ];

  it.each(refused)("refuses %s, and leaves nothing behind", async (_, body, message) => {
    const x = tf.tensor1d([1, 2, 3, 4]);
    const step = compile("native", body, "refused");
    const state = () => [
      tf.memory().numTensors,
      tf.memory().numDataBuffers,
      nativeTensors(),
      tf.engine().state.activeScope,
    ];
    const before = state();
    const error = await refusal(step.run({ x }));
    expect(error.code).toBe("untraceable");
    expect(error.message).toContain(message);
    expect(error.message).toContain('step "refused"');
    expect(error.hint).not.toBe("");
    expect(state()).toEqual(before);
    expect("inner" in tf.engine().state.registeredVariables).toBe(false);
    x.dispose();
  });

  it("refuses variables that are no inputs, and changes of them, by name", async () => {
    const w = tf.variable(tf.tensor1d([1, 2]), true, "weights");
    const x = tf.tensor1d([3, 4]);
    const read = await refusal(compile("native", ({ x }) => ({ y: x!.mul(w) })).run({ x }));
    expect(read.message).toContain(
      'Expected the variable "weights" among the inputs of step "step", received a use of it in the operation "mul"',
    );
    const changed = await refusal(
      compile("native", ({ x }) => {
        w.assign(x as tf.Tensor1D);
        return { y: x! };
      }).run({ x }),
    );
    expect(changed.message).toContain('a change of the variable "weights" in its body');
    expect(Array.from(w.dataSync())).toEqual([1, 2]);
    w.assign(tf.tensor1d([5, 6]));
    expect(Array.from(w.dataSync())).toEqual([5, 6]);
    tf.dispose([w, x]);
  });

  it("refuses a run of another step in the body", async () => {
    const inner = compile("native", ({ x }) => ({ y: x!.square() }), "inner");
    const attempts: Promise<unknown>[] = [];
    const outer = compile(
      "native",
      ({ x }) => {
        attempts.push(refusal(inner.run({ x: x! })));
        return { y: x! };
      },
      "outer",
    );
    const x = tf.scalar(3);
    const error = await refusal(outer.run({ x }));
    expect(error.message).toContain('at step "outer", received a run of step "inner" in its body');
    expect(await attempts[0]).toBe(error);
    expect(await run(inner, { x })).toEqual({ y: [9] });
    x.dispose();
  });

  it("is one and the same for two engines", async () => {
    const again = await nativeEngine();
    const [x, step] = [tf.scalar(3), again.compile("square", (inputs) => ({ y: inputs.x!.square() }))];
    expect(await run(step, { x })).toEqual({ y: [9] });
    expect(tf.getBackend()).toBe("tensorflow");
    step.dispose();
    x.dispose();
  });

  it("frees what it compiled", async () => {
    const [x, before] = [tf.scalar(3), nativeTensors()];
    for (let i = 0; i < 50; i++) {
      const scale = tf.scalar(i);
      const step = engines.native.compile("again", (inputs) => ({ y: inputs.x!.mul(scale) }));
      expect(await run(step, { x })).toEqual({ y: [3 * i] });
      step.dispose();
      scale.dispose();
    }
    expect(nativeTensors()).toBe(before + 1);
    x.dispose();
  });

  it("holds the tensors that the body captures", async () => {
    const started = nativeTensors();
    const scale = tf.tidy(() => tf.tensor1d([2, 3]).add(0));
    const large = waves([30000]);
    const step = compile("native", ({ x }) => ({
      y: x!.mul(scale).add(large.sum()).add(scale.max()),
      scale,
    }));
    const x = tf.tensor1d([1, 1]);
    const sum = tf.tidy(() => large.sum().dataSync()[0]!);
    const { y, scale: same } = await run(step, { x });
    expectClose(y!, [2 + sum + 3, 3 + sum + 3], 1e-5);
    expect(same).toEqual([2, 3]);
    tf.dispose([scale, large]);
    expect((await run(step, { x })).scale).toEqual([2, 3]);
    expect(step.traced.count).toBe(1);
    step.dispose();
    x.dispose();
    expect(nativeTensors()).toBe(started);
  });

  it.skipIf(onGpu)("tells what TensorFlow says when a run fails, and goes on", async () => {
    const step = compile("native", ({ x, i }) => ({ y: tf.gather(x!, i as tf.Tensor1D) }), "lookup");
    const [x, good, bad] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([2], "int32"), tf.tensor1d([7], "int32")];
    const error = await refusal(step.run({ x, i: bad }));
    expect(error.code).toBe("engine");
    expect(error.message).toContain('Step "lookup" failed');
    expect(error.message).toContain("indices[0] = 7 is not in [0, 3)");
    expect(await run(step, { x, i: good })).toEqual({ y: [3] });
    tf.dispose([x, good, bad]);
  });

  it("leaves the event loop to others while a step runs", async () => {
    const step = compile("native", ({ m }) => {
      let product = m as tf.Tensor2D;
      for (let i = 0; i < 30; i++) product = tf.matMul(product, m as tf.Tensor2D);
      return { y: product.sum() };
    });
    const m = tf.eye(700);
    const order: string[] = [];
    const running = run(step, { m }).then(({ y }) => {
      order.push("step");
      return y;
    });
    for (let tick = 0; tick < 5; tick++) {
      await new Promise((resolve) => setImmediate(resolve));
      order.push("tick");
    }
    expect(await running).toEqual([700]);
    expect(order).toEqual(["tick", "tick", "tick", "tick", "tick", "step"]);
    m.dispose();
  });
});
