import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { reason } from "../../sdk/engine/native/setup/trouble.mjs";
import { kerasPython } from "./environment.mjs";

const python = process.env.AUTOQNN_NO_KERAS
  ? new Error(process.env.AUTOQNN_NO_KERAS)
  : await kerasPython(console.log).catch((error: unknown) => new Error(reason(error)));
if (python instanceof Error && process.env.CI) throw python;

/** Why there is no Keras to ask, or nothing. Where no test may be skipped (CI), that is an error instead. */
export const missing = python instanceof Error ? python.message : "";

/** A Python process that holds one module of this folder. */
export class Keras {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  /** @param module the file without .py; each of its functions may be called */
  constructor(module: string) {
    const script = fileURLToPath(new URL("serve.py", import.meta.url));
    this.#process = spawn(String(python), [script, module], { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** What a function returns for these keywords. Calls are made one after another. */
  async call<T>(name: string, keywords: Readonly<Record<string, unknown>>): Promise<T> {
    this.#process.stdin!.write(`${JSON.stringify({ call: name, with: keywords })}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`Keras's process ended while it computed "${name}".`);
    const answer = JSON.parse(value) as { value: T } | { error: string };
    if ("error" in answer) throw new Error(answer.error);
    return answer.value;
  }

  close(): void {
    this.#process.kill();
  }
}
