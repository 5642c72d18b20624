import { type ExecFileException, execFile, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../reproduce/experiment.js";
import { NAMES } from "../../reproduce/methods/names.js";
import { root } from "../../sdk/engine/native/place.mjs";
import { imageNetFolder } from "../datasets/imageNet.js";

const MINUTES = 60_000;
const COMMAND = ["--import", "tsx", join(root, "reproduce", "reproduce.ts")];
const scratch = mkdtempSync(join(tmpdir(), "autoqnn-reproduce-"));
const [results, out] = [join(scratch, "results"), join(scratch, "out")];

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs the command to its end. */
function reproduce(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const ended = (error: ExecFileException | null, stdout: string, stderr: string): void =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: `${stdout}\n${stderr}` });
    execFile(process.execPath, [...COMMAND, ...args], { cwd: root, maxBuffer: 1e8 }, ended);
  });
}

/** Runs the command, stops it by SIGTERM when something is kept in `checkpoints`, and gives what it said. */
function stoppedWhileTraining(args: readonly string[], checkpoints: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...COMMAND, ...args], { cwd: root });
    let said = "";
    const hear = (chunk: Buffer): void => {
      said += chunk;
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const looking = setInterval(() => {
      const kept = existsSync(checkpoints) ? readdirSync(checkpoints, { recursive: true }) : [];
      if (!kept.some((name) => String(name).endsWith(".safetensors"))) return;
      clearInterval(looking);
      child.kill("SIGTERM");
    }, 50);
    child.once("close", (code) => {
      clearInterval(looking);
      resolve(`${said}\nexit ${code}`);
    });
  });
}

