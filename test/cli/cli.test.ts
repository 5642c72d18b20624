import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { commands } from "../../sdk/cli/commands.js";
import { load, models, tf } from "../../sdk/index.js";
import { recurrentNetwork, transformer } from "../graph/sequences.js";
import { writeIdx } from "./idx.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
let directory: string;
let model: string;
let data: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "autoqnn-cli-"));
  // Drawn from a seed: whether corrected biases are the better ones is a matter of the weights.
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
  const layers = [
    tf.layers.conv2d({ name: "conv", filters: 4, kernelSize: 3, inputShape: [8, 8, 1], kernelInitializer }),
    tf.layers.batchNormalization({ name: "norm" }),
    tf.layers.activation({ name: "relu", activation: "relu" }),
    tf.layers.flatten({ name: "flat" }),
    tf.layers.dense({ name: "predictions", units: 3, activation: "softmax", kernelInitializer }),
  ];
  await models.save(tf.sequential({ layers }), join(directory, "network"));
  model = join(directory, "network", "model.json");
  data = join(directory, "data");
  await writeIdx(data);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** Runs the command; `watch` sees all of standard error each time there is more of it. */
function autoqnn(
  args: readonly string[],
  env: Record<string, string> = {},
  watch?: (child: ChildProcess, stderr: string) => void,
): Promise<Result> {
  const command = ["--import", "tsx", join(root, "sdk/cli/main.ts"), ...args];
  const child = spawn(process.execPath, command, { cwd: root, env: { ...process.env, ...env } });
  let [out, error] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => {
    error += chunk;
    watch?.(child, error);
  });
  return new Promise((done) => child.on("close", (code) => done({ code, out, error })));
}

/** Runs the command in this process: quicker, for what needs no process of its own. Gives what it prints on standard output. */
async function here(...args: readonly string[]): Promise<string> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await commands().parseAsync(args, { from: "user" });
    return log.mock.calls.map((line) => line.join(" ")).join("\n");
  } finally {
    log.mockRestore();
  }
}

/** Standard error without what libraries print there on their own. */
const errorLines = ({ error }: Result): string[] =>
  error.split("\n").filter((line) => line.startsWith("autoqnn: "));

