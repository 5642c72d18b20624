/** What was run, by execution count. Kept in memory: it ends with the kernel. */
export interface Entry {
  readonly count: number;
  readonly input: string;
  readonly output?: string;
}

/** A request for history as Jupyter's protocol words it. */
export interface HistoryRequest {
  readonly hist_access_type?: "range" | "tail" | "search";
  readonly output?: boolean;
  readonly session?: number;
  readonly start?: number;
  readonly stop?: number;
  readonly n?: number;
  readonly pattern?: string;
  readonly unique?: boolean;
}

type Line = readonly [session: number, count: number, input: string | readonly [string, string | null]];

/** The one session that is known. */
const SESSION = 1;
/** Entries kept: the oldest go first. */
const MOST = 10_000;

/** The history of one kernel. */
export class History {
  readonly #entries: Entry[] = [];

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length > MOST) this.#entries.shift();
  }

  /** The entries that a request asks for, oldest first. */
  answer(request: HistoryRequest): Line[] {
    const line = ({ count, input, output }: Entry): Line => [
      SESSION,
      count,
      request.output ? [input, output ?? null] : input,
    ];
    return this.#select(request).map(line);
  }

  #select({
    hist_access_type,
    session = 0,
    start = 0,
    stop,
    n,
    pattern = "*",
    unique,
  }: HistoryRequest): Entry[] {
    if (hist_access_type === "range") {
      // Session 0 is the current one, negative ones are earlier, and none of those is known.
      if (session !== 0 && session !== SESSION) return [];
      return this.#entries.filter(({ count }) => count >= start && (stop == null || count < stop));
    }
    if (hist_access_type !== "search") return last(this.#entries, n);
    const wanted = glob(pattern);
    const found = this.#entries.filter(({ input }) => wanted.test(input));
    if (!unique) return last(found, n);
    const latest = new Map(found.map((entry) => [entry.input, entry]));
    return last(
      found.filter((entry) => latest.get(entry.input) === entry),
      n,
    );
  }
}

const last = <T>(list: readonly T[], n: number | undefined): T[] =>
  n == null ? [...list] : n > 0 ? list.slice(-n) : [];

/** A pattern of the shell (`*`, `?`) as a regular expression for a whole text. */
function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+(){}[\]]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${source}$`);
}
