import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { AutoqnnError } from "../errors.js";
import type { Methods } from "./language/main.js";

/** Files of this folder have this ending: built, or the source itself. */
const ENDING = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/** The path of a program of the kernel. */
export const programPath = (name: string): string =>
  fileURLToPath(new URL(`./${name}/main${ENDING}`, import.meta.url));

/**
 * V8 collects garbage when the heap has grown by this part of what is in use. By default it lets the compiler of one notebook take
 * three times the memory, since every cell makes a program anew and drops the one before.
 */
const COLLECT_EARLY = ["--heap-growing-percent=30", "--max-semi-space-size=4"];

type Waiting = { readonly resolve: (value: never) => void; readonly reject: (error: unknown) => void };

/** The process that compiles cells, asked from here. It is started with the kernel, and again if it ends. */
export class Compiler {
  readonly #waiting = new Map<number, Waiting>();
  #process: ChildProcess | undefined;
  #calls = 0;
  /** What became of a method that was told, where that is an error that no call has met yet. */
  #trouble: unknown;

  constructor() {
    this.#start();
  }

  /** Calls one of the compiler's methods. */
  call<M extends keyof Methods>(method: M, ...args: Parameters<Methods[M]>): Promise<ReturnType<Methods[M]>> {
    if (this.#trouble !== undefined) {
      const trouble = this.#trouble;
      this.#trouble = undefined;
      return Promise.reject(trouble);
    }
    return this.#send(method, args);
  }

  /**
   * Calls a method before all later calls, without waiting for it: they are answered one after the other, and the compiler may
   * be reading types for a second. Should it fail, the next call fails with that.
   */
  tell<M extends keyof Methods>(method: M, ...args: Parameters<Methods[M]>): void {
    this.#send(method, args).catch((error: unknown) => {
      this.#trouble = error;
    });
  }

  stop(): void {
    this.#process?.kill("SIGKILL");
  }

  #send<M extends keyof Methods>(method: M, args: Parameters<Methods[M]>): Promise<ReturnType<Methods[M]>> {
    const child = this.#process ?? this.#start();
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      child.send({ id, method, args });
    });
  }

  #start(): ChildProcess {
    const child = fork(programPath("language"), [], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [...process.execArgv, ...COLLECT_EARLY],
    });
    this.#process = child;
    child.on("message", ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(unexpected(error));
    });
    child.on("exit", () => {
      this.#process = undefined;
      for (const { reject } of this.#waiting.values()) reject(unexpected("its process ended"));
      this.#waiting.clear();
    });
    return child;
  }
}

const unexpected = (reason: string): AutoqnnError =>
  new AutoqnnError(
    "engine",
    `Expected an answer of the compiler of cells, received an error: ${reason}.`,
    "Restart the kernel; if it comes again, please report it with the cell.",
  );
