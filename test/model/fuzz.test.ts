import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { AutoqnnError } from "../../sdk/errors.js";
import type { Json } from "./json.js";
import { load } from "./json.js";
import { families } from "./layers/fixture.js";

/** Numbers in [0, 1) from a seed (mulberry32), so that a failure can be seen again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a file should not say, where it may stand. */
const JUNK: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  7,
  1e12,
  2 ** 31,
  -1e300,
  "",
  "x",
  "constructor",
  "__proto__",
  "in",
  "relu",
  [],
  {},
  [[]],
  [null],
  [1, 2, 3],
  ["x", 0, 0],
  { class_name: "Dense", config: {} },
  { class_name: "Lambda", config: {} },
  { class_name: "__keras_tensor__", config: { keras_history: ["x0", 0, 0] } },
  Array(100).fill([0]),
];

type Parent = Record<string, unknown>;

/** Every place in `value`: what holds it, and under which key. */
function places(value: unknown): readonly (readonly [Parent, string])[] {
  if (typeof value !== "object" || value === null) return [];
  const parent = value as Parent;
  return Object.keys(parent).flatMap((key) => [[parent, key] as const, ...places(parent[key])]);
}

/** `topology` with one to three changes: parts left out, exchanged, doubled or replaced. */
function mutated(topology: unknown, seed: number): Json {
  const draw = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!;
  const copy = structuredClone(topology) as Json;
  for (let changes = 1 + Math.floor(draw() * 3); changes > 0; changes--) {
    const all = places(copy);
    if (all.length === 0) break;
    const [parent, key] = pick(all);
    const change = pick(["remove", "replace", "replace", "exchange", "double"] as const);
    if (change === "remove") {
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
    } else if (change === "replace") {
      parent[key] = structuredClone(pick(JUNK));
    } else if (change === "exchange") {
      const [other, place] = pick(all);
      parent[key] = structuredClone(other[place]);
    } else if (Array.isArray(parent)) {
      parent.splice(Number(key), 0, structuredClone(parent[Number(key)]));
    }
  }
  return copy;
}

/** Models with nesting, sharing and dictionaries, and one of each family of layers. */
const GOOD = families().flatMap(([family, cases]) => (family === "functional" ? cases : cases.slice(0, 1)));
const PER_MODEL = 20;

describe("a file that was changed at random is a model or is refused", () => {
  test.each(GOOD.map((each, i) => [`${each.name}, written by ${each.writer}`, each.topology, i] as const))(
    "%s",
    async (_, topology, i) => {
      let refusals = 0;
      for (let n = 0; n < PER_MODEL; n++) {
        const seed = i * PER_MODEL + n;
        const tensors = tf.memory().numTensors;
        const start = performance.now();
        const result = await load(mutated(topology, seed)).catch((error: unknown) => error);
        expect(performance.now() - start, `time of seed ${seed}`).toBeLessThan(5000);
        if (result instanceof AutoqnnError) {
          refusals += 1;
          expect(result.code, `seed ${seed}: ${result.message}`).toBe("bad-model");
          expect(tf.memory().numTensors, `tensors left by seed ${seed}`).toBe(tensors);
        } else {
          expect(result, `seed ${seed}: ${result}`).toBeInstanceOf(tf.LayersModel);
          (result as tf.LayersModel).dispose();
        }
      }
      expect(refusals).toBeGreaterThan(0);
    },
  );
});
