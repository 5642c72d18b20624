import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { FLAGS, place, sources } from "../../sdk/engine/native/place.mjs";
import { compile, findCompiler, headersOf, LIBRARIES } from "../../sdk/engine/native/setup/addon.mjs";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { onGpu } from "./device.js";
import { describeKernels, describeOperations, type Engines } from "./operations.js";

/*
 * The kernels for GPUs, held to the reference on a processor: their source is compiled for it, with fibers for threads, and
 * TensorFlow is given their operations in place of those for the CPU. Only the driver's part is left out. Vitest gives each file
 * a process of its own.
 */
const engines = {} as Engines;
const source = readFileSync(join(sources, "cuda", "kernels.cu"), "utf8");
let folder: string;
let launched: () => string;

/** Compiles the addon that runs the kernels on the processor. */
async function emulation(): Promise<string> {
  folder = mkdtempSync(join(tmpdir(), "autoqnn-cuda-"));
  const declared = "extern __shared__ float memory[];";
  const parts = source.split(declared);
  expect(parts.length).toBeGreaterThan(1);
  writeFileSync(join(folder, "kernels-for-hosts.cu"), parts.join("float* memory = dynamic_memory.data();"));
  const { library } = place("cpu");
  const file = join(folder, "emulated.node");
  await compile(findCompiler(), [
    ...FLAGS.map((flag) => (flag === "-O3" ? "-O1" : flag)),
    ...headersOf(library),
    ...["-I", sources, "-I", folder, "-w", "-shared", join(import.meta.dirname, "cuda", "emulated.cc")],
    ...["-o", file, `-L${library}`, ...LIBRARIES, `-Wl,-rpath,${library}`],
  ]);
  return file;
}

// On a GPU the tests of operations run these kernels themselves.
describe.skipIf(onGpu)("on a processor", () => {
  beforeAll(async () => {
    engines.native = await nativeEngine();
    engines.reference = await referenceEngine();
    launched = createRequire(import.meta.url)(await emulation());
    // As on a GPU: what the kernels for processors keep for the backward pass is not kept.
    Object.assign(tf.findBackend("tensorflow"), { isUsingGpuDevice: true });
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  describeOperations("the kernels for GPUs", "native", engines, [1, 255, 2048, 2049, 100_003]);
  describeKernels("the kernels for GPUs, launched again", engines, 70_001);

  it("were what ran, every one of them", () => {
    const all = [...source.matchAll(/^KERNEL (\w+)\(/gm)].map(([, name]) => name!);
    expect(all.length).toBeGreaterThan(10);
    expect(launched().trim().split(" ")).toEqual(all.toSorted());
  });
});
