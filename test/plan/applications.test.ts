import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { EDGES, stepOf } from "../../reproduce/bench/applications/step.js";

const TOPOLOGIES = fileURLToPath(new URL("../../../shared/reference/topologies/", import.meta.url));

describe.skipIf(!existsSync(TOPOLOGIES))("Keras Applications (needs ../shared/reference)", () => {
  // Different kinds of network, short to trace; reproduce/bench/applications.ts goes through all twelve.
  test.each(["ConvNeXtTiny", "MobileNet", "MobileNetV3Small", "RegNetX002"])(
    "%s takes a step of scheme search and one of precision learning",
    async (name) => {
      const { modelTopology } = JSON.parse(readFileSync(`${TOPOLOGIES}${name}.json`, "utf8"));
      const { losses } = await stepOf(modelTopology, EDGES[name]!);
      expect(Number.isFinite(losses.search)).toBe(true);
      expect(Number.isFinite(losses.learn)).toBe(true);
    },
    180_000,
  );
});
