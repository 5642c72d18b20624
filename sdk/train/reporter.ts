import type { Finding } from "./health/finding.js";
import type { Stage, Watch } from "./loop.js";
import type { Progress } from "./progress.js";
import type { Recorder } from "./recorder.js";

const MILLISECONDS = 200;

/** Tells a stage's watcher where the stage stands: a few times a second, at the end of every epoch, and how it ended. */
export class Reporter {
  private readonly startedAt = performance.now();
  private shownAt = 0;
  private told: Progress | undefined;
  private telling = false;
  private health: readonly Finding[] | undefined;

  /**
   * @param first the step from which this run of the stage goes on
   * @param epochsIn how many epochs a number of steps is, not always a whole number
   */
  constructor(
    private readonly stage: Stage,
    private readonly watch: Watch,
    private readonly rows: Recorder,
    private readonly first: number,
    private readonly epochsIn: (steps: number) => number,
  ) {}

  /** After `done` steps. */
  step(done: number): void {
    const { steps, name, batchSize, recipe } = this.stage;
    const now = performance.now();
    const ends = Math.floor(this.epochsIn(done)) > Math.floor(this.epochsIn(done - 1));
    if (now - this.shownAt <= MILLISECONDS && done !== steps && !ends) return;
    this.shownAt = now;
    const perStep = (now - this.startedAt) / 1000 / (done - this.first);
    this.tell({
      stage: name,
      step: done,
      steps,
      epoch: Math.ceil(this.epochsIn(done)),
      epochs: Math.ceil(this.epochsIn(steps)),
      ...this.rows.recent(done),
      speed: (batchSize * recipe.accumulate) / perStep,
      eta: perStep * (steps - done),
      ...(this.health && { health: this.health }),
      view: this.view,
    });
  }

  /** What is wrong as far as was seen, told with the next report, which is not put off. */
  found(health: readonly Finding[]): void {
    this.health = health;
    this.shownAt = 0;
  }

  /** The stage ended before its last step, after `done`. */
  ended(how: NonNullable<Progress["ended"]>, done: number): void {
    // An error of the watcher's own is not told to the watcher.
    if (this.told && !this.telling) this.tell({ ...this.told, step: done, eta: 0, ended: how });
  }

  private tell(progress: Progress): void {
    this.told = progress;
    this.telling = true;
    this.watch.onProgress?.(progress);
    this.telling = false;
  }

  private readonly view: NonNullable<Progress["view"]> = () => {
    const { policy } = this.stage;
    const { step } = this.told!;
    const history = this.rows.history(step);
    const latest = Object.fromEntries(
      Object.entries(history.traces).map(([name, { data }]) => [
        name,
        data.subarray((data.length / step) * (step - 1)),
      ]),
    );
    return { history, rows: policy.rows ?? [], spent: policy.spent?.(latest) ?? [] };
  };
}
