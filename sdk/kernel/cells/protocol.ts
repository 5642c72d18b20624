import type { MimeBundle } from "../../display.js";
import type { Json } from "../wire.js";

/** The specifier under which a cell's code finds what earlier cells declared. */
export const SCOPE = "autoqnn:scope";

/** A cell made ready to run. */
export interface Program {
  /** How errors name it: `In[3]`. */
  readonly name: string;
  /** What the user wrote. */
  readonly source: string;
  /** The body of an async function: CommonJS, the value of the last expression given to `$result`. */
  readonly code: string;
  /** The source map of `code`. */
  readonly map: string;
  /** Lines that stand before the user's first in what the map calls the source. */
  readonly offset: number;
  /** Specifiers of what the cell imports. */
  readonly imports: readonly string[];
  /** Names that the cell declares. */
  readonly declares: readonly string[];
  /** Whether it mentions a name that the SDK exports. */
  readonly usesSdk: boolean;
}

/** An error as a front end shows it. */
export interface Failure {
  readonly ename: string;
  readonly evalue: string;
  /** Lines, with colours of a terminal. */
  readonly traceback: readonly string[];
}

/** A message of Jupyter's comms: data between the front end's widgets and the cells. */
export interface CommMessage {
  readonly type: "comm_open" | "comm_msg" | "comm_close";
  readonly content: Json & { readonly comm_id: string };
  readonly metadata: Json;
  readonly buffers: readonly Uint8Array[];
}

/** What the kernel asks of the process that runs the cells. */
export type Request =
  /** To say `ready` when it has loaded what every cell may use. `cell` counts the cells that were asked for. */
  | { readonly kind: "prepare"; readonly cell: number }
  | { readonly kind: "run"; readonly cell: number; readonly program: Program; readonly allowInput: boolean }
  | { readonly kind: "input"; readonly value: string }
  | { readonly kind: "comm"; readonly message: CommMessage };

/** What that process says, in order with what it prints: `fence` counts the marks that it writes to both its streams. */
export type Notice = { readonly fence: number } & (
  | { readonly kind: "started" }
  | { readonly kind: "ready"; readonly cell: number }
  | { readonly kind: "display"; readonly bundle: MimeBundle; readonly id?: string }
  | { readonly kind: "update"; readonly bundle: MimeBundle; readonly id: string }
  | { readonly kind: "clear"; readonly wait: boolean }
  | { readonly kind: "ask"; readonly prompt: string; readonly password: boolean }
  | { readonly kind: "comm"; readonly message: CommMessage }
  | { readonly kind: "result"; readonly bundle: MimeBundle }
  | {
      readonly kind: "ended";
      /** The cell that ended: where saying so was stopped, it is said again. */
      readonly cell: number;
      /** The names of the cell that now hold what it gave them. */
      readonly defined: readonly string[];
      readonly failure?: Failure;
    }
);

/** The part of a notice that its sender writes. */
export type Said = Notice extends infer N ? (N extends Notice ? Omit<N, "fence"> : never) : never;

/** The mark that a process writes to its streams, so that text before and after a notice is told apart. */
export const fenceMark = (token: string, fence: number): string => `\u001b]${token};${fence}\u0007`;

/** The byte that interrupts a cell: so that an interrupt which comes late does not end the next cell. */
export const interruptByte = (cell: number): number => cell % 256;
