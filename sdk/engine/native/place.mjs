// @ts-check
// Where the native parts lie. Plain JavaScript, because the set-up reads it on a bare clone.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version of libtensorflow that the binding is compiled against. */
export const VERSION = "2.21.0";

/** Compiler flags of the addon, the paths apart. */
export const FLAGS = [
  "-std=c++17",
  "-O3",
  "-fno-math-errno",
  "-fPIC",
  "-DNAPI_VERSION=8",
  "-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL",
  "-D_GLIBCXX_USE_CXX11_ABI=1",
];

/** The folder of package.json: this file lies in sdk/ and, built, in dist/sdk/. */
export const root = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
})();

/** The folder of the C++ sources. */
export const sources = join(root, "sdk", "engine", "native");

/** @returns {boolean} Whether an NVIDIA driver is loaded (Linux, or Windows' Subsystem for Linux). */
export function hasDriver() {
  return existsSync("/proc/driver/nvidia/version") || existsSync("/usr/lib/wsl/lib/libcuda.so.1");
}

/**
 * The device asked for: AUTOQNN_DEVICE, or the GPU where there is a driver.
 *
 * @returns {"cpu" | "gpu" | undefined} undefined: AUTOQNN_DEVICE holds another word.
 */
export function device() {
  const asked = process.env.AUTOQNN_DEVICE || (hasDriver() ? "gpu" : "cpu");
  return asked === "cpu" || asked === "gpu" ? asked : undefined;
}

/**
 * @param {string} folder
 * @returns {string[]} its C++ and CUDA files, in a fixed order
 */
function sourceFiles(folder) {
  return readdirSync(folder)
    .filter((file) => /\.(cc|h|cu)$/.test(file))
    .sort()
    .map((file) => join(folder, file));
}

/**
 * The native parts of one flavour, in a folder of the user's cache.
 *
 * @param {"cpu" | "gpu"} flavour
 */
export function place(flavour) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(cache, "autoqnn", `${VERSION}-${flavour}`);
  const hash = createHash("sha256");
  // A home folder may be shared by machines whose processors and Nodes differ.
  hash.update([VERSION, process.arch, cpus()[0]?.model, ...FLAGS].join("\0"));
  const addon = [...sourceFiles(sources), ...sourceFiles(join(sources, "cuda"))];
  const loader = sourceFiles(join(sources, "quiet"));
  for (const file of [...addon, ...loader]) hash.update(readFileSync(file));
  const key = hash.digest("hex").slice(0, 16);
  return {
    folder,
    /** Holds libtensorflow_cc, libtensorflow_framework and include/. */
    library: join(folder, "lib", "tensorflow"),
    /** Of the flavour for GPUs, the folder of the compiler for kernels. */
    nvrtc: join(folder, "lib", "nvidia", "cuda_nvrtc", "lib"),
    /** The binding, and the small addon that loads it without a word. */
    addon: { file: join(folder, `autoqnn-${key}.node`), sources: addon },
    loader: { file: join(folder, `quiet-${key}.node`), sources: loader },
  };
}
