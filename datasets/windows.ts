import { WINDOW_ONE, WINDOW_RATIO } from "../sdk/engine/pipeline.js";
import { AutoqnnError } from "../sdk/errors.js";
import type { BatchOptions } from "../sdk/index.js";
import { random } from "./random.js";

/** Windows of random size and proportions, of which training images are cut; see `BatchOptions`. */
export type Crop = Exclude<NonNullable<NonNullable<BatchOptions["augment"]>["crop"]>, boolean>;

/** The part of each side that evaluation looks at: 224 pixels of 256, as is usual for ImageNet. */
const CENTRAL = 0.875;

/** Those of the Inception networks (Szegedy et al., 2015), which all since have taken. */
const DEFAULT = { area: [0.08, 1], ratio: [3 / 4, 4 / 3] } as const;

/** The ranges that `crop` says; absent where images are not cropped at random. */
export function cropOf(crop: boolean | Crop | undefined): Required<Crop> | undefined {
  if (!crop) return undefined;
  const { area, ratio } = { ...DEFAULT, ...(crop === true ? {} : crop) };
  if (!(area[0] > 0 && area[0] <= area[1] && area[1] <= 1))
    throw wrong("area", "two shares of the image's area, ascending, above 0 and at most 1", area);
  if (!(ratio[0] > 0.05 && ratio[0] <= ratio[1] && ratio[1] < 20))
    throw wrong("ratio", "two proportions, ascending, from 0.05 to 20", ratio);
  return { area, ratio };
}

function wrong(name: string, expected: string, received: readonly number[]): AutoqnnError {
  return new AutoqnnError(
    "bad-option",
    `Expected ${expected} for augment.crop.${name}, received ${received.join(" and ")}.`,
    "For example { area: [0.08, 1], ratio: [3 / 4, 4 / 3] }, the default.",
  );
}

/** The middle of every image. */
export function centralWindows(count: number): Int32Array {
  const windows = new Int32Array(4 * count);
  for (let n = 0; n < count; n++) windows[4 * n] = -Math.round(CENTRAL * WINDOW_ONE);
  return windows;
}

/**
 * A window of every image: its share of the area even between the ends of `area`, its proportions (in parts of the target's)
 * between the ends of `ratio`, even in their logarithm, its place even where it fits. Drawn for the whole epoch at once, so that
 * neither skipping nor the batch size changes a sample's window.
 */
export function drawWindows(count: number, crop: Required<Crop>, seed: number, epoch: number): Int32Array {
  const draw = random("crop", seed, epoch);
  const between = ([least, most]: readonly [number, number]): number => least + draw() * (most - least);
  const [low, high] = crop.ratio;
  const windows = new Int32Array(4 * count);
  for (let n = 0; n < count; n++) {
    windows[4 * n] = Math.max(1, Math.round(between(crop.area) * WINDOW_ONE));
    windows[4 * n + 1] = Math.round(Math.exp(between([Math.log(low), Math.log(high)])) * WINDOW_RATIO);
    windows[4 * n + 2] = Math.floor(draw() * WINDOW_ONE);
    windows[4 * n + 3] = Math.floor(draw() * WINDOW_ONE);
  }
  return windows;
}
