import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { apot, apotLevels } from "../../reproduce/baselines/apot.js";
import { dorefa } from "../../reproduce/baselines/dorefa.js";
import { BASELINES } from "../../reproduce/baselines/index.js";
import { lqNets, round } from "../../reproduce/baselines/lqNets.js";
import { lsq } from "../../reproduce/baselines/lsq.js";
import { n2uq } from "../../reproduce/baselines/n2uq.js";
import { pact } from "../../reproduce/baselines/pact.js";
import type { Look, Rule } from "../../reproduce/baselines/rule.js";
import { trainBaseline } from "../../reproduce/baselines/train.js";
import { pretrain, score } from "../../sdk/index.js";
import { measure } from "../../sdk/staircase/schemes.js";
import { STATISTICS } from "../../sdk/staircase/statistics.js";
import { stream } from "../../sdk/train/random.js";
import type { HostTensor } from "../../sdk/train/snapshot.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

/** Values as of a normal distribution, half of them above zero or all. */
function values(count: number, seed: number, positive = false): Float32Array {
  const draw = stream(seed, "values");
  return Float32Array.from({ length: count }, () => {
    const z = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    return positive ? Math.max(0, z) : z;
  });
}

function lookAt(x: Float32Array, given: Partial<Look> & { bits: number }): Look {
  const found = measure(x);
  return {
    ...{ kind: "weight", signed: true, shape: [x.length], channelAxes: 1 },
    ...given,
    statistic: (name) => found[STATISTICS.indexOf(name)]!,
  };
}

const onDevice = (initial: Readonly<Record<string, HostTensor>>) =>
  Object.fromEntries(
    Object.entries(initial).map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]),
  );

/** Values of a rule, and the gradients of sum(y * dy) by x and by each of what it learns. */
function differentiated(
  rule: Rule,
  x: tf.Tensor,
  look: Look,
  dy: tf.Tensor,
  own = onDevice(rule.initial(look)),
) {
  const learned = Object.keys(own).filter((name) => !rule.following?.includes(name));
  const { value, grads } = tf.valueAndGrads((given: tf.Tensor, ...others: tf.Tensor[]) => {
    const named = { ...own, ...Object.fromEntries(learned.map((name, i) => [name, others[i]!])) };
    return tf.sum(tf.mul(rule.quantize(given, named, look).y, dy));
  })([x, ...learned.map((name) => own[name]!)]);
  value.dispose();
  const y = rule.quantize(x, own, look).y;
  return {
    y: [...y.dataSync()],
    dx: [...grads[0]!.dataSync()],
    learned: Object.fromEntries(learned.map((name, i) => [name, [...grads[i + 1]!.dataSync()]])),
  };
}

const near = (actual: readonly number[], expected: readonly number[], digits = 5) => {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, digits);
};

beforeAll(() => tf.setBackend("cpu"));

test("DoReFa: equation 9, with the slope of tanh as its gradient", () => {
  const w = values(50, 1);
  const look = lookAt(w, { bits: 2 });
  const { y, dx } = differentiated(dorefa.weights, tf.tensor1d(w), look, tf.ones([50]));
  const most = Math.max(...w.map((value) => Math.abs(Math.tanh(value))));
  near(
    y,
    [...w].map((value) => most * ((2 * Math.round(3 * (Math.tanh(value) / (2 * most) + 0.5))) / 3 - 1)),
  );
  near(
    dx,
    [...w].map((value) => 1 - Math.tanh(value) ** 2),
  );
});

test("DoReFa: one bit is the sign times the mean", () => {
  const w = Float32Array.of(0.5, -1.5, 1);
  const { y } = differentiated(dorefa.weights, tf.tensor1d(w), lookAt(w, { bits: 1 }), tf.ones([3]));
  near(y, [1, -1, 1]);
});

test("PACT: alpha has a gradient where x is clipped, x where it is not", () => {
  const x = [-0.5, 0.2, 0.7, 1.9, 2, 5];
  const dy = [1, 2, 3, 4, 5, 6];
  const look = lookAt(Float32Array.from(x), { kind: "input", signed: false, bits: 2 });
  const found = differentiated(pact.inputs, tf.tensor1d(x), look, tf.tensor1d(dy), { alpha: tf.scalar(2) });
  near(found.y, [0, 0, 2 / 3, 2, 2, 2]);
  near(found.learned.alpha!, [5 + 6]);
  near([found.dx[0]!, ...found.dx.slice(1, 4), found.dx[5]!], [0, 2, 3, 4, 0]);
});

