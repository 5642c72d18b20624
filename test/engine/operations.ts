import * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import type { Engine, TensorMap } from "../../sdk/engine/engine.js";
import { adamExpression } from "../../sdk/engine/kernels/adam.js";
import { mixture } from "../../sdk/engine/mixture.js";
import { onBackend } from "../../sdk/engine/on-backend.js";
import {
  adam,
  batchNormTraining,
  type DeviceStaircase,
  quantize,
  statistics,
  uniform,
  withoutGradient,
} from "../../sdk/engine/ops.js";
import { AutoqnnError } from "../../sdk/errors.js";
import { bitsOf, fit, measure, type Range, type SchemeName, schemes } from "../../sdk/staircase/schemes.js";
import { STATISTICS } from "../../sdk/staircase/statistics.js";

type Body = (inputs: TensorMap) => TensorMap;
export const SIGNED = { signed: true, zero: false };

/** Filled by a test file before its tests run. */
export type Engines = Record<"native" | "reference", Engine>;

/** Shape, values and, unless it is float32, type of a tensor. */
export type Input = readonly [shape: readonly number[], values: ArrayLike<number>, dtype?: "int32"];

/** Runs a body compiled, and returns its outputs as arrays. */
export async function run(
  engine: Engine,
  body: Body,
  inputs: Readonly<Record<string, Input>>,
): Promise<Record<string, Float32Array>> {
  const backend = engine.name === "native" ? "tensorflow" : "cpu";
  const step = engine.compile("step", body);
  const tensors = onBackend(backend, () =>
    Object.fromEntries(
      Object.entries(inputs).map(([key, [shape, values, dtype]]) => [
        key,
        tf.tensor(Float32Array.from(values), [...shape], dtype ?? "float32"),
      ]),
    ),
  );
  const outputs = await step.run(tensors);
  const read = Object.entries(outputs).map(([key, t]) => [key, t.dataSync().slice()] as const);
  tf.dispose([tensors, outputs]);
  step.dispose();
  return Object.fromEntries(read) as Record<string, Float32Array>;
}

/** Numbers in [0, 1) from a small generator of the test's own. */
function numbers(size: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  });
}

/** Roughly normal numbers, some of them exactly 0. */
export function weights(size: number, seed: number): Float32Array {
  const [a, b, c] = [numbers(size, seed), numbers(size, seed + 1), numbers(size, seed + 2)];
  return a.map((v, i) => (i % 11 === 7 ? 0 : v + b[i]! + c[i]! - 1.5));
}

/** Fails unless no number is further off than `tolerance` of the greatest expected one. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const size = Math.max(
    1e-30,
    ...Array.from({ length: Math.min(expected.length, 1e5) }, (_, i) => Math.abs(expected[i]!)),
  );
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs(actual[i]! - expected[i]!) <= tolerance * size)) {
      expect.fail(`expected ${expected[i]}, received ${actual[i]} at ${i}`);
    }
  }
}

/** The definition, with one number for each pair of element and threshold. */
function dense(x: tf.Tensor, s: DeviceStaircase, scale: tf.Tensor): tf.Tensor {
  const above = withoutGradient(() =>
    tf.cast(tf.greater(tf.reshape(x, [-1, 1]), tf.mul(s.thresholds, scale)), "float32"),
  );
  return tf.reshape(tf.mul(tf.add(tf.sum(tf.mul(above, s.steps), 1), s.base), scale), x.shape);
}

/**
 * What holds for the operations of an engine, whichever kernels compute them.
 *
 * @param sizes numbers of values to measure
 */
