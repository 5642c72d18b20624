import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { Notice } from "./cells/protocol.js";

/** The two streams of a process. */
export type StreamName = "stdout" | "stderr";

/** What comes from the cells, in order. */
export interface OutputHandlers {
  text(name: StreamName, text: string): void;
  notice(notice: Notice): void;
}

type Segment = { readonly text: string } | { readonly fence: number };

/** Milliseconds that text is gathered for before it is passed on. */
const GATHER = 25;
/** Characters of text that wait before a stream is left unread, so that the process that prints has to wait. */
const MOST_WAITING = 1 << 20;

/**
 * Brings the text that a process prints and the notices that it sends into the order in which they came to be. Both streams carry
 * a mark for every notice: what is before it was printed before.
 */
export class Output {
  readonly #streams: Readonly<Record<StreamName, Marked>>;
  readonly #notices = new Map<number, Notice>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    streams: Readonly<Record<StreamName, Readable>>,
    token: string,
    readonly handlers: OutputHandlers,
  ) {
    const later = (): void => {
      this.#timer ??= setTimeout(() => this.release(), GATHER);
    };
    this.#streams = {
      stdout: new Marked(streams.stdout, token, later),
      stderr: new Marked(streams.stderr, token, later),
    };
  }

  /** Takes a notice, to be handed on when the text before it has come. */
  take(notice: Notice): void {
    this.#notices.set(notice.fence, notice);
    this.release();
  }

  /** Hands on all that is in order. `everything`: also what waits for marks that will not come, after the process ended. */
  release(everything = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (;;) {
      for (const name of ["stdout", "stderr"] as const) {
        const text = this.#streams[name].takeText();
        if (text !== "") this.handlers.text(name, text);
      }
      // Notices come in their order: one that is missing before them was stopped while it was said.
      const [next = 0] = this.#notices.keys();
      const lost = Object.values(this.#streams).filter(({ fence }) => fence !== undefined && fence < next);
      for (const stream of lost) stream.pass(stream.fence!);
      if (lost.length > 0) continue;
      const fences = Object.values(this.#streams).map((stream) => stream.fence);
      const fence = everything ? fences.find((each) => each !== undefined) : fences[0];
      if (fence === undefined || (!everything && fences[1] !== fence)) return;
      const notice = this.#notices.get(fence);
      if (!notice && !everything) return;
      for (const stream of Object.values(this.#streams)) stream.pass(fence);
      this.#notices.delete(fence);
      if (notice) this.handlers.notice(notice);
    }
  }
}

/** One stream, cut at the marks. */
class Marked {
  readonly #segments: Segment[] = [];
  readonly #mark: RegExp;
  readonly #start: string;
  /** The end of what came, where it may be the start of a mark. */
  #rest = "";
  #waiting = 0;

  constructor(
    readonly stream: Readable,
    token: string,
    changed: () => void,
  ) {
    this.#start = `\u001b]${token};`;
    this.#mark = new RegExp(`\\u001b\\]${token};(\\d+)\\u0007`, "g");
    const decoder = new StringDecoder("utf8");
    stream.on("data", (data: Buffer) => {
      this.#add(decoder.write(data));
      changed();
    });
    stream.on("error", () => undefined);
  }

  /** The text before the next mark; it is taken out. */
  takeText(): string {
    let text = "";
    for (let first = this.#segments[0]; first && "text" in first; first = this.#segments[0]) {
      text += first.text;
      this.#segments.shift();
    }
    this.#waiting -= text.length;
    if (this.#waiting < MOST_WAITING && this.stream.isPaused()) this.stream.resume();
    return text;
  }

  /** The number of the mark that comes next, when it has come. */
  get fence(): number | undefined {
    const first = this.#segments[0];
    return first && "fence" in first ? first.fence : undefined;
  }

  /** Goes past a mark. */
  pass(fence: number): void {
    if (this.fence === fence) this.#segments.shift();
  }

  #add(text: string): void {
    const all = this.#rest + text;
    let at = 0;
    for (const match of all.matchAll(this.#mark)) {
      this.#push(all.slice(at, match.index));
      this.#segments.push({ fence: Number(match[1]) });
      at = match.index + match[0].length;
    }
    const tail = all.slice(at);
    const cut = markStart(tail, this.#start);
    this.#push(tail.slice(0, cut));
    this.#rest = tail.slice(cut);
    if (this.#waiting >= MOST_WAITING) this.stream.pause();
  }

  #push(text: string): void {
    if (text === "") return;
    this.#segments.push({ text });
    this.#waiting += text.length;
  }
}

/** Where a mark may start whose end has not come yet; the text's length if none does. */
function markStart(text: string, start: string): number {
  const at = text.lastIndexOf("\u001b");
  if (at < 0) return text.length;
  const tail = text.slice(at);
  const may =
    tail.length < start.length
      ? start.startsWith(tail)
      : /^\d*$/.test(tail.slice(start.length)) && tail.startsWith(start);
  return may ? at : text.length;
}
