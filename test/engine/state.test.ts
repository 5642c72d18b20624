import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Engine, TensorMap } from "../../sdk/engine/engine.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { onBackend } from "../../sdk/engine/on-backend.js";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { AutoqnnError } from "../../sdk/errors.js";
import { onGpu } from "./device.js";

const engines = {} as Record<"native" | "reference", Engine>;

beforeAll(async () => {
  engines.native = await nativeEngine();
  engines.reference = await referenceEngine();
});

const nativeTensors = (): number =>
  (
    tf.findBackend("tensorflow") as unknown as { binding: { getNumOfTensors(): number } }
  ).binding.getNumOfTensors();

function values(tensors: TensorMap): Record<string, number[]> {
  const all = Object.entries(tensors).map(([name, t]): [string, number[]] => [name, [...t.dataSync()]]);
  tf.dispose(tensors);
  return Object.fromEntries(all);
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AutoqnnError);
  return (error as AutoqnnError).message;
}

describe.each(["native", "reference"] as const)("the state of the %s engine", (name) => {
  const made = <T>(make: () => T): T => onBackend(name === "native" ? "tensorflow" : "cpu", make);
  const start = (tensors: () => TensorMap) => engines[name].state(made(tensors));
  const add = ({ w, m, x }: TensorMap): TensorMap => ({ w: tf.add(w!, x!), sum: tf.sum(tf.add(w!, m!)) });

  it("takes what a run gives under its names, and keeps the rest", async () => {
    const step = engines[name].compile("add", add);
    const state = start(() => ({ w: tf.tensor1d([1, 2]), m: tf.tensor1d([10, 20]) }));
    const x = made(() => tf.tensor1d([0.5, 1]));
    expect(values(await step.run({ x }, { state }))).toEqual({ sum: [33] });
    expect(values(await step.run({ x }, { state }))).toEqual({ sum: [34.5] });
    expect(values(state.read())).toEqual({ w: [2, 4], m: [10, 20] });
    expect(values(state.read(["w"]))).toEqual({ w: [2, 4] });
    state.dispose();
    step.dispose();
  });

  it("passes from step to step, and what was read stays as it was", async () => {
    const [first, second] = [add, ({ w }: TensorMap) => ({ w: tf.mul(w!, 2) })].map((body, i) =>
      engines[name].compile(`step ${i}`, body),
    );
    const state = start(() => ({ w: tf.tensor1d([1, 2]), m: tf.tensor1d([0, 0]) }));
    const before = state.read();
    const x = made(() => tf.tensor1d([1, 1]));
    values(await first!.run({ x }, { state }));
    expect(await second!.run({}, { state })).toEqual({});
    expect(values(state.read(["w"]))).toEqual({ w: [4, 6] });
    expect(values(before)).toEqual({ w: [1, 2], m: [0, 0] });
    state.dispose();
  });

  it("forks: what becomes of one is not seen in the other", async () => {
    const step = engines[name].compile("add", add);
    const state = start(() => ({ w: tf.tensor1d([1, 2]), m: tf.tensor1d([10, 20]) }));
    const fork = state.fork();
    const x = made(() => tf.tensor1d([1, 1]));
    values(await step.run({ x }, { state }));
    expect(values(fork.read())).toEqual({ w: [1, 2], m: [10, 20] });
    values(await step.run({ x: made(() => tf.tensor1d([5, 5])) }, { state: fork }));
    state.dispose();
    expect(values(fork.read())).toEqual({ w: [6, 7], m: [10, 20] });
    fork.dispose();
    expect(() => state.fork()).toThrow("a disposed one");
  });

  it("holds as much memory after 50 runs as after one, and nothing once disposed", async () => {
    const step = engines[name].compile("add", add);
    const x = made(() => tf.tensor1d([1, 1]));
    const held = (): number[] => [tf.memory().numTensors, nativeTensors()];
    values(await step.run({ x }, { state: start(() => ({ w: tf.zeros([2]), m: tf.zeros([2]) })) }));
    const before = held();
    const state = start(() => ({ w: tf.zeros([2]), m: tf.zeros([2]) }));
    values(await step.run({ x }, { state }));
    const once = held();
    for (let i = 0; i < 50; i++) values(await step.run({ x }, { state }));
    expect(held()).toEqual(once);
    state.dispose();
    state.dispose();
    expect(held()).toEqual(before);
  });

  it("refuses what does not fit, and is as it was after a run that fails", async () => {
    const state = start(() => ({ w: tf.tensor1d([1, 2]) }));
    const x = made(() => tf.tensor1d([1, 1]));
    const compile = (body: (inputs: TensorMap) => TensorMap) => engines[name].compile("step", body);
    const twice = compile(({ w }) => ({ w: w! }));
    expect(await refusal(twice.run({ w: x }, { state }))).toContain('received "w" in both');
    const wider = compile(({ w }) => ({ w: tf.concat([w!, w!]) }));
    // Also the second time, when the step might be known already.
    for (let i = 0; i < 2; i++)
      expect(await refusal(wider.run({}, { state }))).toContain("Expected an output of shape [2]");
    expect(() => state.read(["w", "z"])).toThrow('received "z"');
    const foreign = engines[name === "native" ? "reference" : "native"].state({});
    expect(await refusal(twice.run({}, { state: foreign }))).toContain(
      "Expected a live state of this engine",
    );
    expect(values(state.read())).toEqual({ w: [1, 2] });
    state.dispose();
    expect(await refusal(twice.run({}, { state }))).toContain("Expected a live state");
    expect(() => state.read()).toThrow("received a disposed one");
  });
});

// On a GPU a run is not ended once it is under way, and this one is over before it could be.
it.skipIf(onGpu)(
  "cancels a run of several seconds at once: the state is as it was, and the next run as ever",
  async () => {
    const size = 1000;
    const start = () => ({ w: tf.randomUniform([size, size], -1, 1, "float32", 7) });
    const long = ({ w, m }: TensorMap): TensorMap => {
      let x = w!;
      for (let i = 0; i < 120; i++) x = tf.div(tf.matMul(x, m!), 30);
      return { w: x };
    };
    const step = engines.native.compile("long", long);
    const m = tf.randomUniform([size, size], -1, 1, "float32", 8);
    const [state, before] = [engines.native.state(start()), values(start())];
    const cell = new AbortController();
    const run = step.run({ m }, { state, signal: cell.signal });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stopped = performance.now();
    cell.abort();
    await expect(run).rejects.toMatchObject({ code: "aborted", message: expect.stringContaining('"long"') });
    const ended = performance.now() - stopped;
    expect(ended).toBeLessThan(300);
    expect(values(state.read())).toEqual(before);
    await expect(step.run({ m }, { state, signal: cell.signal })).rejects.toMatchObject({ code: "aborted" });
    const begun = performance.now();
    expect(await step.run({ m }, { state, signal: new AbortController().signal })).toEqual({});
    expect(performance.now() - begun).toBeGreaterThan(4 * ended);
    expect(values(state.read())).not.toEqual(before);
    state.dispose();
  },
);

it("refuses a second run of a state while the first is under way", async () => {
  const state = engines.native.state({ w: tf.tensor1d([1, 2]) });
  const step = engines.native.compile("step", ({ w }) => ({ w: tf.add(w!, 1) }));
  const first = step.run({}, { state });
  expect(await refusal(step.run({}, { state }))).toContain("Expected a state that no run has");
  await first;
  expect(values(state.read())).toEqual({ w: [2, 3] });
  state.dispose();
});
