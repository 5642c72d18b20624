import { ended } from "./cellRun.js";
import type { CommMessage, Notice } from "./cells/protocol.js";
import { type CellNotice, Cells } from "./cells.js";
import { Compiler } from "./compiler.js";
import type { Connection } from "./connection.js";
import { Executions } from "./executions.js";
import { History, type HistoryRequest } from "./history.js";
import { kernelInfo } from "./info.js";
import { Printed } from "./printed.js";
import { openSockets, type Sockets } from "./sockets.js";
import { type Json, type Message, Wire } from "./wire.js";

type Channel = "shell" | "control";

/** Milliseconds between two looks at whether the process that started the kernel is still there. */
const LOOK_AT_PARENT = 1000;

/**
 * Serves one notebook until it is told to shut down. Sockets, order and protocol are here; cells run in a process of their own and
 * are compiled in another, so that the kernel answers at any time.
 */
export async function serve(connection: Connection): Promise<void> {
  const kernel = new Kernel(connection);
  await kernel.run();
}

class Kernel {
  readonly #wire: Wire;
  readonly #history = new History();
  readonly #compiler = new Compiler();
  readonly #printed = new Printed((name, text) =>
    this.publish("stream", { name, text }, this.#executions.parent),
  );
  readonly #cells: Cells;
  readonly #executions: Executions;
  readonly #comms = new Map<string, string>();
  /** Undefined until they are open: the processes start meanwhile. */
  #sockets: Sockets | undefined;
  #shutDown!: () => void;

  constructor(readonly connection: Connection) {
    this.#wire = new Wire(connection.key);
    this.#cells = new Cells({
      text: (name, text) => this.#printed.write(name, text),
      notice: (notice) => this.#hear(notice),
      died: (how) => {
        void this.#compiler.call("reset");
        this.#printed.write("stderr", `${ended(how)}\n`);
      },
    });
    this.#executions = new Executions({
      compiler: this.#compiler,
      cells: this.#cells,
      history: this.#history,
      printed: this.#printed,
      publish: (type, content, parent) => this.publish(type, content, parent),
      reply: (type, content, request) => this.#reply("shell", type, content, request),
    });
  }

  async run(): Promise<void> {
    const down = new Promise<void>((resolve) => {
      this.#shutDown = resolve;
    });
    this.#sockets = await openSockets(this.connection, (channel, frames) => this.#receive(channel, frames));
    this.publish("status", { execution_state: "starting" }, undefined);
    const parent = process.ppid;
    const looking = setInterval(() => process.ppid !== parent && this.#shutDown(), LOOK_AT_PARENT);
    // In a terminal the whole group is told; Jupyter sends a message instead.
    process.on("SIGINT", () => this.#executions.interrupt());
    process.on("SIGTERM", () => this.#shutDown());
    await down;
    clearInterval(looking);
    this.#cells.stop();
    this.#compiler.stop();
    await this.#sockets?.close();
  }

  publish(type: string, content: Json, parent: Message | undefined, extra: Partial<Message> = {}): void {
    const message = this.#wire.compose(type, content, parent, { ...extra, identities: [Buffer.from(type)] });
    this.#sockets?.iopub.send(this.#wire.encode(message));
  }

  #reply(channel: Channel, type: string, content: Json, request: Message): void {
    const message = this.#wire.compose(type, content, request, { identities: request.identities });
    this.#sockets?.[channel].send(this.#wire.encode(message));
  }

  #receive(channel: Channel | "stdin", frames: Buffer[]): void {
    let message: Message;
    try {
      message = this.#wire.decode(frames);
    } catch (error) {
      // Whoever sent it does not know the key, and is told nothing.
      console.error(`autoqnn kernel: ${error instanceof Error ? error.message : error}`);
      return;
    }
    if (channel === "stdin") this.#cells.send({ kind: "input", value: String(message.content.value ?? "") });
    else if (message.header.msg_type === "execute_request") this.#executions.add(message);
    else void this.#serve(channel, message);
  }

  async #serve(channel: Channel, request: Message): Promise<void> {
    this.publish("status", { execution_state: "busy" }, request);
    const type = request.header.msg_type;
    try {
      const answer = await this.#answer(type, request);
      if (answer) this.#reply(channel, type.replace(/_request$/, "_reply"), answer, request);
    } catch (error) {
      const evalue = error instanceof Error ? error.message : String(error);
      this.#reply(
        channel,
        type.replace(/_request$/, "_reply"),
        { status: "error", ename: "KernelError", evalue, traceback: [] },
        request,
      );
    }
    this.publish("status", { execution_state: "idle" }, request);
    if (type === "shutdown_request") this.#shutDown();
  }

  async #answer(type: string, { content, header, metadata, buffers }: Message): Promise<Json | undefined> {
    const code = String(content.code ?? "");
    const cursor = Number(content.cursor_pos ?? 0);
    switch (type) {
      case "kernel_info_request":
        return kernelInfo();
      case "is_complete_request":
        return { ...(await this.#compiler.call("judgeCompleteness", code)) };
      case "complete_request":
        return this.#compiler.call("complete", code, cursor);
      case "inspect_request":
        return this.#compiler.call("inspect", code, cursor);
      case "history_request":
        return { status: "ok", history: this.#history.answer(content as HistoryRequest) };
      case "comm_info_request":
        return { status: "ok", comms: this.#openComms(content.target_name) };
      case "interrupt_request":
        this.#executions.interrupt();
        return { status: "ok" };
      case "shutdown_request":
        return { status: "ok", restart: content.restart === true };
      case "comm_open":
      case "comm_msg":
      case "comm_close": {
        const message = { type, content, metadata, buffers } as unknown as CommMessage;
        this.#note(message);
        this.#cells.send({ kind: "comm", message });
        return undefined;
      }
      default:
        console.error(`autoqnn kernel: a message of type ${header.msg_type} is not known.`);
        return undefined;
    }
  }

  /** Passes on what the cells say. */
  #hear(notice: CellNotice): void {
    const { parent } = this.#executions;
    if (notice.kind === "result") this.#executions.result(notice.bundle);
    else if (notice.kind === "clear") this.publish("clear_output", { wait: notice.wait }, parent);
    else if (notice.kind === "ask") this.#ask(notice, parent);
    else if (notice.kind === "comm") {
      const { type, content, metadata, buffers } = notice.message;
      this.#note(notice.message);
      this.publish(type, content, parent, { metadata, buffers: buffers.map((each) => Buffer.from(each)) });
    } else {
      const type = notice.kind === "display" ? "display_data" : "update_display_data";
      const transient = notice.id === undefined ? {} : { display_id: notice.id };
      this.publish(type, { data: notice.bundle, metadata: {}, transient }, parent);
    }
  }

  #ask({ prompt, password }: Extract<Notice, { kind: "ask" }>, parent: Message | undefined): void {
    if (!parent) return;
    const request = this.#wire.compose("input_request", { prompt, password }, parent, {
      identities: parent.identities,
    });
    this.#sockets?.stdin.send(this.#wire.encode(request));
  }

  /** Keeps the list of open comms. */
  #note({ type, content }: CommMessage): void {
    if (type === "comm_open") this.#comms.set(content.comm_id, String(content.target_name));
    if (type === "comm_close") this.#comms.delete(content.comm_id);
  }

  #openComms(target: unknown): Json {
    const open = [...this.#comms].filter(([, name]) => target === undefined || target === name);
    return Object.fromEntries(open.map(([id, name]) => [id, { target_name: name }]));
  }
}
