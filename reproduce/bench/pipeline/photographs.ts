import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tf } from "../../../sdk/index.js";
import { stream } from "../../../sdk/train/random.js";

/** The usual size of ImageNet's photographs, height and width, and a quality that gives them its usual 110 KB. */
export const IMAGENET = { size: [375, 500], quality: 95 } as const;

/** Files that differ; the others are copies, which cost a decoder the same. */
const DIFFERENT = 48;

/** Waves that are added up in an image, ever shorter and weaker, and the reach of the noise over them, as sensors have it. */
const WAVES = 24;
const NOISE = 26;

interface Encoder {
  encodeJpeg(...options: unknown[]): tf.Tensor;
}

export interface Kind {
  readonly size: readonly [height: number, width: number];
  readonly quality: number;
}

/**
 * A folder `train/a` of `count` JPEGs, with colours at half the resolution as cameras write them, and one in `test/a`; always
 * the same bytes. Photographs are neither smooth nor noise: waves of which the shorter are the weaker, and some noise. Gives
 * the folder and the mean size of a file in bytes.
 */
export function photographs(
  count: number,
  { size: [height, width], quality }: Kind,
): { folder: string; bytes: number } {
  const folder = mkdtempSync(join(tmpdir(), "autoqnn-bench-"));
  for (const name of ["train/a", "test/a"]) mkdirSync(join(folder, name), { recursive: true });
  const place = (n: number): string => join(folder, `train/a/${String(n).padStart(5, "0")}.jpg`);
  const encoder = tf.backend() as unknown as Encoder;
  let bytes = 0;
  for (let n = 0; n < Math.min(count, DIFFERENT); n++) {
    const options = ["", quality, false, false, true, "in", 300, 300, ""];
    const encoded = encoder.encodeJpeg(painted(n, height, width), [height, width, 3], ...options);
    const [file] = tf.engine().backend.readSync(encoded.dataId) as unknown as Uint8Array[];
    encoded.dispose();
    bytes += file!.length / Math.min(count, DIFFERENT);
    for (let copy = n; copy < count; copy += DIFFERENT) writeFileSync(place(copy), file!);
  }
  copyFileSync(place(0), join(folder, "test/a/0.jpg"));
  return { folder, bytes };
}

function painted(seed: number, height: number, width: number): Uint8Array {
  const draw = stream(seed, "photograph");
  const light = new Float32Array(height * width * 3).fill(128);
  for (let wave = 1; wave <= WAVES; wave++) {
    const strength = 70 / wave;
    const [down, across] = [height, width].map((length) => {
      const [pace, start] = [(draw() * wave * wave) / length, 2 * Math.PI * draw()];
      return Float32Array.from({ length }, (_, i) => Math.sin(start + Math.PI * pace * i));
    }) as [Float32Array, Float32Array];
    const colour = [0, 1, 2].map(() => strength * (0.6 + 0.4 * draw()));
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const value = down[row]! * across[column]!;
        for (let channel = 0; channel < 3; channel++) light[at++]! += colour[channel]! * value;
      }
    }
  }
  const pixels = new Uint8ClampedArray(light.length);
  // A linear congruential generator: millions of numbers, which need not be good ones.
  for (let i = 0, state = seed; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    pixels[i] = light[i]! + NOISE * ((state >>> 8) / 2 ** 24 - 0.5);
  }
  return new Uint8Array(pixels.buffer);
}
