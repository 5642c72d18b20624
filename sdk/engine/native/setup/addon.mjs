// @ts-check
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { FLAGS } from "../place.mjs";
import { reason, Trouble } from "./trouble.mjs";

const LIBRARIES = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"];

/** @returns {string} */
function findCompiler() {
  const asked = process.env.CXX;
  const found = (asked ? [asked] : ["g++", "clang++", "c++"]).find(
    (name) => spawnSync(name, ["--version"]).status === 0,
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
 * Compiles a file beside its place, has `check` look at it, and puts it there.
 *
 * @param {string} compiler
 * @param {string} library
 * @param {{ file: string, sources: readonly string[] }} target
 * @param {readonly string[]} libraries
 * @param {(file: string) => void} check
 */
function compile(compiler, library, { file, sources }, libraries, check) {
  const partial = `${file}.${process.pid}.partial.node`;
  const includes = [
    packageFolder("node-addon-api"),
    `${packageFolder("node-api-headers")}/include`,
    `${library}/include`,
  ];
  const command = [
    ...FLAGS,
    ...includes.flatMap((folder) => ["-isystem", folder]),
    ...sources.filter((source) => source.endsWith(".cc")),
  ];
  try {
    const { status, stderr } = spawnSync(compiler, [...command, "-o", partial, ...libraries], {
      encoding: "utf8",
    });
    if (status !== 0) {
      const first = stderr.split("\n").find((line) => /\berror: /.test(line)) ?? reason(stderr);
      throw new Trouble(
        `${compiler} could not compile the native engine: ${first}.`,
        `${compiler} --version   (GCC 9, Clang 10 or newer is needed)`,
      );
    }
    check(partial);
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
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
 * Compiles the binding and its loader.
 *
 * @param {ReturnType<typeof import("../place.mjs").place>} place
 * @param {(line: string) => void} say
 */
export function buildAddon({ folder, library, addon, loader }, say) {
  const compiler = findCompiler();
  say(`compiling the native engine with ${compiler} (half a minute)`);
  mkdirSync(folder, { recursive: true });
  compile(compiler, library, loader, [], checkLoads);
  compile(compiler, library, addon, [`-L${library}`, ...LIBRARIES, `-Wl,-rpath,${library}`], checkLoads);
}

/**
 * @param {ReturnType<typeof import("../place.mjs").place>} place
 * @returns {boolean}
 */
export function addonReady({ addon, loader }) {
  return existsSync(addon.file) && existsSync(loader.file);
}
