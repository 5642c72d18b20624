import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { address, readConnection } from "../../sdk/kernel/connection.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "autoqnn-connection-"));
});
afterAll(() => rm(folder, { recursive: true }));

const GOOD = {
  ...{ transport: "tcp", ip: "127.0.0.1", key: "secret", signature_scheme: "hmac-sha256" },
  ...{ shell_port: 5001, control_port: 5002, stdin_port: 5003, iopub_port: 5004, hb_port: 5005 },
};

async function file(content: unknown): Promise<string> {
  const path = join(folder, "connection.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

it("reads what Jupyter writes", async () => {
  const connection = await readConnection(await file(GOOD));
  expect(address(connection, connection.shell_port)).toBe("tcp://127.0.0.1:5001");
});

describe("refuses, before anything listens,", () => {
  it.each<[string, unknown, RegExp]>([
    ["an address that other machines reach", { ...GOOD, ip: "0.0.0.0" }, /0\.0\.0\.0.*allow-remote/s],
    ["messages that nobody signs", { ...GOOD, key: "" }, /Expected a key/],
    ["another signature", { ...GOOD, signature_scheme: "hmac-md5" }, /hmac-sha256/],
    ["a port that is none", { ...GOOD, hb_port: 70000 }, /hb_port/],
    ["a file without ports", { ip: "127.0.0.1", key: "secret" }, /_port/],
    ["what is no JSON", "not JSON", /kernel install/],
  ])("%s", async (_, content, message) => {
    const error = await readConnection(await file(content)).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "AutoqnnError" });
    const { message: said, hint } = error as { message: string; hint: string };
    expect(`${said} ${hint}`).toMatch(message);
  });

  it("but takes a distant address where that is meant", async () => {
    await expect(readConnection(await file({ ...GOOD, ip: "10.0.0.1" }), true)).resolves.toMatchObject({
      ip: "10.0.0.1",
    });
  });
});
