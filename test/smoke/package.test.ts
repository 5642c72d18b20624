import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as door from "../../sdk/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

describe("the package", () => {
  it("points at sources that exist, under the folder to which they are compiled", () => {
    const targets = [manifest.bin.autoqnn, manifest.exports["."].default] as string[];
    for (const target of targets) {
      const source = target.replace(/^(\.\/)?dist\//, "").replace(/\.js$/, ".ts");
      expect(existsSync(join(root, source)), source).toBe(true);
    }
  });

  it("starts the command by node", () => {
    expect(readFileSync(join(root, "sdk/cli/main.ts"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it("pins every dependency to one version, and runs no install script", () => {
    for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
    expect(readFileSync(join(root, ".npmrc"), "utf8")).toMatch(/^ignore-scripts=true$/m);
  });
});

describe("the public door", () => {
  it("opens on what a user writes", () => {
    const { autoqnn, load, htmlReport } = door;
    expect([autoqnn, load, htmlReport].map((part) => typeof part)).toEqual([
      "function",
      "function",
      "function",
    ]);
    expect(Object.keys(door.schemes).sort()).toEqual([
      "binary",
      "clip",
      "fixed",
      "pot",
      "quaternary",
      "residual",
      "ternary",
      "zoom",
    ]);
    expect(Object.keys(door.datasets)).toEqual(
      expect.arrayContaining(["fashionMnist", "idx", "cifar", "imageFolder"]),
    );
    expect(Object.keys(door.models)).toEqual(expect.arrayContaining(["load", "save"]));
    expect(door.tf.version.tfjs).toBe(manifest.dependencies["@tensorflow/tfjs"]);
  });
});
