import { SourceMap, type SourceMapPayload } from "node:module";
import { inspect } from "node:util";
import { AutoqnnError } from "../../errors.js";
import type { Failure, Program } from "./protocol.js";

const RED = "\u001b[31m";
const BLUE = "\u001b[36m";
const DIM = "\u001b[2m";
const OFF = "\u001b[0m";

/** A frame of V8's stack: what was called, in which file, at which line and column, both from 1. */
const FRAME = /^\s+at (?:(.*?) \()?((?:file:\/\/|\/|In\[|[A-Za-z]:\\)[^)]*?):(\d+):(\d+)\)?$/;

interface Frame {
  readonly call: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Tells errors of cells in terms of what the user wrote. */
export class Tracebacks {
  readonly #programs = new Map<string, Program>();

  /** Remembers a cell: functions that it declares may fail much later. */
  remember(program: Program): void {
    this.#programs.set(program.name, program);
  }

  describe(error: unknown): Failure {
    if (!(error instanceof Error)) {
      const text = inspect(error);
      return { ename: "Thrown", evalue: text, traceback: [`${RED}Thrown${OFF}: ${text}`] };
    }
    const [ename, evalue] = [error.name, error.message];
    const code = error instanceof AutoqnnError ? ` ${DIM}(${error.code})${OFF}` : "";
    const frames = this.#frames(error.stack ?? "");
    const place = frames.find(({ file }) => this.#programs.has(file));
    return {
      ename,
      evalue,
      traceback: [
        `${RED}${ename}${OFF}${code}: ${evalue}`,
        ...(place ? this.#excerpt(place) : []),
        ...frames.map(
          ({ call, file, line, column }) =>
            `    ${DIM}at${OFF} ${call ? `${call} ` : ""}${BLUE}${file}${OFF}, line ${line}:${column}`,
        ),
        ...(error.cause === undefined
          ? []
          : [`Caused by: ${this.describe(error.cause).traceback.join("\n")}`]),
      ],
    };
  }

  /** The frames in cells and in files of the user; what lies between the kernel and a cell is left out. */
  #frames(stack: string): Frame[] {
    const all = stack.split("\n").flatMap((text) => {
      const match = FRAME.exec(text);
      if (!match) return [];
      const [, call = "", file, line, column] = match;
      return [{ call, file: file!, line: Number(line), column: Number(column) }];
    });
    const end = all.findLastIndex(({ file }) => this.#programs.has(file));
    return (end < 0 ? all : all.slice(0, end + 1)).map((frame) => this.#mapped(frame));
  }

  #mapped(frame: Frame): Frame {
    const program = this.#programs.get(frame.file);
    if (!program) return frame;
    const map = new SourceMap(JSON.parse(program.map) as SourceMapPayload);
    // The wrapper's head stands on the first line of the code, which is none of the user's.
    const entry = map.findEntry(frame.line - 1, frame.column - 1);
    if (!("originalLine" in entry)) return { ...frame, call: "" };
    const call = /^(?:async )?(?:\$cell|eval)$/.test(frame.call) ? "" : frame.call;
    return {
      ...frame,
      call,
      line: entry.originalLine + 1 - program.offset,
      column: entry.originalColumn + 1,
    };
  }

  /** The line where it happened, with the two before it. */
  #excerpt({ file, line }: Frame): string[] {
    const lines = this.#programs.get(file)!.source.split("\n");
    const first = Math.max(1, line - 2);
    return lines.slice(first - 1, line).map((text, index) => {
      const number = first + index;
      const here = number === line;
      return `${here ? RED : DIM}${here ? ">" : " "} ${String(number).padStart(3)} |${OFF} ${text}`;
    });
  }
}
