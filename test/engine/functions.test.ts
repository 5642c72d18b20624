import { expect, test } from "vitest";
import { openAddon } from "../../sdk/engine/native/addon.js";
import { Functions } from "../../sdk/engine/native/functions.js";

const addon = openAddon();
const { TF_FLOAT, TF_ATTR_TYPE } = addon;

/** Records x + value and returns the function's name. */
function plus(functions: Functions, value: number, label = "plus"): string {
  const graph = functions.graph();
  const x = graph.placeholder(TF_FLOAT, [2]).id;
  const constant = graph.constant([], TF_FLOAT, Float32Array.of(value)).id;
  const type = [{ name: "T", type: TF_ATTR_TYPE, value: TF_FLOAT }];
  const [sum] = graph.operation("AddV2", type, [x, constant], 1, "");
  return graph.finish(label, [x], [sum!.id], false);
}

async function run(name: string): Promise<number[]> {
  const x = addon.createTensor([2], TF_FLOAT, Float32Array.of(1, 2));
  const [y] = await addon.runFunction(name, [x], [-1]).outputs;
  return [...(addon.tensorDataSync(y!.id) as Float32Array)];
}

test("what is recorded alike is one function, whatever its label; what differs is another", async () => {
  const functions = new Functions(addon);
  const first = plus(functions, 1);
  expect(plus(functions, 1, "again")).toBe(first);
  const other = plus(functions, 2);
  expect(other).not.toBe(first);
  expect(await run(first)).toEqual([2, 3]);
  expect(await run(other)).toEqual([3, 4]);
});

test("a function outlives its uses for a while, and those in use always", async () => {
  const functions = new Functions(addon);
  const used = plus(functions, 0);
  const shared = plus(functions, -1);
  plus(functions, -1);
  functions.release(shared);
  const old = plus(functions, 0.5);
  functions.release(old);
  expect(await run(old)).toEqual([1.5, 2.5]);
  for (let value = 1; value <= 40; value++) functions.release(plus(functions, value));
  await expect(run(old)).rejects.toThrow();
  expect(await run(used)).toEqual([1, 2]);
  expect(await run(shared)).toEqual([0, 1]);
});
