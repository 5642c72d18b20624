import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import type { TensorMap } from "../../sdk/engine/engine.js";
import { mixtureExpression, mixtureGradientExpression } from "../../sdk/engine/kernels/mixture.js";
import type { NativeBackend } from "../../sdk/engine/kernels/native-operation.js";
import { gradientExpression, staircaseExpression } from "../../sdk/engine/kernels/staircase.js";
import { statisticsExpression } from "../../sdk/engine/kernels/statistics.js";
import { valueTable } from "../../sdk/engine/mixture.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { type DeviceStaircase, mixedStaircase, quantize, statistics } from "../../sdk/engine/ops.js";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { coefficients } from "../../sdk/staircase/schemes.js";
import { STATISTICS } from "../../sdk/staircase/statistics.js";
import {
  describeKernels,
  describeOperations,
  type Engines,
  expectClose,
  run,
  SIGNED,
  weights,
} from "./operations.js";

type Body = (inputs: TensorMap) => TensorMap;
const engines = {} as Engines;

beforeAll(async () => {
  engines.native = await nativeEngine();
  engines.reference = await referenceEngine();
});

const SIZES = [1, 2, 15, 16, 17, 1000, 1024, 1025, 32768, 100_003, 1_000_000];
for (const name of ["native", "reference"] as const) {
  describeOperations(`the ${name} engine's operations`, name, engines, SIZES);
}
describeKernels("the native kernels", engines, 1_000_003);

describe("the expressions that XLA compiles", () => {
  const table = valueTable([
    coefficients("residual", 4, { signed: true, zero: true }),
    coefficients("fixed", 3, SIGNED),
    coefficients("zoom", 3, SIGNED),
  ]);

  it("agree with the kernels", async () => {
    const size = 5000;
    // Most values are 0, so that residual's later scales exceed the first, and its tree needs its bounds.
    const x = weights(size, 12).map((v, i) => (i % 40 === 0 ? v * 9 : 0));
    const body: Body = ({ x, dy, active, shares, scale }) => {
      const backend = tf.backend() as unknown as NativeBackend;
      const measured = statistics(x!);
      const mix = (p: tf.Tensor) => mixedStaircase(table, measured, p as tf.Tensor1D, active as tf.Tensor1D);
      const ours = mix(shares!);
      const [thresholds, steps, base] = mixtureExpression({
        inputs: { statistics: measured, shares: shares!, active: active! },
        attrs: { table },
        backend,
      });
      const mask = { thresholds: tf.tensor1d([-1, 1]), steps: tf.tensor1d([1, -0.5]), base: tf.scalar(0) };
      const s = { ...ours, mask };
      const inputs = { ...s, x: x!, scale: scale!, dy: dy!, ...masked(mask) };
      const [dx, dsteps, dbase, dscale] = gradientExpression({ inputs, backend });
      const f = (x: tf.Tensor, steps: tf.Tensor, base: tf.Tensor, scale: tf.Tensor) =>
        tf.sum(
          tf.mul(quantize(x, { ...s, steps: steps as tf.Tensor1D, base: base as tf.Scalar }, scale), dy!),
        ) as tf.Scalar;
      const [dx2, dsteps2, dbase2, dscale2] = tf.grads(f)([x!, s.steps, s.base, scale!]);
      const [dshares2] = tf.grads((p: tf.Tensor) => f(x!, mix(p).steps, mix(p).base, scale!))([shares!]);
      const dshares = mixtureGradientExpression({
        inputs: { statistics: measured, active: active!, dsteps: dsteps!, dbase: dbase! },
        attrs: { table },
        backend,
      });
      const kernel = {
        statistics: measured,
        ...ours,
        y: quantize(x!, s, scale),
        dx: dx2,
        dsteps: dsteps2,
        dbase: dbase2,
        dscale: dscale2,
        dshares: dshares2,
      };
      const plain = {
        statistics: statisticsExpression(x!, STATISTICS),
        thresholds,
        steps,
        base,
        y: staircaseExpression({ inputs, backend }),
        dx,
        dsteps,
        dbase,
        dscale,
        dshares,
      };
      return Object.fromEntries([
        ...Object.entries(kernel).map(([key, t]) => [`kernel/${key}`, t!] as const),
        ...Object.entries(plain).map(([key, t]) => [`plain/${key}`, t!] as const),
      ]);
    };
    const outputs = await run(engines.native, body, {
      x: [[size], x],
      dy: [[size], weights(size, 30)],
      active: [[3], [1, 0, 1]],
      shares: [[3], [0.5, 0.3, 0.2]],
      scale: [[], [0.8]],
    });
    const names = Object.keys(outputs).filter((key) => key.startsWith("plain/"));
    expect(names.length).toBe(10);
    for (const key of names) {
      const [plain, kernel] = [outputs[key]!, outputs[key.replace("plain", "kernel")]!];
      if (key === "plain/thresholds") {
        const finite = (v: number) => (Number.isFinite(v) ? v : 99);
        expectClose(plain.map(finite), kernel.map(finite), 1e-6);
      } else {
        expectClose(plain, kernel, 1e-5);
      }
    }
  });
});

function masked(mask: NonNullable<DeviceStaircase["mask"]>) {
  return { maskThresholds: mask.thresholds, maskSteps: mask.steps, maskBase: mask.base };
}