export function describeOperations(
  title: string,
  name: keyof Engines,
  engines: Engines,
  sizes: readonly number[],
): void {
  describe(title, () => {
    it.each(sizes)("measures %i values as the host does", async (size) => {
      const x = weights(size, size);
      const { s } = await run(engines[name], ({ x }) => ({ s: statistics(x!) }), { x: [[size], x] });
      expectClose(s!, measure(x), 2e-6);
    });

    it("measures a scalar, a constant, zeros, and a mean far from 0", async () => {
      for (const x of [
        [3],
        Array(100).fill(0.1),
        Array(100).fill(0),
        weights(5000, 1).map((v) => v / 100 + 1000),
      ]) {
        const shape = x.length === 1 ? [] : [x.length];
        const { s } = await run(engines[name], ({ x }) => ({ s: statistics(x!) }), { x: [shape, x] });
        const expected = measure(x);
        // The mean of equal values may be an ulp off them.
        const equal = expected[STATISTICS.indexOf("deviation")] === 0;
        const slack = equal ? 1e-6 * Math.abs(x[0]!) : 0;
        for (const [i, value] of s!.entries()) {
          const miss = Math.abs(value - expected[i]!);
          expect(miss, STATISTICS[i]).toBeLessThanOrEqual(2e-6 * Math.abs(expected[i]!) + slack);
        }
      }
    });

    it("does not hide NaN and infinity from the statistics, and survives both in a staircase", async () => {
      const x = weights(5000, 3);
      x[4321] = Number.NaN;
      const { s } = await run(engines[name], ({ x }) => ({ s: statistics(x!) }), { x: [[5000], x] });
      for (const statistic of ["absMean", "minimum", "maximum", "deviation"] as const) {
        expect(s![STATISTICS.indexOf(statistic)]).toBeNaN();
      }
      const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5];
      const { y } = await run(
        engines[name],
        ({ x }) => ({
          y: quantize(x!, {
            thresholds: tf.tensor1d([1, -1]),
            steps: tf.tensor1d([1, 2]),
            base: tf.scalar(-1),
          }),
        }),
        { x: [[4], values] },
      );
      expect([...y!]).toEqual([-1, 2, -1, 1]);
    });

    it("fits every scheme at every bitwidth as the host does", async () => {
      const x = weights(4000, 5);
      const raw = measure(x.map(Math.abs)).map((v, i) => (STATISTICS[i] === "minimum" ? -1.2 : v));
      const all: { scheme: SchemeName; bits: number; range: Range }[] = [];
      for (const signed of [true, false]) {
        for (const zero of [true, false]) {
          for (const { name: scheme } of Object.values(schemes)) {
            const [least, most] = bitsOf(scheme, { signed, zero }) ?? [1, 0];
            for (let bits = least; bits <= most; bits++) all.push({ scheme, bits, range: { signed, zero } });
          }
        }
      }
      const outputs = await run(
        engines[name],
        ({ raw, x }) =>
          Object.fromEntries(
            all.map(({ scheme, bits, range }, i) => [
              i,
              quantize(x!, mixture([{ scheme, bits }], range)(raw as tf.Tensor1D, tf.tensor1d([1]))),
            ]),
          ),
        { raw: [[12], raw], x: [[4000], x] },
      );
      for (const [i, { scheme, bits, range }] of all.entries()) {
        expectClose(outputs[i]!, fit(scheme, bits, raw, range).apply(x), 2e-6);
      }
    });

    const candidates = (
      ["binary", "ternary", "residual", "clip", "clip", "pot", "zoom", "fixed"] as const
    ).map((scheme, i) => ({ scheme, bits: [1, 2, 3, 2, 3, 3, 3, 3][i]! }));

    it.each([
      ["a mixture", candidates, SIGNED, 3000],
      ["a mixture with zero of its own, of few values", candidates, { signed: true, zero: true }, 37],
      ["one scheme", [{ scheme: "clip", bits: 2 }], SIGNED, 1500],
      ["many bitwidths", [2, 3, 4, 5, 6].map((bits) => ({ scheme: "clip" as const, bits })), SIGNED, 20_000],
      [
        "range-aware schemes",
        (["clip", "zoom", "fixed", "pot"] as const).map((scheme) => ({ scheme, bits: 2 })),
        { signed: false, zero: false },
        3000,
      ],
    ] as const)("differentiates %s as the definition says", async (_, list, range, size) => {
      const count = list.length;
      const shares = numbers(count, 9);
      const total = shares.reduce((a, b) => a + b, 0);
      const values = weights(size, 21);
      const inputs = {
        x: [[size], range.signed ? values : values.map(Math.abs)],
        dy: [[size], weights(size, 77)],
        p: [[count], shares.map((v) => v / total)],
        scale: [[], [1.3]],
      } as const;
      const grads = (apply: typeof dense) => {
        const body: Body = ({ x, dy, p, scale }) => {
          const measured = statistics(x!);
          const mix = mixture(list, range);
          const f = (p: tf.Tensor, scale: tf.Tensor) =>
            tf.sum(tf.mul(apply(x!, mix(measured, p as tf.Tensor1D), scale), dy!)) as tf.Scalar;
          const [dp, dscale] = tf.grads(f)([p!, scale!]);
          return { y: apply(x!, mix(measured, p as tf.Tensor1D), scale!), dp: dp!, dscale: dscale! };
        };
        return body;
      };
      const ours = await run(engines[name], grads(quantize), inputs);
      const expected = await run(engines.reference, grads(dense), inputs);
      expectClose(ours.y!, expected.y!, 3e-6);
      expectClose(ours.dp!, expected.dp!, 2e-5);

      // What passes straight through: p_i where x lies in candidate i's clip range, and its part in the scale's gradient.
      const { dx } = await run(
        engines[name],
        ({ x, dy, p, scale }) => {
          const s = mixture(list, range)(statistics(x!), p as tf.Tensor1D);
          const f = (x: tf.Tensor) => tf.sum(tf.mul(quantize(x, s, scale), dy!)) as tf.Scalar;
          return { dx: tf.grad(f)(x!) };
        },
        inputs,
      );
      const [x, dy, p] = [inputs.x[1], inputs.dy[1], inputs.p[1]];
      const fitted = list.map(({ scheme, bits }) => fit(scheme, bits, measure(x), range, 1.3));
      const passed = x.map(
        (v, j) =>
          fitted.reduce(
            (sum, { clip }, i) => sum + (!clip || (v >= clip.lower && v <= clip.upper) ? p[i]! : 0),
            0,
          ) * dy[j]!,
      );
      expectClose(dx!, passed, 3e-6);
      const through = passed.reduce((sum, g, j) => sum + g * x[j]!, 0);
      const stepped = expected.y!.reduce((sum, y, j) => sum + (y / 1.3) * dy[j]!, 0);
      expect(ours.dscale![0]).toBeCloseTo(stepped - through / 1.3, 2);
    });

    it("leaves out candidates that are not active", async () => {
      const x = weights(2000, 4);
      const body: Body = ({ x, p, active }) => {
        const mix = mixture(candidates, SIGNED);
        const measured = statistics(x!);
        const y = (p: tf.Tensor) => quantize(x!, mix(measured, p as tf.Tensor1D, active as tf.Tensor1D));
        return { y: y(p!), dp: tf.grad((p) => tf.sum(tf.square(y(p))))(p!) };
      };
      const { y, dp } = await run(engines[name], body, {
        x: [[2000], x],
        p: [[8], [0.3, 0, 0, 0.5, 0, 0.2, 0, 0]],
        active: [[8], [0, 0, 0, 1, 0, 1, 0, 0]],
      });
      const [clip, pot] = [schemes.clip.fit(x, 2).apply(x), schemes.pot.fit(x, 3).apply(x)];
      expectClose(
        y!,
        clip.map((v, i) => 0.5 * v + 0.2 * pot[i]!),
        3e-6,
      );
      expect([...dp!].map((g) => g !== 0)).toEqual([false, false, false, true, false, true, false, false]);
    });

    it("lets no gradient into statistics, and takes tensors of any rank", async () => {
      const { dx, y } = await run(
        engines[name],
        ({ x }) => {
          const f = (x: tf.Tensor) =>
            quantize(x, mixture([{ scheme: "ternary", bits: 2 }], SIGNED)(statistics(x), tf.tensor1d([1])));
          return { dx: tf.grad((x) => tf.sum(tf.mul(f(x), 3)))(x!), y: f(x!) };
        },
        { x: [[2, 1, 3, 2], weights(12, 8)] },
      );
      expect([...dx!]).toEqual(Array(12).fill(3));
      expectClose(y!, schemes.ternary.fit(weights(12, 8)).apply(weights(12, 8)), 2e-6);
    });

    it.each([[[6, 3]], [[4, 5, 3]], [[2, 3, 2, 3]], [[1, 3]]])(
      "normalizes a batch of shape %j",
      async (shape) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const inputs = {
          x: [shape, weights(size, 2)],
          dy: [shape, weights(size, 6)],
          gamma: [[3], [0.5, 1, 2]],
          beta: [[3], [0, -1, 1]],
        } as const;
        const plain = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
          const axes = shape.slice(1).map((_, i) => i);
          const { mean, variance } = tf.moments(x, axes);
          const y = tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))), gamma), beta);
          return { y, mean, variance };
        };
        const body =
          (apply: typeof plain): Body =>
          ({ x, dy, gamma, beta }) => {
            const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) =>
              tf.sum(tf.mul(apply(x, gamma, beta).y, dy!)) as tf.Scalar;
            const [dx, dgamma, dbeta] = tf.grads(f)([x!, gamma!, beta!]);
            return { ...apply(x!, gamma!, beta!), dx: dx!, dgamma: dgamma!, dbeta: dbeta! };
          };
        const fused = body((x, gamma, beta) =>
          batchNormTraining(x, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-3),
        );
        const ours = await run(engines[name], fused, inputs);
        const expected = await run(engines.reference, body(plain), inputs);
        for (const key of ["y", "mean", "variance", "dgamma", "dbeta"])
          expectClose(ours[key]!, expected[key]!, 1e-4);
        for (const [i, g] of ours.dx!.entries()) expect(g).toBeCloseTo(expected.dx![i]!, 3);
      },
    );

    it("draws the same numbers from the same seed, and others from another", async () => {
      const body: Body = ({ seed }) => ({ r: uniform([5, 7], seed!), again: uniform([5, 7], seed!) });
      const draws = await Promise.all(
        [
          [1, 2],
          [1, 3],
          [-5, 2],
        ].map((seed) => run(engines[name], body, { seed: [[2], seed, "int32"] })),
      );
      for (const { r, again } of draws) {
        expect([...r!]).toEqual([...again!]);
        expect(r!.every((v) => v >= 0 && v < 1)).toBe(true);
      }
      expect([...draws[0]!.r!]).not.toEqual([...draws[1]!.r!]);
      const other = await run(name === "native" ? engines.reference : engines.native, body, {
        seed: [[2], [-5, 2], "int32"],
      });
      expect([...draws[2]!.r!]).toEqual([...other.r!]);
    });
  });
}

