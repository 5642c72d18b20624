import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { FLOATING, FLOATING_BITS, type Found, type Outcome, type Request } from "./experiment.js";
import { METHODS, methodOf } from "./methods/index.js";
import type { Scale } from "./scales.js";

/** A request with the learning rate that it is trained at. */
export interface Job extends Request {
  readonly rate: number;
}

/** What has a learning rate of its own: a family's methods on a network, at some bits. */
type Tuned = Pick<Request, "network" | "method" | "bits">;

const keyOf = ({ network, method, bits, seed, rate }: Job): string =>
  JSON.stringify([network, method, bits, seed, rate]);

const familyOf = (method: string): string => (method === FLOATING ? FLOATING : methodOf(method).family);

/** What was trained at a scale: one line of JSON for each network, in the order in which they ended. */
export class Outcomes implements Found {
  readonly #path: string;
  readonly #scale: Scale;
  readonly #known = new Map<string, Outcome>();

  /**
   * Reads what there is. A last line that a killed process left half written is taken out.
   *
   * @throws Error for a file with another line that is no outcome
   */
  constructor(path: string, scale: Scale) {
    this.#path = path;
    this.#scale = scale;
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole !== text) writeFileSync(path, whole);
    for (const [index, line] of whole.split("\n").entries()) {
      if (line === "") continue;
      try {
        const outcome = JSON.parse(line) as Outcome;
        this.#known.set(keyOf(outcome), outcome);
      } catch (cause) {
        throw new Error(`Expected one outcome in JSON on line ${index + 1} of ${path}.`, { cause });
      }
    }
  }

  has(job: Job): boolean {
    return this.#known.has(keyOf(job));
  }

  add(outcome: Outcome): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    appendFileSync(this.#path, `${JSON.stringify(outcome)}\n`);
    this.#known.set(keyOf(outcome), outcome);
  }

  of(request: Request): Outcome | undefined {
    const rate = this.rateOf(request);
    return rate === undefined ? undefined : this.#known.get(keyOf({ ...request, rate }));
  }

  /** The rate at which the family's first method has the least validation loss there; undefined while one is missing. */
  rateOf(request: Tuned): number | undefined {
    const { rates } = this.#scale;
    if (rates.length === 1) return rates[0];
    const losses = rates.map((rate) => this.#meanLoss(this.#tuningAt(request, rate)));
    if (losses.includes(undefined)) return undefined;
    return rates[losses.indexOf(Math.min(...(losses as number[])))];
  }

  /** What is trained to choose the rate of a method's family: its first method at those bits, with every seed. */
  tuning(request: Tuned): Job[] {
    return this.#scale.rates.flatMap((rate) => this.#tuningAt(request, rate));
  }

  #tuningAt({ network, method, bits }: Tuned, rate: number): Job[] {
    const { seeds } = this.#scale;
    const family = familyOf(method);
    const first = METHODS.find((row) => row.family === family)?.name ?? FLOATING;
    const own = first === FLOATING ? FLOATING_BITS : bits;
    return seeds.map((seed) => ({ network, method: first, bits: own, seed, rate }));
  }

  /** Undefined while an outcome is missing. */
  #meanLoss(jobs: readonly Job[]): number | undefined {
    const losses = jobs.map((job) => this.#known.get(keyOf(job))?.validation.loss);
    return losses.includes(undefined)
      ? undefined
      : (losses as number[]).reduce((a, b) => a + b) / jobs.length;
  }
}