describe("usage", () => {
  it("prints help on standard output, with every command", async () => {
    const { code, out } = await autoqnn(["--help"]);
    expect(code).toBe(0);
    for (const name of ["quantize", "inspect", "evaluate", "doctor", "setup"])
      expect(out).toMatch(new RegExp(`^  ${name}\\b`, "m"));
  });

  it("prints the help of a command with its options", async () => {
    const { code, out } = await autoqnn(["quantize", "--help"]);
    expect(code).toBe(0);
    for (const option of ["--data", "--budget", "--epochs", "--seed", "--out"]) expect(out).toContain(option);
  });

  it.each([
    ["no command", [], /Usage: autoqnn/],
    ["an unknown command", ["quantise"], /unknown command 'quantise'/],
    ["an unknown option", ["doctor", "--jsn"], /unknown option '--jsn'/],
    ["a missing argument", ["inspect"], /missing required argument 'path'/],
    ["a missing option", ["quantize", "m.json", "--data", "fashion-mnist"], /required option '--out/],
    [
      "a budget without a number",
      ["quantize", "m", "--data", "d", "--out", "o", "--budget", "average-bits"],
      /average-bits=2/,
    ],
    [
      "an unknown budget",
      ["quantize", "m", "--data", "d", "--out", "o", "--budget", "weight=2"],
      /bit-operations/,
    ],
    [
      "a limit twice",
      ["quantize", "m", "--data", "d", "--out", "o", "--budget", "memory=9,memory=8"],
      /once/,
    ],
    [
      "epochs that are no number",
      ["quantize", "m", "--data", "d", "--out", "o", "--epochs", "many"],
      /positive number/,
    ],
    [
      "an unknown way with batch normalization",
      ["quantize", "m", "--data", "d", "--out", "o", "--batch-normalization", "drop"],
      /keep, fold, reestimate/,
    ],
  ] as const)("ends with 2 for %s", async (_, args, message) => {
    const { code, out, error } = await autoqnn(args);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(error).toMatch(message);
  });
});

describe("errors of a run", () => {
  it("are one line that says what to do, and code 1", async () => {
    const result = await autoqnn(["inspect", join(directory, "absent.json")]);
    expect(result.code).toBe(1);
    expect(result.out).toBe("");
    expect(errorLines(result).length).toBe(1);
    expect(errorLines(result)[0]).toMatch(/Expected .+ received .+/);
    expect(result.error).not.toMatch(/^\s+at /m);
  });

  it("show where they come from with AUTOQNN_DEBUG=1", async () => {
    const { code, error } = await autoqnn(["inspect", join(directory, "absent.json")], {
      AUTOQNN_DEBUG: "1",
    });
    expect(code).toBe(1);
    expect(error).toMatch(/^\s+at /m);
  });

  it("come before any work for data that do not exist and a directory that is taken", async () => {
    const taken = join(directory, "taken");
    await mkdir(taken);
    await writeFile(join(taken, "notes.txt"), "mine");
    const one = await autoqnn([
      "quantize",
      model,
      "--data",
      "fashion-minst",
      "--out",
      join(directory, "new"),
    ]);
    const two = await autoqnn(["quantize", model, "--data", data, "--out", taken]);
    expect([one.code, two.code]).toEqual([1, 1]);
    expect(errorLines(one)[0]).toContain("fashion-mnist");
    expect(errorLines(two)[0]).toContain("notes.txt");
    expect(await readdir(taken)).toEqual(["notes.txt"]);
    expect(await readdir(directory)).not.toContain("new");
  });

  it("name a budget that cannot be met", async () => {
    const out = join(directory, "infeasible");
    const result = await autoqnn([
      "quantize",
      model,
      "--data",
      data,
      "--out",
      out,
      "--budget",
      "model-size=10",
    ]);
    expect(result.code).toBe(1);
    expect(errorLines(result)[0]).toMatch(/budget|size/i);
  });
});

describe("inspect", () => {
  it("shows the nodes of a network and why others are none", async () => {
    const { code, out } = await autoqnn(["inspect", model]);
    expect(code).toBe(0);
    for (const name of ["conv/kernel", "conv/input", "predictions/kernel", "predictions/input"])
      expect(out).toContain(name);
    const json = JSON.parse((await autoqnn(["inspect", model, "--json"])).out);
    expect(json.kind).toBe("model");
    expect(json.nodes.map(({ id }: { id: string }) => id)).toEqual([
      "conv/kernel",
      "predictions/kernel",
      "predictions/input",
    ]);
    expect(json.leftAlone.map(({ id }: { id: string }) => id)).toContain("conv/input");
    expect(json.totals.parameters.all).toBe(9 * 4 + 4 + 4 * 4 + 36 * 4 * 3 + 3);
    expect(json.totals.macs).toBe(36 * 9 * 4 + 36 * 4 * 3);
    expect(out).toMatch(/^MACs per sample +1,728$/m);
  });
});

describe("inspect --sensitivity", () => {
  it("measures a bit more and less at every node, on held-out data and around equal bits", async () => {
    const asked = ["inspect", model, "--data", data, "--sensitivity", "--examples", "20"];
    const { nodes, sensitivity } = JSON.parse(await here(...asked, "--json", "--budget", "average-bits=3"));
    expect(sensitivity).toMatchObject({ examples: 20, labels: "soft" });
    expect(sensitivity.rows.map(({ node }: { node: string }) => node)).toEqual(
      nodes.map(({ id }: { id: string }) => id),
    );
    for (const { scheme, bits, up, down } of sensitivity.rows) {
      expect([scheme, bits]).toEqual(["clip", 3]);
      expect([up, down].every(({ loss, error }) => Number.isFinite(loss) && error >= 0)).toBe(true);
    }
    const text = await here(...asked);
    expect(text).toMatch(
      /^MACs per sample[\s\S]*Sensitivity on 20 held-out[\s\S]*± less[\s\S]*conv\/kernel +clip +4 /m,
    );
  });

  it.each([
    ["data", ["--sensitivity"], /'--sensitivity' needs '--data <name>'/],
    ["the measurement that they are for", ["--examples", "40"], /'--examples' needs '--sensitivity'/],
  ] as const)("says what is missing: %s", async (_, options, message) => {
    await expect(here("inspect", model, ...options)).rejects.toMatchObject({
      name: "CommanderError",
      message: expect.stringMatching(message),
    });
  });
});

describe("options of what is quantized", () => {
  it.each([
    ["--recurrent-state", recurrentNetwork, "lstm/state"],
    ["--attention-products", transformer, "attention/query"],
  ] as const)("%s adds nodes inside of layers", async (option, network, id) => {
    const folder = join(directory, option);
    await models.save(network(), folder);
    const path = join(folder, "model.json");
    const nodes = async (...options: string[]): Promise<string[]> =>
      JSON.parse(await here("inspect", path, "--json", ...options)).nodes.map(
        (node: { id: string }) => node.id,
      );
    expect(await nodes()).not.toContain(id);
    expect(await nodes(option)).toContain(id);
  });

  it.each([
    ["bitwidths that do not descend", ["--progressive", "4,8"], /Expected bitwidths from 8 down to 1/],
    ["a correction of biases that training moves", ["--bias-correction"], /needs '--no-training'/],
    [
      "a budget for what is not trained",
      ["--no-training", "--budget", "average-bits=2"],
      /'--no-training' cannot be used with option '--budget/,
    ],
  ] as const)("are refused for %s", async (_, options, message) => {
    await expect(here("quantize", "m", "--data", "d", "--out", "o", ...options)).rejects.toMatchObject({
      name: "CommanderError",
      message: expect.stringMatching(message),
    });
  });

  it("trains at higher bitwidths first where asked", async () => {
    const out = join(directory, "progressive");
    await here("quantize", model, "--data", data, "--epochs", "0.5", "--progressive", "6,3", "--out", out);
    const { stages } = (await load(out)).provenance;
    expect(stages.at(-1)).toMatchObject({ kind: "tune", options: { progressive: [6, 3] } });
  });

  it("without training weights are rounded as they are, by a scale per channel and with biases moved where it is said", async () => {
    const made = async (name: string, ...options: string[]) => {
      const out = join(directory, name);
      await here("quantize", model, "--data", data, "--no-training", "--out", out, ...options);
      return load(out);
    };
    const plain = await made("plain", "--no-bias-correction", "--batch-normalization", "keep");
    expect(plain.provenance).toMatchObject({ stages: [], generation: { folded: false } });
    expect(plain.provenance.generation).not.toHaveProperty("correctedBiases");
    expect(plain.nodes.every(({ scheme, bits }) => scheme === "fixed" && bits === 8)).toBe(true);
    const both = await made("both", "--bias-correction", "--per-channel");
    expect(both.provenance.generation).toHaveProperty("correctedBiases");
    expect(both.nodes.map(({ kind, factor }) => [kind, factor !== undefined])).toEqual([
      ["weight", true],
      ["weight", true],
      ["input", false],
    ]);
    expect(await readdir(directory)).not.toContain("both.checkpoints");
    await expect(here("inspect", join(directory, "both"), "--recurrent-state")).rejects.toThrow(
      /network at --recurrent-state, received the artifact/,
    );
    await expect(here("inspect", join(directory, "both"), "--sensitivity", "--data", data)).rejects.toThrow(
      /network at --sensitivity, received the artifact/,
    );
  });
});

describe("doctor", () => {
  it("tells version and device of an engine that runs, as text and as JSON", async () => {
    const { code, out } = await autoqnn(["doctor"]);
    expect(code).toBe(0);
    expect(out).toContain(process.versions.node);
    const report = JSON.parse((await autoqnn(["doctor", "--json"])).out);
    expect(report).toMatchObject({ node: process.versions.node, problems: [] });
    expect(["cpu", "gpu"]).toContain(report.device);
    expect(out).toContain(report.tensorflow);
  });

  it("names what is missing and what mends it, with code 1", async () => {
    const empty = { HOME: directory, XDG_CACHE_HOME: join(directory, "cache") };
    const result = await autoqnn(["doctor", "--json"], empty);
    expect(result.code).toBe(1);
    expect(errorLines(result).length).toBe(1);
    const { problems } = JSON.parse(result.out);
    expect(problems.length).toBeGreaterThan(0);
    for (const { what, mend } of problems) expect([what, mend].every((text) => text.length > 5)).toBe(true);
  });
});

describe("quantize, inspect, evaluate", () => {
  it("go the whole way on a small network", async () => {
    const out = join(directory, "artifact");
    const made = await autoqnn([
      "quantize",
      model,
      "--data",
      data,
      "--epochs",
      "1",
      "--seed",
      "3",
      "--batch-normalization",
      "fold",
      "--out",
      out,
      "--report",
      join(directory, "report"),
    ]);
    expect(made.error).not.toMatch(/^autoqnn: /m);
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/Test accuracy: [\d.]+ % in FP32, [\d.]+ % quantized/);
    expect((await readdir(out)).sort()).toEqual(["floating.bin", "model.json", "packed.bin"]);
    expect(await readdir(directory)).not.toContain("artifact.checkpoints");
    const report = join(directory, "report");
    expect((await readdir(report)).sort()).toEqual(["figures", "report.html", "tables"]);
    expect(await readdir(join(report, "figures"))).toContain("confusion.png");
    expect(await readFile(join(report, "tables", "error-per-layer.csv"), "utf8")).toMatch(/^output,/m);

    const inspected = JSON.parse((await autoqnn(["inspect", out, "--json"])).out);
    expect(inspected.kind).toBe("artifact");
    expect(inspected.sizes.packedBytes).toBe((await readFile(join(out, "packed.bin"))).length);
    expect(inspected.sizes.averageBits.weights).toBeLessThanOrEqual(2);
    expect(inspected.batchNormalizations).toEqual([{ layer: "norm", into: "conv" }]);
    expect(inspected.nodes[0].factor.values.length).toBe(4);
    expect((await autoqnn(["inspect", out])).out).toContain("predictions/kernel");

    const { code, out: text } = await autoqnn(["evaluate", out, "--data", data, "--json"]);
    expect(code).toBe(0);
    const { datasets } = await import("../../sdk/index.js");
    const { test } = await datasets.idx(data);
    expect(JSON.parse(text)).toEqual(await (await load(out)).evaluate(test));
  }, 240_000);

  it("is stopped by an interrupt, and says how to go on", async () => {
    const out = join(directory, "interrupted");
    let asked = false;
    const args = ["quantize", model, "--data", data, "--epochs", "5000", "--out", out];
    const { code, error } = await autoqnn(args, {}, (child, stderr) => {
      // A second interrupt would not wait for the checkpoint.
      if (!asked && /step \d+\/\d+/.test(stderr)) asked = child.kill("SIGINT");
    });
    expect(code).toBe(130);
    expect(error).toMatch(/^autoqnn: SIGINT: .*Run the same again to continue from the checkpoint in/m);
    const kept = await readdir(`${out}.checkpoints`);
    expect(kept.filter((name) => !name.endsWith(".before.safetensors"))).toHaveLength(1);
  }, 120_000);
});
