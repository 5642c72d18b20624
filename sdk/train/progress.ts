import type { SingleBar } from "cli-progress";
import type { Finding } from "./health/finding.js";
import type { PolicyRow, Spent } from "./policy.js";
import type { History } from "./run.js";

/** What a stage recorded up to a step. Its arrays are the stage's own: read them before it goes on. */
export interface StageView {
  /** `steps` are those that are done. */
  readonly history: Omit<History, "seconds">;
  /** What each row of the trace "theta" or "bits" decides; none for a stage that decides nothing. */
  readonly rows: readonly PolicyRow[];
  /** How far the parameters of this step keep the budget. */
  readonly spent: readonly Spent[];
}

/** Where a long piece of work stands. */
export interface Progress {
  /** For example "search schemes". */
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Nats, a running mean over the last steps. */
  readonly loss: number;
  /** 0..1, likewise. */
  readonly accuracy: number;
  /** Examples per second. */
  readonly speed: number;
  /** Seconds left in this stage. */
  readonly eta: number;
  /** How work ended that did not come to its last step; told once, after its last report. */
  readonly ended?: "interrupted" | "failed";
  /** What was recorded so far, made when asked for. The same function in all reports of one run of a stage. */
  view?(): StageView;
  /** What is wrong with the nodes as far as was seen; absent before they were looked at. */
  readonly health?: readonly Finding[];
}

export type OnProgress = (progress: Progress) => void;

/** Draws progress on `stream`: one bar per stage on a terminal, one line per epoch elsewhere. */
export async function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Promise<OnProgress> {
  return stream.isTTY ? bars(stream) : lines(stream);
}

async function bars(stream: NodeJS.WriteStream): Promise<OnProgress> {
  const { default: cliProgress } = await import("cli-progress");
  let bar: SingleBar | undefined;
  let stage = "";
  return (progress) => {
    if (!bar || progress.stage !== stage) {
      bar?.stop();
      stage = progress.stage;
      bar = new cliProgress.SingleBar({
        stream,
        format:
          "{stage} {bar} {value}/{total}  epoch {epoch}  loss {loss}  accuracy {accuracy}  {speed} img/s  ETA {left}",
        barsize: 24,
        // It would take signals for itself, and without that could not give a hidden cursor back.
        gracefulExit: false,
        clearOnComplete: false,
      });
      bar.start(progress.steps, 0, fields(progress));
    }
    bar.update(progress.step, fields(progress));
    if (progress.step >= progress.steps || progress.ended) {
      bar.stop();
      bar = undefined;
    }
  };
}

function lines(stream: NodeJS.WriteStream): OnProgress {
  let last = "";
  return (progress) => {
    const { stage, epoch, loss, accuracy, speed, left } = fields(progress);
    if (progress.ended) {
      stream.write(`${stage.trim()}: ${progress.ended} after step ${progress.step}/${progress.steps}\n`);
      return;
    }
    const finished = progress.step >= progress.steps;
    const key = `${stage} ${epoch} ${finished}`;
    const ended = finished || (progress.step * progress.epochs) % progress.steps < progress.epochs;
    if (!ended || key === last || progress.step === 0) return;
    last = key;
    stream.write(
      `${stage.trim()}: step ${progress.step}/${progress.steps}, epoch ${epoch}, loss ${loss}, accuracy ${accuracy}, ${speed} img/s, ETA ${left}\n`,
    );
  };
}

function fields(progress: Progress) {
  const seconds = Math.round(progress.eta);
  return {
    stage: progress.stage.padEnd(16),
    epoch: `${progress.epoch}/${progress.epochs}`,
    loss: progress.loss.toFixed(3),
    accuracy: `${(100 * progress.accuracy).toFixed(1)}%`,
    speed: progress.speed.toFixed(0),
    left: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`,
  };
}
