import type { SingleBar } from "cli-progress";

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
        hideCursor: true,
        clearOnComplete: false,
      });
      bar.start(progress.steps, 0, fields(progress));
    }
    bar.update(progress.step, fields(progress));
    if (progress.step >= progress.steps) {
      bar.stop();
      bar = undefined;
    }
  };
}

function lines(stream: NodeJS.WriteStream): OnProgress {
  let last = "";
  return (progress) => {
    const { stage, epoch, loss, accuracy, speed, left } = fields(progress);
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
