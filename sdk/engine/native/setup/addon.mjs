// @ts-check
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { FLAGS, sourceFiles } from "../place.mjs";
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
 * Compiles the binding beside its place, loads it once in a process of its own, and puts it there.
 *
 * @param {{ library: string, addon: string }} place
 * @param {(line: string) => void} say
 */
export function buildAddon({ library, addon }, say) {
  const compiler = findCompiler();
  say(`compiling the native engine with ${compiler} (half a minute)`);
  const partial = `${addon}.${process.pid}.partial.node`;
  mkdirSync(dirname(addon), { recursive: true });
  const includes = [
    `${packageFolder("node-addon-api")}`,
    `${packageFolder("node-api-headers")}/include`,
    `${library}/include`,
  ];
  const command = [
    ...FLAGS,
    ...includes.map((folder) => `-I${folder}`),
    ...sourceFiles().filter((file) => file.endsWith(".cc")),
    "-o",
    partial,
    `-L${library}`,
    ...LIBRARIES,
    `-Wl,-rpath,${library}`,
  ];
  try {
    const compiled = spawnSync(compiler, command, { encoding: "utf8" });
    if (compiled.status !== 0) {
      const first =
        compiled.stderr.split("\n").find((line) => line.includes("error")) ?? reason(compiled.stderr);
      throw new Trouble(
        `${compiler} could not compile the native engine: ${first}.`,
        `${compiler} --version   (GCC 9, Clang 10 or newer is needed)`,
      );
    }
    const loaded = spawnSync(process.execPath, ["-e", "require(process.argv[1])", partial], {
      encoding: "utf8",
    });
    if (loaded.status !== 0) {
      const line = loaded.stderr.split("\n").find((text) => text.includes("Error")) ?? reason(loaded.stderr);
      throw new Trouble(
        `The native engine was built and does not load: ${line}.`,
        "ldd --version   (glibc 2.27 or newer is needed)",
      );
    }
    renameSync(partial, addon);
  } finally {
    rmSync(partial, { force: true });
  }
}
