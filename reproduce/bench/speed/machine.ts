import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** What the networks are trained on. */
export type Device = "cpu" | "gpu";

/** Where and under what load a run was measured. */
export interface Machine {
  /** The graphics processor and its driver, where that is what was timed. */
  readonly gpu?: string;
  readonly processor: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly system: string;
  /** Mean number of running processes over the minute before the run. */
  readonly load: number;
  /** Share of the run's processor time that other machines on the same host took (steal). */
  readonly stolen: number;
}

export const threads = availableParallelism();

/** Starts watching the machine; the function that it returns tells what was seen. */
export function watchMachine(device: Device = "cpu"): () => Machine {
  const load = loadavg()[0]!;
  const first = processorTime();
  return () => {
    const last = processorTime();
    const total = last.total - first.total;
    return {
      ...(device === "gpu" && {
        gpu: query("--query-gpu=name,driver_version")[0]?.replace(", ", ", driver ") ?? "unknown",
      }),
      processor: cpus()[0]?.model.trim() ?? "unknown",
      cores: threads,
      memory: totalmem(),
      system: `Linux ${release()}`,
      load,
      stolen: total > 0 ? (last.stolen - first.stolen) / total : 0,
    };
  };
}

/** Ticks of all processors since the machine started. */
function processorTime(): { total: number; stolen: number } {
  const [, ...fields] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]!.split(/\s+/);
  // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user and nice already.
  const ticks = fields.slice(0, 8).map(Number);
  return { total: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7]! };
}

/** Bytes that new processes can have without anything being pushed out. */
export function availableMemory(): number {
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))![1]) * 1024;
}

/** Bytes of the graphics processor's memory that a process holds; undefined where the driver does not tell. */
export function deviceMemory(pid: number): number | undefined {
  const rows = query("--query-compute-apps=pid,used_gpu_memory").map((row) => row.split(", ").map(Number));
  const megabytes = rows.find(([own]) => own === pid)?.[1];
  return megabytes === undefined || Number.isNaN(megabytes) ? undefined : megabytes * 2 ** 20;
}

/** The rows of a question to NVIDIA's driver. */
function query(question: string): string[] {
  const options = [question, "--format=csv,noheader,nounits"];
  return execFileSync("nvidia-smi", options, { encoding: "utf8" }).trim().split("\n");
}
