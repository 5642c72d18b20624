import { setImmediate } from "node:timers/promises";
import type { MimeBundle } from "../display.js";
import { type Outcome, runCell } from "./cellRun.js";
import type { Cells } from "./cells.js";
import type { Compiler } from "./compiler.js";
import type { History } from "./history.js";
import type { Printed } from "./printed.js";
import type { Json, Message } from "./wire.js";

/** What executions need of the kernel. */
export interface ExecutionPorts {
  readonly compiler: Compiler;
  readonly cells: Cells;
  readonly history: History;
  readonly printed: Printed;
  publish(type: string, content: Json, parent: Message): void;
  reply(type: string, content: Json, request: Message): void;
}

/** The cell that runs. */
interface Current {
  readonly count: number;
  readonly silent: boolean;
  readonly interrupt: AbortController;
  /** The text of its result, for the history. */
  output?: string;
  /** Where results go that are asked for beside the cell's own. */
  capture?: (bundle: MimeBundle) => void;
}

/** Runs cells one after the other, in the order in which they were asked for. */
export class Executions {
  readonly #queue: Message[] = [];
  #working = false;
  #current: Current | undefined;
  #parent: Message | undefined;
  #count = 0;
  #runs = 0;

  constructor(readonly ports: ExecutionPorts) {}

  /** The request whose cell runs, or ran last: what is printed now belongs to it. */
  get parent(): Message | undefined {
    return this.#parent;
  }

  add(request: Message): void {
    this.#queue.push(request);
    if (!this.#working) void this.#work();
  }

  /** Interrupts the cell that runs; those that wait for it are not run. */
  interrupt(): void {
    if (!this.#current) return;
    this.#current.interrupt.abort();
    this.ports.cells.interrupt();
  }

  /** Takes the value of a cell's last expression. */
  result(bundle: MimeBundle): void {
    const current = this.#current;
    if (!current || !this.#parent) return;
    if (current.capture) {
      current.capture(bundle);
      return;
    }
    current.output = String(bundle["text/plain"] ?? "");
    if (current.silent) return;
    const content = { execution_count: current.count, data: bundle, metadata: {} };
    this.ports.publish("execute_result", content, this.#parent);
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let request = this.#queue.shift(); request; request = this.#queue.shift())
      await this.#serve(request);
    this.#working = false;
  }

  async #serve(request: Message): Promise<void> {
    const { publish, reply, printed } = this.ports;
    this.#parent = request;
    printed.reset();
    publish("status", { execution_state: "busy" }, request);
    const [content, failed] = await this.#execute(request);
    // What was asked for before the failure is taken out first: what comes after the reply is asked for with it in mind.
    await setImmediate();
    const aborted = failed ? this.#queue.splice(0) : [];
    reply("execute_reply", content, request);
    publish("status", { execution_state: "idle" }, request);
    for (const other of aborted) {
      publish("status", { execution_state: "busy" }, other);
      reply("execute_reply", { status: "aborted" }, other);
      publish("status", { execution_state: "idle" }, other);
    }
  }

  /** The content of the reply, and whether the cells that wait are to be left out. */
  async #execute(request: Message): Promise<[content: Json, failed: boolean]> {
    const { publish, history } = this.ports;
    const { content } = request;
    const code = String(content.code ?? "");
    const silent = content.silent === true;
    const stored = !silent && content.store_history !== false;
    if (stored) this.#count += 1;
    const current: Current = { count: this.#count, silent, interrupt: new AbortController() };
    this.#current = current;
    if (!silent) publish("execute_input", { code, execution_count: current.count }, request);
    const outcome = await this.#run(current, code, stored, content.allow_stdin === true);
    if (stored) {
      const { output } = current;
      history.add({ count: current.count, input: code, ...(output !== undefined && { output }) });
    }
    const expressions = outcome.ok ? await this.#expressions(current, content.user_expressions) : {};
    this.#current = undefined;
    if (!outcome.ok && !silent) publish("error", { ...outcome.failure }, request);
    const status = outcome.ok
      ? { status: "ok", payload: [], user_expressions: expressions }
      : { status: "error", ...outcome.failure };
    const stops = content.stop_on_error !== false && !outcome.ok;
    return [{ ...status, execution_count: current.count }, stops || current.interrupt.signal.aborted];
  }

  /** Values beside the cell's own that the front end asks for, by its own keys. */
  async #expressions(current: Current, asked: unknown): Promise<Json> {
    const values: Record<string, Json> = {};
    for (const [key, code] of Object.entries((asked ?? {}) as Record<string, string>)) {
      let data: MimeBundle = {};
      current.capture = (bundle) => {
        data = bundle;
      };
      const outcome = await this.#run(current, code, false, false);
      values[key] = outcome.ok
        ? { status: "ok", data, metadata: {} }
        : { status: "error", ...outcome.failure };
    }
    return values;
  }

  async #run(current: Current, code: string, numbered: boolean, allowInput: boolean): Promise<Outcome> {
    this.#runs += 1;
    // Names differ, since errors tell by them where they come from.
    const name = numbered ? `In[${current.count}]` : `In[*${this.#runs}]`;
    try {
      return await runCell(this.ports, { name, code, allowInput }, current.interrupt.signal);
    } catch (error) {
      const evalue = error instanceof Error ? error.message : String(error);
      return { ok: false, failure: { ename: "KernelError", evalue, traceback: [evalue] } };
    }
  }
}
