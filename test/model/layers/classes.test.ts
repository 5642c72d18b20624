import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { models } from "../../../sdk/model/index.js";
import { REFUSED } from "../../../sdk/model/layers/refused.js";
import { file } from "../files.js";
import { families } from "./fixture.js";

/** Every layer class of Keras 3 and of Keras 2, as classes.py lists them. */
const CLASSES = JSON.parse(readFileSync(new URL("classes.json", import.meta.url), "utf8")) as Record<
  "keras3" | "keras2",
  string[]
>;

/** No layers, though they stand among them. */
const NO_LAYERS = ["InputSpec"];
/** Refused by the functional models of Keras themselves, whose graph has a cycle then; or other layers' wiring. */
const UNTESTED = ["Equalization", "RandomHeight", "RandomWidth", "GroupedQueryAttention"];

/** The class names of layers anywhere in a topology. */
function named(value: unknown, into: Set<string>): void {
  if (Array.isArray(value)) for (const part of value) named(part, into);
  else if (typeof value === "object" && value !== null) {
    const { class_name: name } = value as { class_name?: unknown };
    if (typeof name === "string") into.add(name);
    for (const part of Object.values(value)) named(part, into);
  }
}

describe("every layer class of Keras", () => {
  const compared = new Set<string>();
  for (const [, cases] of families()) for (const each of cases) named(each.topology, compared);
  const all = [...new Set([...CLASSES.keras3, ...CLASSES.keras2])].filter(
    (name) => !NO_LAYERS.includes(name),
  );

  test("is compared with Keras, or refused with a reason", () => {
    const left = all.filter(
      (name) => !compared.has(name) && !Object.hasOwn(REFUSED, name) && !UNTESTED.includes(name),
    );
    expect(left).toEqual([]);
    expect(Object.keys(REFUSED).filter((name) => compared.has(name) || !all.includes(name))).toEqual([]);
  });

  test.each(Object.entries(REFUSED))("%s is refused by name, and what to do instead", async (name, hint) => {
    const input = { class_name: "InputLayer", config: { batch_input_shape: [null, 4], name: "in" } };
    const layer = { class_name: name, config: { name: "it" } };
    const topology = { class_name: "Sequential", config: { name: "made", layers: [input, layer] } };
    await expect(models.load(file("model.json", JSON.stringify(topology)))).rejects.toEqual(
      expect.objectContaining({
        code: "bad-model",
        message: expect.stringMatching(new RegExp(`${name}.* at layer "it"`)),
        hint,
      }),
    );
  });
});
