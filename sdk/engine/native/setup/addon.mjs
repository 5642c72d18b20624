// @ts-check
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { FLAGS } from "../place.mjs";
import { reason, Trouble } from "./trouble.mjs";

/** @typedef {ReturnType<typeof import("../place.mjs").place>} Place */

const run = promisify(execFile);

/** What an addon is linked against. */
export const LIBRARIES = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"];

/** @returns {string[]} the compiler, with the options that CXX may hold */
export function findCompiler() {
  const asked = process.env.CXX?.trim();
  const commands = (asked ? [asked] : ["g++", "clang++", "c++"]).map((text) => text.split(/\s+/));
  const found = commands.find(
    ([name = "", ...options]) => spawnSync(name, [...options, "--version"]).status === 0,
  );
  if (found !== undefined) return found;
  throw new Trouble(
    `A C++17 compiler is needed to build the native engine, and ${asked ? `"${asked}" (CXX)` : "none"} was found.`,
    asked ? "unset CXX" : "apt-get install g++",
  );
}

/** @param {string} name */
function packageFolder(name) {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}

/**
 * @param {string} library the folder of libtensorflow
 * @returns {string[]} where the compiler finds headers
 */
export const headersOf = (library) =>
  [
    packageFolder("node-addon-api"),
    `${packageFolder("node-api-headers")}/include`,
    `${library}/include`,
    `${library}/include/external/libjpeg_turbo`,
    `${library}/include/external/png`,
  ].flatMap((path) => ["-isystem", path]);

/**
 * @param {readonly string[]} compiler
 * @param {readonly string[]} options
 * @throws {Trouble} with the first error of the compiler
 */
export async function compile([name = "", ...first], options) {
  try {
    await run(name, [...first, ...options]);
  } catch (error) {
    const output = /** @type {{ stderr?: string }} */ (error).stderr || reason(error);
    const line = output.split("\n").find((text) => /\berror: /.test(text)) ?? reason(output);
    throw new Trouble(
      `${name} could not compile the native engine: ${line}.`,
      `${name} --version   (GCC 9, Clang 10 or newer is needed)`,
    );
  }
}

/**
 * Loads an addon in a process of its own.
 *
 * @param {string} file
 */
function checkLoads(file) {
  const { status, stderr } = spawnSync(process.execPath, ["-e", "require(process.argv[1])", file], {
    encoding: "utf8",
  });
  if (status === 0) return;
  const line = stderr.split("\n").find((text) => text.includes("Error")) ?? reason(stderr);
  throw new Trouble(
    `The native engine was built and does not load: ${line}.`,
    "ldd --version   (glibc 2.27 or newer is needed)",
  );
}

/**
 * Compiles the binding and its loader in a folder beside their places, loads each once, and puts them there.
 *
 * @param {Place} place
 * @param {(line: string) => void} say
 */
export async function buildAddon({ folder, library, nvrtc, addon, loader }, say) {
  const compiler = findCompiler();
  say(`compiling the native engine with ${compiler[0]} (half a minute)`);
  const work = join(folder, `build-${process.pid}`);
  mkdirSync(work, { recursive: true });
  const headers = headersOf(library);
  /** @param {string} source */
  const object = (source) => join(work, `${basename(source)}.o`);
  const targets = [
    { ...loader, libraries: [] },
    {
      ...addon,
      // The compiler for GPUs is sought where the set-up put it, when it is needed.
      libraries: [`-L${library}`, ...LIBRARIES, `-Wl,-rpath,${library}:${nvrtc}`],
    },
  ].map((target) => ({ ...target, sources: target.sources.filter((source) => source.endsWith(".cc")) }));
  try {
    const sources = targets.flatMap((target) => target.sources);
    await Promise.all(
      sources.map((source) =>
        // The assembler seeks the source of the CUDA kernels beside the file that holds them.
        compile(compiler, [
          ...FLAGS,
          ...headers,
          `-Wa,-I,${dirname(source)}`,
          "-c",
          source,
          "-o",
          object(source),
        ]),
      ),
    );
    for (const { file, sources, libraries } of targets) {
      const built = join(work, basename(file));
      await compile(compiler, ["-shared", ...sources.map(object), "-o", built, ...libraries]);
      checkLoads(built);
      renameSync(built, file);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * @param {Place} place
 * @returns {boolean}
 */
export function addonReady({ addon, loader }) {
  return existsSync(addon.file) && existsSync(loader.file);
}
