import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import { readStudy } from "../../sdk/index.js";
import { Queue } from "../../sdk/study/queue.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const node = [process.execPath, "--import", "tsx", join(root, "sdk/cli/main.ts")] as const;
const file = (name: string): string => join(root, "test/study", name);
let directory: string;
// Every command starts up to three processes, which compile the sources.
vi.setConfig({ testTimeout: 240_000 });
const at = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "autoqnn-jobs-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs `autoqnn study`; `watch` sees all of standard error each time there is more of it. */
function run(args: readonly string[], watch?: (child: ChildProcess, error: string) => void) {
  const child = spawn(node[0], [...node.slice(1), "study", ...args], { cwd: root });
  let [out, error] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => {
    error += chunk;
    watch?.(child, error);
  });
  return new Promise<{ code: number | null; out: string; error: string }>((done) =>
    child.on("close", (code) => done({ code, out, error })),
  );
}

test("a process that dies makes its cell fail, and the others are done", async () => {
  const { code, out, error } = await run([file("frail.ts"), "--jobs", "2", "--out", at("frail.sqlite")]);
  expect(error).toContain("4/4");
  expect(code).toBe(0);
  const { rows } = await readStudy(at("frail.sqlite"));
  expect(rows.map(({ network, state, code }) => [network, state, code])).toEqual([
    [1, "done", null],
    [2, "failed", "process"],
    [3, "done", null],
    [4, "done", null],
  ]);
  expect(rows[1]!.message).toMatch(/SIGKILL.*network=2.*\.log/);
  expect(out).toContain("Results in");
  expect((await readdir(at("frail.sqlite.logs"))).length).toBe(4);
  const shown = await run(["show", at("frail.sqlite"), "--csv"]);
  expect(shown.out.split("\r\n")).toHaveLength(6);
});

describe("a study that is killed or interrupted", () => {
  const stages = async (name: string) => {
    const logs = await readdir(at(`${name}.logs`));
    const texts = await Promise.all(logs.map((log) => readFile(at(join(`${name}.logs`, log)), "utf8")));
    return texts.join("").match(/^search schemes: step 3\/3/gm)?.length ?? 0;
  };

  it.each(["SIGKILL", "SIGINT"] as const)("goes on after %s", async (signal) => {
    const name = `${signal}.sqlite`;
    const command = [file("long.ts"), "--jobs", "2", "--out", at(name)];
    const stopped = await run(command, (child, error) => {
      if (error.includes("1/4") && !child.killed) child.kill(signal);
    });
    expect(stopped.code).toBe(signal === "SIGINT" ? 130 : null);
    if (signal === "SIGINT") expect(stopped.error).toMatch(/autoqnn: The study was stopped.*same file/);
    const before = await readStudy(at(name));
    expect(before.rows.length).toBeGreaterThan(0);
    expect(before.pending).toBeGreaterThan(0);
    expect(existsSync(at(`${name}.lock`))).toBe(signal === "SIGKILL");

    const { code, error } = await run(command);
    expect(code).toBe(0);
    expect(error).toContain("4/4");
    const after = await readStudy(at(name));
    expect(after.pending).toBe(0);
    for (const row of after.rows) expect(row.state).toBe("done");
    for (const row of before.rows) expect(after.rows).toContainEqual(row);
    // No search was done twice, also not that of a cell which was under way; but one may die while it is being kept.
    expect(await stages(name)).toBeLessThanOrEqual(signal === "SIGINT" ? 4 : 5);
    expect((await readdir(directory)).filter((entry) => entry.includes(name))).toEqual([
      name,
      `${name}.logs`,
    ]);
  });
});

test("the script for Slurm does all shards, and its last line merges them", async () => {
  const { out: script } = await run(["slurm", file("frail.ts"), "--shards", "2", "--out", at("all.sqlite")]);
  expect(script).toMatch(/^#!\/bin\/bash\n/);
  expect(script).toContain("#SBATCH --array=0-1\n");
  // Stands for npx; the cell that kills its process is done by nobody, so the first task fails.
  await writeFile(at("npx"), `#!/bin/bash\nshift\ncd '${root}'\nexec ${node.join(" ")} "$@"\n`);
  await chmod(at("npx"), 0o755);
  const bash = (text: string, task: number) =>
    new Promise<number | null>((done) => {
      const env = {
        ...process.env,
        PATH: `${directory}:${process.env.PATH}`,
        SLURM_ARRAY_TASK_ID: String(task),
      };
      spawn("bash", ["-c", text], { env }).on("close", (code) => done(code));
    });
  expect(await bash(script, 1)).toBe(0);
  expect(await bash(script, 0)).not.toBe(0);
  const merge = script.trim().split("\n").at(-1)!.replace(/^# /, "");
  expect(await bash(merge, 0)).toBe(0);
  const { rows, pending } = await readStudy(at("all.sqlite"));
  expect([rows.map(({ network }) => network), pending]).toEqual([[1, 3, 4], 1]);
});

describe("usage", () => {
  it.each([
    ["a shard that is none", [file("frail.ts"), "--shard", "2/2"], 2, /such as 0\/4/],
    ["a file that is not there", ["nowhere.mjs"], 1, /autoqnn: Expected a study in nowhere.mjs/],
    ["a file without a study", [file("tiny.ts")], 1, /export a study by default, received no default export/],
    ["more shards than cells", ["slurm", file("frail.ts"), "--shards", "5"], 1, /at most 4 shards/],
  ])("%s", async (_name, args, code, message) => {
    const result = await run(args);
    expect(result.error).toMatch(message);
    expect(result.code).toBe(code);
  });
});

describe("the queue", () => {
  const cells = [1, 2, 3].flatMap((search) => [1, 2].map((budget) => ({ search, budget })));
  const queue = () => new Queue(cells, ({ search }) => String(search));

  it("keeps what belongs together at one worker", () => {
    const two = queue();
    const order = ["a", "b", "a", "b", "a", "a"].map((worker) => two.next(worker));
    expect(order.map((cell) => cell!.search)).toEqual([1, 2, 1, 2, 3, 3]);
    expect(two.next("a")).toBeUndefined();
  });

  it("leaves no worker idle while there are cells, and gives each once", () => {
    const many = queue();
    const given = ["a", "b", "c", "d", "e", "f"].map((worker) => many.next(worker));
    expect(new Set(given)).toEqual(new Set(cells));
    expect(many.next("a")).toBeUndefined();
  });
});