function outcomesOf(directory: string): Outcome[] {
  const path = join(directory, "outcomes.jsonl");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

describe("scale smoke", () => {
  const args = ["all", "--scale", "smoke", "--results", results, "--out", out];

  test(
    "trains every method of every table, and writes all of them",
    async () => {
      const { code, output } = await reproduce(...args);
      expect(output).not.toMatch(/FAILED/);
      expect(code).toBe(0);
      const outcomes = outcomesOf(results);
      expect(outcomes.length).toBeGreaterThan(30);
      for (const { validation, test: tested, seconds, processorSeconds } of outcomes) {
        expect(validation.loss).toBeGreaterThan(0);
        expect(tested.count).toBe(400);
        expect(seconds * processorSeconds!).toBeGreaterThan(0);
      }
      const files = readdirSync(results);
      for (const [index, name] of ["comparison", "schemes", "precision", "cost", "chosen"].entries()) {
        const own = files.filter((file) => file.startsWith(`table-${index + 1}-${name}`));
        expect([...new Set(own.map((file) => file.split(".")[1]))].toSorted()).toEqual(["csv", "html", "md"]);
        const text = readFileSync(join(results, `table-${index + 1}-${name}.md`), "utf8");
        expect(text).toContain('scale "smoke"');
        expect(text).not.toContain("not trained yet");
      }
      expect(readdirSync(join(results, "figures")).length).toBeGreaterThan(5);
    },
    6 * MINUTES,
  );

  test(
    "trains nothing twice",
    async () => {
      const before = readFileSync(join(results, "outcomes.jsonl"), "utf8");
      const { code, output } = await reproduce(...args);
      expect(code).toBe(0);
      expect(output).not.toMatch(/networks/);
      expect(readFileSync(join(results, "outcomes.jsonl"), "utf8")).toBe(before);
    },
    MINUTES,
  );
});

describe("a reproduction that is stopped", () => {
  const args = ["1", "--scale", "smoke", "--methods", NAMES.lsq, "--epochs", "12", "--jobs", "1"];
  const at = (name: string) => ["--results", join(scratch, name), "--out", join(scratch, `${name}-out`)];
  const lsq = (name: string) => outcomesOf(join(scratch, name)).filter(({ method }) => method === NAMES.lsq);

  test(
    "keeps where it was, and ends with what an undisturbed one gives",
    async () => {
      expect(
        await stoppedWhileTraining([...args, ...at("stopped")], join(scratch, "stopped-out", "checkpoints")),
      ).toMatch(/stopped after step \d+ of 300[\s\S]*exit 143$/);
      expect(lsq("stopped")).toEqual([]);
      expect(readdirSync(join(scratch, "stopped-out", "checkpoints")).join()).toMatch(/LSQ/);

      expect((await reproduce(...args, ...at("stopped"))).code).toBe(0);
      expect((await reproduce(...args, ...at("whole"))).code).toBe(0);
      const [stopped, whole] = [lsq("stopped"), lsq("whole")];
      expect(stopped.map(({ test: { loss } }) => loss)).toEqual(whole.map(({ test: { loss } }) => loss));
      expect([...stopped, ...whole].map(({ resumed }) => resumed)).toEqual([true, undefined]);
      expect(readdirSync(join(scratch, "stopped-out", "checkpoints"))).toEqual([]);
    },
    4 * MINUTES,
  );
});

test(
  "images in ImageNet's folders go the way of full size",
  async () => {
    const images = await imageNetFolder(join(scratch, "imagenet"));
    const [own, directory] = [join(scratch, "full"), join(scratch, "full-out")];
    const { code, output } = await reproduce(
      ...["1", "--scale", "full", "--networks", "resnet18", "--imagenet", images, "--image-size", "64"],
      ...["--epochs", "1", "--start-epochs", "1", "--batch", "8", "--seeds", "1", "--bits", "2"],
      ...["--methods", `floating point;${NAMES.chain};${NAMES.lsq}`, "--results", own, "--out", directory],
    );
    expect(output).not.toMatch(/FAILED/);
    expect(code).toBe(0);
    const methods = outcomesOf(own).map(({ method }) => method);
    expect(methods.toSorted()).toEqual([
      "LSQ (as published)",
      "QSS + QPL (the default chain)",
      "floating point",
    ]);
    const text = readFileSync(join(own, "table-1-comparison.md"), "utf8");
    expect(text).toContain("resnet18 on imagenet");
    expect(text).toMatch(/\d+ of \d+ networks are not trained yet/);
  },
  4 * MINUTES,
);

test("a start that fails is tried once, and what needs it fails for the same reason", async () => {
  const [own, directory] = [join(scratch, "startless"), join(scratch, "startless-out")];
  const kept = join(directory, "starts", "resnet8-fashion-mnist-seed0-epochs0.8");
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, "complete"), "");
  const { code, output } = await reproduce(
    ...["1", "--scale", "smoke", "--methods", `${NAMES.lsq};${NAMES.dorefa}`],
    ...["--results", own, "--out", directory],
  );
  expect(code).toBe(1);
  const [start, ...others] = [...output.matchAll(/FAILED, (.*)$/gm)].map(([, why]) => why!);
  expect(start).toMatch(/model\.json/);
  const expected = `the network in floating point that it starts from failed: ${start}`;
  expect(others).toEqual([expected, expected]);
  expect(outcomesOf(own)).toEqual([]);
});

test("says which option is missing before anything is trained", async () => {
  const { code, output } = await reproduce(
    ...["1", "--scale", "full", "--results", join(scratch, "none"), "--out", join(scratch, "none-out")],
  );
  expect(code).toBe(1);
  expect(output).toMatch(/--imagenet/);
  expect(existsSync(join(scratch, "none"))).toBe(false);
});

test.each([
  [["none"], /table.*"none"/],
  [["1", "--scale", "huge"], /smoke, small, full.*"huge"/],
  [["1", "--networks", "resnet9"], /"resnet9"/],
  [["1", "--epochs=-1"], /--epochs.*"-1"/],
  [["1", "--epoch", "1"], /--epoch'.*\n.*--help/],
] as const)("refuses %s, and says what was expected", async (args, said) => {
  const { code, output } = await reproduce(...args);
  expect(code).toBe(1);
  expect(output).toMatch(said);
});