/**
 * What holds for the native kernels.
 *
 * @param many values to sum up
 */
export function describeKernels(title: string, engines: Engines, many: number): void {
  describe(title, () => {
    const size = 100_003;

    it("update by Adam as plain operations do", async () => {
      const rate = 0.05;
      const inputs: Record<string, Input> = {
        x: [[size], weights(size, 1)],
        gradient: [[size], weights(size, 2)],
        m: [[size], weights(size, 3)],
        v: [[size], weights(size, 4).map((v) => v * v)],
        rate: [[], [rate]],
      };
      const attrs = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
      const outputs = await run(
        engines.native,
        ({ rate, ...state }) => {
          const [x, m, v] = adamExpression({ inputs: { ...state, rate } as never, attrs });
          const ours = adam(attrs, rate!, state as never);
          return { x: x!, m: m!, v: v!, "ours/x": ours.x, "ours/m": ours.m, "ours/v": ours.v };
        },
        inputs,
      );
      for (const key of ["x", "m", "v"]) expectClose(outputs[`ours/${key}`]!, outputs[key]!, 1e-6);
      expect(outputs.x!.some((v, i) => Math.abs(v - inputs.x![1][i]!) > rate / 2)).toBe(true);
    });

    it.each([
      { activation: tf.relu, top: Number.POSITIVE_INFINITY },
      { activation: tf.relu6, top: 6 },
    ])(
      "pass a gradient through an activation where it is neither 0 nor $top",
      async ({ activation, top }) => {
        const x = weights(size, 5).map((v, i) => (i % 7 === 0 ? 0 : 4 * v));
        const dy = weights(size, 6);
        for (const engine of [engines.native, engines.reference]) {
          const { dx } = await run(
            engine,
            ({ x, dy }) => ({ dx: tf.grad((v: tf.Tensor) => activation(v))(x!, dy!) }),
            { x: [[size], x], dy: [[size], dy] },
          );
          const passes = (v: number) => v > 0 && v < top;
          expect(dx!.findIndex((v, i) => v !== (passes(x[i]!) ? dy[i] : 0))).toBe(-1);
        }
      },
    );

    it(`give the same bits on every run, and agree with the reference on ${many} values`, async () => {
      const size = many;
      const list = [2, 3, 4, 5].flatMap((bits) => [
        { scheme: "clip" as const, bits },
        { scheme: "zoom" as const, bits },
      ]);
      const body: Body = ({ x, dy, p, scale }) => {
        const s = mixture(list, SIGNED)(statistics(x!), p as tf.Tensor1D);
        const y = quantize(x!, s, scale);
        const f = (x: tf.Tensor, p: tf.Tensor, scale: tf.Tensor) =>
          tf.sum(
            tf.mul(quantize(x, mixture(list, SIGNED)(statistics(x), p as tf.Tensor1D), scale), dy!),
          ) as tf.Scalar;
        const [dx, dp, dscale] = tf.grads(f)([x!, p!, scale!]);
        return { y, dx: dx!, dp: dp!, dscale: dscale! };
      };
      const inputs = {
        x: [[size], weights(size, 1)],
        dy: [[size], numbers(size, 2)],
        p: [[8], numbers(8, 3)],
        scale: [[], [0.9]],
      } as const;
      const [first, second] = [
        await run(engines.native, body, inputs),
        await run(engines.native, body, inputs),
      ];
      for (const key of Object.keys(first))
        expect(Buffer.from(first[key]!.buffer).equals(Buffer.from(second[key]!.buffer))).toBe(true);
      const reference = await run(engines.reference, body, inputs);
      expectClose(first.y!, reference.y!, 3e-6);
      expectClose(first.dx!, reference.dx!, 3e-6);
      expectClose(first.dp!, reference.dp!, 1e-5);
      expectClose(first.dscale!, reference.dscale!, 1e-4);
    });

    it("refuse an empty tensor by name", async () => {
      const error = await run(engines.native, ({ x }) => ({ s: statistics(x!) }), { x: [[0], []] }).catch(
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(AutoqnnError);
      expect((error as Error).message).toContain("at least one value to measure");
    });
  });
}
