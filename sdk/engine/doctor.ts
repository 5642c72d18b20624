import { readFileSync } from "node:fs";
import { AutoqnnError } from "../errors.js";
import { type Addon, openAddon, reason } from "./native/addon.js";
import { device, hasDriver, place } from "./native/place.mjs";

/** What this machine gives the native engine, and what keeps it from running. */
export interface EngineReport {
  readonly node: string;
  /** For example "linux-x64". */
  readonly platform: string;
  /** The version of libtensorflow; undefined where it does not load. */
  readonly tensorflow?: string;
  /** The device that steps run on; undefined where the engine does not load. */
  readonly device?: "cpu" | "gpu";
  /** The NVIDIA driver; undefined where there is none. */
  readonly driver?: string;
  /** The folder of the native parts. */
  readonly cache: string;
  /** Empty where the engine runs. `mend` is what to do about it, in most cases a command. */
  readonly problems: readonly { readonly what: string; readonly mend: string }[];
}

function driver(): string | undefined {
  if (!hasDriver()) return undefined;
  try {
    return /\d+\.\d+(\.\d+)?/.exec(readFileSync("/proc/driver/nvidia/version", "utf8"))?.[0] ?? "unknown";
  } catch {
    return "unknown";
  }
}

type Problem = EngineReport["problems"][number];

function open(): Addon | Problem {
  try {
    return openAddon();
  } catch (error) {
    if (!(error instanceof AutoqnnError)) throw error;
    return { what: error.message.slice(0, -error.hint.length).trim(), mend: error.hint };
  }
}

/** What keeps the project's operations from running: on a GPU they are compiled when the first of them is. */
function launched(addon: Addon): Problem | undefined {
  const x = addon.createTensor([1], addon.TF_FLOAT, Float32Array.of(1));
  const only = { name: "only", type: addon.TF_ATTR_INT, value: 0 };
  try {
    for (const { id } of addon.executeOp("AutoqnnStatistics", [only], [x], 1)) {
      addon.tensorDataSync(id);
      addon.deleteTensor(id);
    }
    return undefined;
  } catch (error) {
    return { what: `A kernel of the native engine does not run: ${reason(error)}.`, mend: "npm run setup" };
  } finally {
    addon.deleteTensor(x);
  }
}

/**
 * Loads the native engine and tells how it went. Missing parts are problems of the report, not errors.
 *
 * @example
 * const { device, problems } = await inspectEngine();
 * for (const { what, mend } of problems) console.error(`${what}\n  ${mend}`);
 */
export async function inspectEngine(): Promise<EngineReport> {
  const opened = open();
  const problem = "what" in opened ? opened : launched(opened);
  const found = driver();
  return {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    ...("what" in opened
      ? {}
      : {
          tensorflow: opened.TF_Version,
          device: opened.isUsingGpuDevice() ? ("gpu" as const) : ("cpu" as const),
        }),
    ...(found === undefined ? {} : { driver: found }),
    cache: place(device() ?? "cpu").folder,
    problems: problem ? [problem] : [],
  };
}
