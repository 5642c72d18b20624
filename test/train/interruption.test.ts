import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keptOnSignals } from "../../sdk/train/interruption.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "autoqnn-interruption-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error: string;
  readonly digests: readonly string[];
  /** The step that was the first to be reported, by stage. */
  readonly begun: Readonly<Record<string, number>>;
}

/** Runs all kinds of training; where a signal is named, it is sent so many milliseconds after all have begun. */
function run(args: readonly string[], stop?: { signal: NodeJS.Signals; after: number }): Promise<Ended> {
  const script = fileURLToPath(new URL("longRun.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, ...args]);
  let [out, error, sent] = ["", "", false];
  child.stderr.on("data", (chunk) => (error += chunk));
  child.stdout.on("data", (chunk) => {
    out += chunk;
    if (!stop || sent || (out.match(/^begun/gm)?.length ?? 0) < KINDS.length) return;
    sent = true;
    setTimeout(() => child.kill(stop.signal), stop.after);
  });
  return new Promise((done) =>
    child.on("close", (code, signal) => {
      const begun = [...out.matchAll(/^begun (.+) at (\d+)$/gm)].map(([, stage, step]) => [
        stage,
        Number(step),
      ]);
      const digests = [...out.matchAll(/^digest (.+)$/gm)].map(([, digest]) => digest!);
      done({ code, signal, error, digests, begun: Object.fromEntries(begun) });
    }),
  );
}

const KINDS = ["train", "search schemes", "learn precision", "fine-tune", "LSQ"];

test("every kind of training, stopped by SIGTERM and by SIGKILL at any time, ends with the bits of an undisturbed one", async () => {
  const checkpoint = join(directory, "checkpoints");
  const undisturbed = await run([]);
  expect([undisturbed.error, undisturbed.digests.length]).toEqual(["", KINDS.length + 1]);

  const after = [Math.random() * 300, Math.random() * 300] as const;
  const where = `SIGTERM after ${after[0]} ms, SIGKILL after ${after[1]} ms`;
  const ended = await run([checkpoint], { signal: "SIGTERM", after: after[0] });
  expect(ended.code, where).toBe(143);
  const stopped = ended.error.match(
    /^autoqnn: SIGTERM: ".+" was stopped after step \d+ of \d+\. Run the same again to continue from the checkpoint in .*checkpoints\.$/gm,
  );
  expect(stopped?.length, `${where}: ${ended.error}`).toBe(KINDS.length);

  const killed = await run([checkpoint], { signal: "SIGKILL", after: after[1] });
  expect(killed.signal, where).toBe("SIGKILL");
  for (const kind of KINDS) expect(killed.begun[kind], `${kind}, ${where}`).toBeGreaterThan(1);

  const continued = await run([checkpoint]);
  expect(continued.digests, where).toEqual(undisturbed.digests);
  for (const kind of KINDS)
    expect(continued.begun[kind] ?? Number.POSITIVE_INFINITY, `${kind}, ${where}`).toBeGreaterThan(1);

  // What only training needed is gone.
  expect((await readdir(checkpoint)).filter((name) => name.includes(".before."))).toEqual([]);
}, 240_000);

test("signals are heard only while work with a checkpoint directory is going on, and never taken from the application", async () => {
  const heard = () => [process.listenerCount("SIGINT"), process.listenerCount("SIGTERM")];
  const before = heard();
  const own = (): void => {};
  process.on("SIGINT", own);
  try {
    const during = await keptOnSignals({ checkpoint: directory }, async () => heard());
    expect(during).toEqual([before[0]! + 1, Math.max(1, before[1]!)]);
    expect(await keptOnSignals({}, async () => heard())).toEqual([before[0]! + 1, before[1]]);
    await expect(
      keptOnSignals({ checkpoint: directory }, () => Promise.reject(new Error("own"))),
    ).rejects.toThrow("own");
  } finally {
    process.off("SIGINT", own);
  }
  expect(heard()).toEqual(before);
});
