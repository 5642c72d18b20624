import { beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { generate, type QuantizedModel, stagesOf } from "../../sdk/generate/index.js";
import { synthetic } from "../report/synthetic.js";
import { assignmentOf, functional, graphOf, snapshotOf } from "./models.js";

const runs = synthetic().runs;
let model: QuantizedModel;
beforeAll(async () => {
  await engine();
  const graph = graphOf(functional());
  const provenance = { library: "0.0.0", seed: 7, stages: stagesOf(runs.at(-1)) };
  model = generate(graph, await snapshotOf(graph), assignmentOf(graph), provenance);
});

describe("summary", () => {
  it("prints every node, everything left alone with its reason, and the sizes", () => {
    const printed: string[] = [];
    model.summary((text) => printed.push(text));
    expect(printed).toEqual([model.toString()]);
    for (const { id, scheme, bits } of model.nodes) {
      expect(printed[0]).toMatch(new RegExp(`^${id} +${scheme} +${bits} `, "m"));
    }
    expect(printed[0]).toMatch(/^rank 1 +\d+ +conv1\/bias, norm\/gamma, norm\/beta and \d more$/m);
    expect(printed[0]).toMatch(/^model input +1 +conv1\/input$/m);
    const { packedBytes, bitOperations, fp32 } = model.sizes;
    expect(printed[0]).toMatch(new RegExp(`^  in codes +${packedBytes.toLocaleString("en-US")}$`, "m"));
    const factor = (fp32!.bitOperations / bitOperations).toFixed(2);
    expect(printed[0]).toMatch(new RegExp(`^bit operations per sample +[\\d,]+ +[\\d,]+ +${factor}$`, "m"));
  });

  it("tells what each stage reached and which rounding won", () => {
    expect(String(model)).toMatch(/^precision learning +300 +0\.3590 +87\.40 +gamma 2$/m);
  });

  it("is a table in HTML too", () => {
    const html = model.toHtml();
    for (const { id } of model.nodes) expect(html).toContain(`<td>${id}</td>`);
    for (const { id, reason } of model.leftAlone) {
      expect(html).toMatch(new RegExp(`<td>${id}</td><td>[^<]*</td><td>${reason}</td>`));
    }
  });
});

describe("stagesOf", () => {
  it("lists a run and those before it, first to last, without times or arrays of measurements", () => {
    const stages = stagesOf(runs.at(-1));
    expect(stages.map(({ kind }) => kind)).toEqual(["search", "learn", "tune"]);
    expect(stages[1]!.chosen).toBe("gamma 2");
    expect(stages[1]!.trials!.map(({ name }) => name)).toEqual(["gamma 2", "gamma 1", "control"]);
    expect(JSON.stringify(stages)).not.toContain("seconds");
    expect(JSON.stringify(stages).length).toBeLessThan(2000);
    expect(stagesOf(undefined)).toEqual([]);
  });
});