test("LSQ: equation 3 and the factor of section 2.2", () => {
  const x = values(64, 2);
  const dy = values(64, 3);
  const look = lookAt(x, { bits: 3 });
  const s = (2 * x.reduce((sum, value) => sum + Math.abs(value), 0)) / 64 / Math.sqrt(3);
  const found = differentiated(lsq.weights, tf.tensor1d(x), look, tf.tensor1d(dy));
  const level = (v: number) => Math.round(Math.min(3, Math.max(-4, v)));
  near(
    found.y,
    [...x].map((value) => s * level(value / s)),
  );
  const slope = [...x].map((value) => {
    const v = value / s;
    return v <= -4 ? -4 : v >= 3 ? 3 : Math.round(v) - v;
  });
  const sum = slope.reduce((total, value, i) => total + value * dy[i]!, 0);
  near(found.learned.s!, [sum / Math.sqrt(64 * 3)], 4);
  near(
    found.dx,
    [...x].map((value, i) => (value / s > -4 && value / s < 3 ? dy[i]! : 0)),
  );
});

describe("APoT", () => {
  test("levels are the sums of equation 5", () => {
    expect(apotLevels(2)).toEqual([0, 0.25, 0.5, 1]);
    const [first, second] = [
      [0, 1, 2 ** -2, 2 ** -4],
      [0, 2 ** -1, 2 ** -3, 2 ** -5],
    ];
    const sums = first!.flatMap((a) => second!.map((b) => a + b)).sort((a, b) => a - b);
    expect(apotLevels(4)).toEqual(sums.map((sum) => sum / 1.5));
    for (const bits of [1, 2, 3, 4, 5]) expect(apotLevels(bits)).toHaveLength(2 ** bits);
  });

  test("the gradient of alpha is that of equation 8", () => {
    const x = [0.1, 0.4, 0.7, 1.5, 3];
    const dy = [1, 2, 3, 4, 5];
    const look = lookAt(Float32Array.from(x), { kind: "input", signed: false, bits: 2 });
    const alpha = 2;
    const own = { alpha: tf.scalar(alpha) };
    const found = differentiated(apot.inputs, tf.tensor1d(x), look, tf.tensor1d(dy), own);
    // x / alpha is 0.05, 0.2, 0.35, 0.75, 1.5: levels 0, 0.25, 0.25, 0.5 (half-way: the lower), 1.
    near(found.y, [0, 0.5, 0.5, 1, 2]);
    const slopes = [0 - 0.05, 0.25 - 0.2, 0.25 - 0.35, 0.5 - 0.75, 1];
    near(found.learned.alpha!, [slopes.reduce((sum, slope, i) => sum + slope * dy[i]!, 0)]);
  });

  test("two bits of weights are -alpha, 0 and alpha, and the gradient of the weights is not clipped", () => {
    const w = values(200, 4);
    const found = differentiated(
      apot.weights,
      tf.tensor1d(w),
      lookAt(w, { bits: 2 }),
      tf.tensor1d(values(200, 5)),
    );
    expect(new Set(found.y.map((value) => value.toFixed(5))).size).toBeLessThanOrEqual(3);
    expect(found.dx.every((value) => value !== 0)).toBe(true);
  });
});

describe("LQ-Nets", () => {
  test("the basis is solved by least squares of the values by their codes, for each channel", () => {
    const x = values(60, 6);
    const basis = tf.tensor2d([
      [0.4, 0.5, 0.3],
      [0.9, 0.8, 1.1],
    ]);
    const { levels, thresholds, solved } = round(tf.tensor2d(x, [20, 3]), basis, -1);
    for (let channel = 0; channel < 3; channel++) {
      const column = [...x].filter((_, i) => i % 3 === channel);
      const [a, b] = [basis.arraySync()[0]![channel]!, basis.arraySync()[1]![channel]!];
      const codes = [
        [-1, -1],
        [1, -1],
        [-1, 1],
        [1, 1],
      ] as const;
      const chosen = column.map(
        (value) =>
          codes.toSorted(
            (p, q) => Math.abs(value - p[0] * a - p[1] * b) - Math.abs(value - q[0] * a - q[1] * b),
          )[0]!,
      );
      const sum = (f: (i: number) => number) => column.reduce((total, _, i) => total + f(i), 0);
      const cross = sum((i) => chosen[i]![0] * chosen[i]![1]);
      const [u, v] = [sum((i) => chosen[i]![0] * column[i]!), sum((i) => chosen[i]![1] * column[i]!)];
      const determinant = 20 * 20 - cross * cross;
      near(
        solved.arraySync().map((row) => row[channel]!),
        [(20 * u - cross * v) / determinant, (20 * v - cross * u) / determinant],
        3,
      );
      const sorted = codes.map(([p, q]) => p * a + q * b).sort((p, q) => p - q);
      near(
        levels.arraySync().map((row) => row[channel]!),
        sorted,
      );
      near(
        thresholds.arraySync().map((row) => row[channel]!),
        sorted.slice(1).map((level, k) => (level + sorted[k]!) / 2),
      );
    }
  });

  test("a running mean of bases follows, and inputs have the gradient of clipping at the greatest level", () => {
    const x = tf.tensor1d([0, 0.3, 0.9, 4]);
    const look = lookAt(Float32Array.of(0, 0.3, 0.9, 4), { kind: "input", signed: false, bits: 2 });
    const own = { basis: tf.tensor2d([[0.5], [1]]) };
    const { moved } = lqNets.inputs.quantize(x, own, look);
    const { solved } = round(tf.reshape(x, [4, 1]) as tf.Tensor2D, own.basis, 0);
    const [before, after] = [own.basis.dataSync(), solved.dataSync()];
    near(
      [...moved!.basis!.dataSync()],
      [0, 1].map((i) => 0.9 * before[i]! + 0.1 * after[i]!),
    );
    const { y, dx } = differentiated(lqNets.inputs, x, look, tf.ones([4]), own);
    near(y, [0, 0.5, 1, 1.5]);
    near(dx, [1, 1, 1, 0]);
  });
});

