import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { z } from "zod";
import { AutoqnnError } from "../errors.js";

const port = z.number().int().min(1).max(65535);

const CONNECTION = z.object({
  transport: z.enum(["tcp", "ipc"]).default("tcp"),
  ip: z.string().min(1),
  key: z.string(),
  signature_scheme: z.string().default("hmac-sha256"),
  shell_port: port,
  control_port: port,
  stdin_port: port,
  iopub_port: port,
  hb_port: port,
});

/** Where a kernel listens and the key of its messages, as a Jupyter front end writes them to a file. */
export type Connection = z.infer<typeof CONNECTION>;

/**
 * Reads a connection file. Who can send messages to a kernel can run code as its user: therefore a key is required, and an
 * address that other machines reach is refused unless `remote` says that it is meant.
 *
 * Throws AutoqnnError `bad-file` or `bad-option`.
 */
export async function readConnection(path: string, remote = false): Promise<Connection> {
  const connection = parse(path, await read(path));
  if (connection.key === "")
    throw new AutoqnnError(
      "bad-option",
      `Expected a key in the connection file "${path}", received none: anyone on this machine could run code.`,
      "Leave Session.key of the Jupyter client as it is by default.",
    );
  if (connection.signature_scheme !== "hmac-sha256")
    throw new AutoqnnError(
      "bad-option",
      `Expected the signature scheme hmac-sha256, received "${connection.signature_scheme}".`,
      "Leave Session.signature_scheme of the Jupyter client as it is by default.",
    );
  if (!remote && connection.transport === "tcp" && !loopback(connection.ip))
    throw new AutoqnnError(
      "bad-option",
      `Expected an address of this machine alone (127.0.0.1), received ${connection.ip}.`,
      "Pass --allow-remote to `autoqnn kernel run` if other machines are to reach this kernel.",
    );
  return connection;
}

/** The address of one of the ports, as ZeroMQ writes it. */
export function address({ transport, ip }: Connection, port: number): string {
  if (transport === "ipc") return `ipc://${ip}-${port}`;
  return `tcp://${isIP(ip) === 6 ? `[${ip}]` : ip}:${port}`;
}

const loopback = (ip: string): boolean => ip === "localhost" || ip === "::1" || /^127(\.\d+){3}$/.test(ip);

async function read(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new AutoqnnError(
      "bad-file",
      `Expected a connection file of Jupyter at "${path}", could not read one.`,
      "Kernels are started by Jupyter: run `autoqnn kernel install` and choose TypeScript (AutoQNN) there.",
      { cause },
    );
  }
}

function parse(path: string, value: unknown): Connection {
  const result = CONNECTION.safeParse(value);
  if (result.success) return result.data;
  const { path: keys, message } = result.error.issues[0]!;
  throw new AutoqnnError(
    "bad-file",
    `Expected a connection file of Jupyter at "${path}", received one whose "${keys.join(".")}" is not right: ${message}.`,
    "Let Jupyter write the file.",
  );
}
