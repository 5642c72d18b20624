import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { LabelledImages as Images } from "../../../datasets/images.js";
import { split } from "../../../datasets/split.js";
import { moveImages } from "../../../sdk/engine/kernels/move.js";
import { type Batch, engine, tf } from "../../../sdk/index.js";

const HELP = `Times how batches of 128 are made of bytes in memory: in JavaScript, as before, and by the engine.

  npx tsx reproduce/bench/pipeline/inMemory.ts [--rounds 5] [--batches 60]

Each line is the median over rounds, in which the two take turns. "busy" is the time for which JavaScript's event loop was
not idle (event loop utilisation), per batch, with the start of a pass spread over its batches.
`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    batches: { type: "string", default: "60" },
    help: { type: "boolean", default: false },
  },
});
const [ROUNDS, BATCHES] = [Number(options.rounds), Number(options.batches)];
const BATCH = 128;

type Make = (epoch: number) => AsyncIterable<Batch>;

/** Puts a batch where a step would read it. */
function use({ x, y }: Batch): void {
  (tf.backend() as unknown as { getInputTensorIds(tensors: tf.Tensor[]): number[] }).getInputTensorIds([
    x,
    y,
  ]);
  tf.dispose([x, y]);
}

interface Timing {
  readonly milliseconds: number;
  readonly busy: number;
}

async function timed(make: Make, epoch: number): Promise<Timing> {
  let count = 0;
  // A turn of the loop, so that the utilisation is measured from its start.
  await new Promise((resolve) => setImmediate(resolve));
  const [started, before] = [performance.now(), performance.eventLoopUtilization()];
  for await (const batch of make(epoch)) {
    count++;
    use(batch);
    // Without it JavaScript's own batches would never leave the microtasks, and the loop would not notice.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { active } = performance.eventLoopUtilization(before);
  return { milliseconds: (performance.now() - started) / count, busy: active / count };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

async function compare(title: string, makers: Readonly<Record<string, Make>>): Promise<void> {
  const timings = new Map<string, Timing[]>();
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, make] of Object.entries(makers)) {
      const timing = await timed(make, Math.max(0, round));
      if (round >= 0) timings.set(name, [...(timings.get(name) ?? []), timing]);
    }
  }
  for (const [name, all] of timings) {
    const milliseconds = median(all.map((timing) => timing.milliseconds));
    const busy = median(all.map((timing) => timing.busy));
    const rate = ((1000 * BATCH) / milliseconds).toFixed(0);
    console.log(
      `${title.padEnd(34)} ${name.padEnd(10)} ${milliseconds.toFixed(2).padStart(8)} ms/batch, busy ${busy.toFixed(3).padStart(8)} ms, ${rate.padStart(7)} images/s`,
    );
  }
}

/** As it was before: bytes to numbers on JavaScript's thread. */
function inJavaScript(images: Images & { pixels: Uint8Array }, moves: Int32Array): Make {
  const size = images.shape.reduce((product, length) => product * length, 1);
  return async function* () {
    for (let first = 0; first + BATCH <= images.labels.length; first += BATCH) {
      const bytes = images.pixels.subarray(first * size, (first + BATCH) * size);
      const x = moveImages(bytes, images.shape, moves.subarray(3 * first, 3 * (first + BATCH)));
      const y = Int32Array.from(images.labels.subarray(first, first + BATCH));
      yield { x: tf.tensor(x, [BATCH, ...images.shape]), y: tf.tensor1d(y, "int32") };
    }
  };
}

function noise(count: number, shape: Images["shape"]): Images & { pixels: Uint8Array } {
  const pixels = new Uint8Array(shape.reduce((product, length) => product * length, count));
  for (let i = 0, state = 1; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    pixels[i] = state >>> 24;
  }
  return { shape, pixels, labels: new Uint8Array(count) };
}

async function inMemory(
  title: string,
  shape: Images["shape"],
  shift: number,
  batches = BATCHES,
): Promise<void> {
  const images = noise(batches * BATCH, shape);
  const moves = Int32Array.from({ length: 3 * images.labels.length }, (_, i) =>
    i % 3 === 0 ? (i >> 4) & 1 : (i % (2 * shift + 1)) - shift,
  );
  const part = split(images, 10);
  const augment = { flip: true, shift };
  await compare(title, {
    JavaScript: inJavaScript(images, moves),
    engine: (epoch) => part.batches({ batchSize: BATCH, seed: 1, epoch, augment }),
  });
}

if (options.help) process.stdout.write(HELP);
else {
  const { device } = await engine();
  console.log(`batches of ${BATCH}, ${ROUNDS} rounds, ${device}`);
  await inMemory("28 x 28 x 1, flips and shifts", [28, 28, 1], 1);
  await inMemory("32 x 32 x 3, flips and shifts", [32, 32, 3], 4);
  await inMemory("224 x 224 x 3, flips and shifts", [224, 224, 3], 8, 6);
}
