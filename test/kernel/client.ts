import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Dealer, Request, Subscriber } from "zeromq";
import { type Json, type Message, Wire } from "../../sdk/kernel/wire.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a cell led to: the reply, and what was published for it. */
export interface Run {
  readonly reply: Json;
  readonly published: readonly Message[];
  readonly stdout: string;
  readonly stderr: string;
  /** The text of the result. */
  readonly result: string | undefined;
  /** Milliseconds until the reply. */
  readonly took: number;
}

type Channel = "shell" | "control" | "stdin";

/** A front end as small as the tests need, and the kernel that it started. */
export class Client {
  readonly wire: Wire;
  readonly published: Message[] = [];
  readonly #listeners = new Set<(channel: Channel | "iopub", message: Message) => void>();

  private constructor(
    readonly child: ChildProcess,
    readonly folder: string,
    readonly ports: Readonly<Record<string, number>>,
    readonly sockets: Readonly<Record<Channel, Dealer>> & { iopub: Subscriber; heartbeat: Request },
    key: string,
  ) {
    this.wire = new Wire(key);
    for (const channel of ["shell", "control", "stdin", "iopub"] as const) void this.#listen(channel);
  }

  /**
   * Starts a kernel in a folder of its own, or in the one given, and waits until it answers. A command ends with the option that
   * takes the connection file.
   */
  static async start(
    given?: string,
    command: readonly string[] = SOURCE,
    env: NodeJS.ProcessEnv = {},
  ): Promise<Client> {
    const folder = given ?? (await mkdtemp(join(tmpdir(), "autoqnn-kernel-")));
    const names = ["shell_port", "control_port", "stdin_port", "iopub_port", "hb_port"];
    const ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freePort()])));
    const key = randomBytes(16).toString("hex");
    const file = join(folder, "connection.json");
    await writeFile(file, JSON.stringify({ transport: "tcp", ip: "127.0.0.1", key, ...ports }));
    const child = spawn(process.execPath, [...command, file], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", process.env.KERNEL_LOG ? "inherit" : "ignore"],
    });
    const identity = randomBytes(8).toString("hex");
    const dealer = (): Dealer => new Dealer({ routingId: identity, linger: 0 });
    const sockets = {
      shell: dealer(),
      control: dealer(),
      stdin: dealer(),
      iopub: new Subscriber({ linger: 0, receiveHighWaterMark: 0 }),
      heartbeat: new Request({ linger: 0 }),
    };
    const at = (name: string): string => `tcp://127.0.0.1:${ports[name]}`;
    sockets.shell.connect(at("shell_port"));
    sockets.control.connect(at("control_port"));
    sockets.stdin.connect(at("stdin_port"));
    sockets.iopub.connect(at("iopub_port"));
    sockets.heartbeat.connect(at("hb_port"));
    sockets.iopub.subscribe();
    const client = new Client(child, folder, ports, sockets, key);
    const gone = new Promise<never>((_, reject) => {
      child.once("exit", (code) => reject(new Error(`The kernel ended with exit code ${code}.`)));
    });
    try {
      await Promise.race([client.ask("shell", "kernel_info_request").then(() => client.#subscribed()), gone]);
    } catch (error) {
      await client.stop();
      throw error;
    }
    // It may end as it likes from here on.
    gone.catch(() => undefined);
    return client;
  }

  /** Sends a request and waits for its reply. */
  async ask(channel: "shell" | "control", type: string, content: Json = {}): Promise<Json> {
    const request = this.wire.compose(type, content, undefined);
    // Listened for before it is sent: a quick reply may be there before sending is known to have ended.
    const reply = this.next(
      (from, { header, parent }) =>
        from === channel && header.msg_type.endsWith("_reply") && parent.msg_id === request.header.msg_id,
    );
    await this.sockets[channel].send(this.wire.encode(request));
    return (await reply).content;
  }

  async send(channel: Channel, type: string, content: Json = {}, parent?: Message): Promise<Message> {
    const message = this.wire.compose(type, content, parent);
    await this.sockets[channel].send(this.wire.encode(message));
    return message;
  }

  /** The next message that is as wanted. */
  next(wanted: (from: Channel | "iopub", message: Message) => boolean): Promise<Message> {
    return new Promise((resolve) => {
      const listener = (from: Channel | "iopub", message: Message): void => {
        if (!wanted(from, message)) return;
        this.#listeners.delete(listener);
        resolve(message);
      };
      this.#listeners.add(listener);
    });
  }

  /** Runs a cell to its end. */
  async run(code: string, options: Json = {}): Promise<Run> {
    const begin = performance.now();
    const request = this.wire.compose("execute_request", { code, allow_stdin: false, ...options }, undefined);
    const id = request.header.msg_id;
    const idle = this.next(
      (from, { content, parent }) =>
        from === "iopub" && parent.msg_id === id && content.execution_state === "idle",
    );
    const replied = this.next((from, { parent }) => from === "shell" && parent.msg_id === id);
    await this.sockets.shell.send(this.wire.encode(request));
    const reply = await replied;
    const took = performance.now() - begin;
    await idle;
    const published = this.published.filter(({ parent }) => parent.msg_id === id);
    const printed = (name: string): string =>
      published
        .map(({ header, content }) =>
          header.msg_type === "stream" && content.name === name ? content.text : "",
        )
        .join("");
    const result = published.find(({ header }) => header.msg_type === "execute_result");
    const data = result?.content.data as Record<string, string> | undefined;
    return {
      reply: reply.content,
      published,
      stdout: printed("stdout"),
      stderr: printed("stderr"),
      result: data?.["text/plain"],
      took,
    };
  }

  /** Milliseconds until the heartbeat is answered. */
  async beat(): Promise<number> {
    const begin = performance.now();
    await this.sockets.heartbeat.send("ping");
    await this.sockets.heartbeat.receive();
    return performance.now() - begin;
  }

  /** Ends the kernel, however it is. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill("SIGTERM");
      await ended;
    }
    for (const socket of Object.values(this.sockets)) socket.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A subscription reaches a publisher some time after it was made. */
  async #subscribed(): Promise<void> {
    const heard = this.next((from) => from === "iopub");
    const asking = setInterval(() => void this.send("shell", "kernel_info_request"), 50);
    await heard;
    clearInterval(asking);
  }

  async #listen(channel: Channel | "iopub"): Promise<void> {
    for await (const frames of this.sockets[channel]) {
      const message = this.wire.decode(frames as Buffer[]);
      if (channel === "iopub") this.published.push(message);
      for (const listener of [...this.#listeners]) listener(channel, message);
    }
  }
}

/** The kernel from its source. */
export const SOURCE: readonly string[] = [
  "--import",
  import.meta.resolve("tsx"),
  join(root, "sdk/kernel/main.ts"),
  "--connection-file",
];
/** The kernel as it is built. */
export const BUILT: readonly string[] = [join(root, "dist/sdk/kernel/main.js"), "--connection-file"];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
