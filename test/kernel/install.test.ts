import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installKernel, uninstallKernel } from "../../sdk/kernel/index.js";
import { Client } from "./client.js";

let prefix: string;
beforeAll(async () => {
  prefix = await mkdtemp(join(tmpdir(), "autoqnn-install-"));
});
afterAll(() => rm(prefix, { recursive: true, force: true }));

describe("the kernel's specification", () => {
  it("starts the kernel without a shell, a PATH or the package's folder, as an editor on a desktop does", async () => {
    const folder = await installKernel({ prefix });
    const { argv, interrupt_mode } = JSON.parse(await readFile(join(folder, "kernel.json"), "utf8"));
    const [node, ...command] = argv as string[];
    expect(node).toBe(process.execPath);
    expect(command.pop()).toBe("{connection_file}");
    for (const part of command) {
      const path = part.startsWith("file:") ? fileURLToPath(part) : part;
      expect(part.startsWith("--") || isAbsolute(path), part).toBe(true);
    }
    expect(interrupt_mode).toBe("message");
    const client = await Client.start(undefined, command, { PATH: "" });
    try {
      expect((await client.run("[process.env.PATH, process.cwd()]")).result).toBe(
        `[ '', '${client.folder}' ]`,
      );
    } finally {
      await client.stop();
    }
  });

  it("is taken away again", async () => {
    const folder = await installKernel({ prefix });
    expect(await uninstallKernel({ prefix })).toBe(folder);
    expect(await uninstallKernel({ prefix })).toBeUndefined();
  });
});
