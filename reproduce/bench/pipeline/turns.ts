import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { stream } from "../../../sdk/train/random.js";
import { shuffled } from "../speed/interleave.js";
import { type Launch, Worker } from "../speed/protocol.js";

/** Seconds of each pass over the folder: of the clock, and of all processors together. */
export interface Passes {
  readonly wall: readonly number[];
  readonly processor: readonly number[];
  readonly versions: Readonly<Record<string, string>>;
}

export type Outcome = Passes | { readonly notRun: string };

interface Job {
  readonly id: string;
  launch(): Promise<Launch>;
}

/**
 * Lets workers take turns: all are started and make one pass, one after the other; then each makes one in every round, in an
 * order drawn anew. Processor time is that of the worker's process and all that it started, from before a pass to its end.
 */
export async function takeTurns(
  jobs: readonly Job[],
  rounds: number,
  say: (line: string) => void,
): Promise<Record<string, Outcome>> {
  const started = new Map<string, Worker>();
  const outcomes: Record<string, Outcome> = {};
  const passes: Record<string, { wall: number[]; processor: number[]; versions: Passes["versions"] }> = {};
  const attempt = async (id: string, act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      outcomes[id] = { notRun: error instanceof Error ? error.message : String(error) };
      say(`${id}: not run: ${outcomes[id].notRun}`);
      await started.get(id)?.stop();
      started.delete(id);
    }
  };
  try {
    for (const { id, launch } of jobs) {
      await attempt(id, async () => {
        const { worker, ready } = await Worker.start(await launch());
        started.set(id, worker);
        passes[id] = { wall: [], processor: [], versions: ready.versions };
      });
    }
    const draw = stream(0, "order");
    for (let round = 0; round < rounds; round++) {
      for (const id of shuffled([...started.keys()], draw)) {
        await attempt(id, async () => {
          const worker = started.get(id)!;
          const [begun, before] = [performance.now(), processorSeconds(worker.pid)];
          await worker.run(1);
          passes[id]!.wall.push((performance.now() - begun) / 1000);
          passes[id]!.processor.push(processorSeconds(worker.pid) - before);
        });
      }
      say(`round ${round + 1} of ${rounds}`);
    }
  } finally {
    await Promise.all([...started.values()].map((worker) => worker.stop()));
  }
  for (const id of started.keys()) outcomes[id] = passes[id]!;
  return outcomes;
}

const TICKS_PER_SECOND = 100;

/** Processor time of a process and of all that it started, and that live. */
function processorSeconds(root: number): number {
  const seconds = new Map<number, { parent: number; own: number }>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const stat = statOf(name);
    // The name of the program, in brackets, may hold blanks.
    const fields = stat
      ?.slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    if (fields)
      seconds.set(Number(name), { parent: fields[1]!, own: (fields[11]! + fields[12]!) / TICKS_PER_SECOND });
  }
  const within = (id: number): boolean => id === root || (seconds.has(id) && within(seconds.get(id)!.parent));
  return [...seconds].reduce((sum, [id, { own }]) => sum + (within(id) ? own : 0), 0);
}

/** Nothing of a process that has ended meanwhile. */
function statOf(id: string): string | undefined {
  try {
    return readFileSync(`/proc/${id}/stat`, "utf8");
  } catch {
    return undefined;
  }
}