describe("N2UQ", () => {
  test("thresholds lie in the middle of learned bins, levels are even, the gradient is the slope of its bin", () => {
    const x = [-0.2, 0.1, 0.5, 0.8, 1.4, 3];
    const look = lookAt(Float32Array.from(x), { kind: "input", signed: false, bits: 2 });
    const own = {
      ...{ start: tf.scalar(0), bins: tf.tensor1d([0.4, 0.6, 1]) },
      ...{ before: tf.scalar(1), behind: tf.scalar(1) },
    };
    const { y, dx, learned } = differentiated(n2uq.inputs, tf.tensor1d(x), look, tf.ones([6]), own);
    // Edges 0, 0.4, 1, 2; thresholds 0.2, 0.7, 1.5.
    const rise = 2 / 3;
    near(y, [0, 0, rise, 2 * rise, 2 * rise, 3 * rise]);
    near(dx, [0, rise / 0.4, rise / 0.6, rise / 0.6, rise / 1, 0]);
    expect(learned.bins!.some((value) => value !== 0)).toBe(true);
  });

  test("weights are scaled by the mean of each output channel", () => {
    const w = values(24, 7);
    const x = tf.tensor2d(w, [12, 2]);
    const { y } = differentiated(n2uq.weights, x, lookAt(w, { bits: 2, shape: [12, 2] }), tf.ones([12, 2]));
    for (const channel of [0, 1]) {
      const column = [...w].filter((_, i) => i % 2 === channel);
      const s = (1.5 * column.reduce((sum, value) => sum + Math.abs(value), 0)) / 12;
      near(
        y.filter((_, i) => i % 2 === channel),
        column.map((value) => s * (Math.round((Math.min(1, Math.max(-1, value / s)) + 1) * 1.5) / 1.5 - 1)),
      );
    }
  });
});

describe("in the common loop", () => {
  const data = blobData();
  let model: tf.LayersModel;
  let floating: number;

  beforeAll(async () => {
    model = smallNetwork();
    await pretrain(model, data, { epochs: 12, batchSize: 32, learningRate: 0.01 });
    floating = (await score(model, data.test)).accuracy;
  });

  test("a stopped run is never continued at other bitwidths", async () => {
    const options = { data, seed: 5, steps: 20, batchSize: 32, learningRate: 0.01 };
    const run = (bits: number, watch: object = {}) =>
      trainBaseline(model, dorefa, { ...options, bits, onProgress: () => {}, ...watch });
    const undisturbed = await run(3);
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    await expect(run(2, { signal: stop.signal, onProgress })).rejects.toMatchObject({ code: "aborted" });
    expect((await run(3)).history.loss).toEqual(undisturbed.history.loss);
  });

  test.each(BASELINES)("$name trains at two bits to near the network in floating point", async (baseline) => {
    const run = await trainBaseline(model, baseline, {
      ...{ data, seed: 5, bits: 2, firstLast: 8, steps: 120, batchSize: 32, learningRate: 0.01 },
      onProgress: () => {},
    });
    expect(run.test!.accuracy).toBeGreaterThan(floating - 0.12);
    // 6 and 8 channels of 3x3, and a dense layer of 4 x 4 ... the first and the last layer at 8 bits.
    const kernels = model.weights.filter(({ shape }) => shape.length >= 2).map((weight) => weight.shape);
    const sizes = kernels.map((shape) => shape.reduce<number>((product, n) => product * n!, 1));
    expect(run.bytes).toBe(sizes[0]! + sizes[1]! / 4 + sizes[2]!);
  });
});
