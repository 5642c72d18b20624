import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installed, missing, python } from "./kernel.js";

const FOLDER = fileURLToPath(new URL("../../notebooks/", import.meta.url));
const RUN = fileURLToPath(new URL("run.py", import.meta.url));
const NAMES = readdirSync(FOLDER).filter((file) => file.endsWith(".ipynb"));
const MINUTES = 60_000;

interface Cell {
  readonly cell_type: string;
  readonly source: readonly string[] | string;
  readonly outputs?: readonly { readonly output_type: string; readonly data?: object }[];
}

interface Outcome {
  readonly notebook: string;
  readonly seconds: number;
  readonly problems: readonly string[];
}

const cellsOf = (name: string): readonly Cell[] => JSON.parse(readFileSync(join(FOLDER, name), "utf8")).cells;

describe.each(NAMES)("%s as it is committed", (name) => {
  const cells = cellsOf(name);

  test("says first what one will learn", () => {
    expect(cells[0]?.cell_type).toBe("markdown");
    expect([cells[0]!.source].flat().join("")).toMatch(/^# \d\d · .*\n(.*\n)*You will learn/);
  });

  test("holds the outputs of a whole run, without an error", () => {
    const outputs = cells.flatMap((cell) => cell.outputs ?? []);
    expect(outputs.length).toBeGreaterThan(0);
    expect(outputs.filter(({ output_type }) => output_type === "error")).toEqual([]);
  });

  test("shows every figure as a still picture too", () => {
    const bundles = cells.flatMap((cell) => cell.outputs ?? []).map(({ data }) => Object.keys(data ?? {}));
    for (const types of bundles.filter((keys) => keys.includes("application/vnd.plotly.v1+json")))
      expect(types.some((type) => type.startsWith("image/"))).toBe(true);
  });

  test("is below 1.2 MB", () => {
    expect(statSync(join(FOLDER, name)).size).toBeLessThan(1.2e6);
  });
});

describe.skipIf(missing !== "")(`notebooks, run${missing && ` (skipped: ${missing})`}`, () => {
  let kernel: ReturnType<typeof installed>;
  beforeAll(() => {
    kernel = installed();
  });
  afterAll(() => rmSync(kernel.folder, { recursive: true, force: true }));

  async function run(name: string): Promise<Outcome> {
    const child = spawn(python, [RUN, join(FOLDER, name)], {
      env: kernel.env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
    throw new Error(`nbclient ended without a word on ${name}.`);
  }

  test.each(NAMES)(
    "%s runs, in less than three minutes, and shows what is committed",
    async (name) => {
      const { problems, seconds } = await run(name);
      expect(problems.join("\n\n")).toBe("");
      expect(seconds).toBeLessThan(180);
    },
    5 * MINUTES,
  );
});
