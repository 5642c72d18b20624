import { ENHANCEMENTS, type Enhancement } from "../sdk/engine/kernels/enhance.js";
import { AutoqnnError } from "../sdk/errors.js";
import type { BatchOptions } from "../sdk/index.js";
import { random } from "./random.js";

type Augment = NonNullable<BatchOptions["augment"]>;

/** What stands for 1 in the value of an enhancement. */
const PARTS = 2 ** 16;

/** Of Cubuk et al. (2020), as torchvision has them. */
const RAND_AUGMENT = { operations: 2, magnitude: 9 } as const;
const MOST = 30;

type Size = readonly [height: number, width: number];

/**
 * RandAugment's operations, each with its value at a strength from 0 to 1; of those marked true half of the values change
 * their sign (of factors around 1, the distance from 1).
 */
const SPACE: readonly (readonly [Enhancement, boolean, (strength: number, size: Size) => number])[] = [
  ["identity", false, () => 0],
  ["shearX", true, (t) => 0.3 * t],
  ["shearY", true, (t) => 0.3 * t],
  ["translateX", true, (t, [, width]) => Math.trunc((150 / 331) * width * t)],
  ["translateY", true, (t, [height]) => Math.trunc((150 / 331) * height * t)],
  ["rotate", true, (t) => 30 * t],
  ["brightness", true, (t) => 0.9 * t],
  ["color", true, (t) => 0.9 * t],
  ["contrast", true, (t) => 0.9 * t],
  ["sharpness", true, (t) => 0.9 * t],
  ["posterize", false, (t) => 8 - Math.round(4 * t)],
  ["solarize", false, (t) => 255 * (1 - t)],
  ["autoContrast", false, () => 0],
  ["equalize", false, () => 0],
];

/** Those whose value is a factor. */
const FACTORS: readonly Enhancement[] = ["brightness", "color", "contrast", "sharpness"];

const JITTER = [
  ["brightness", "brightness"],
  ["contrast", "contrast"],
  ["saturation", "color"],
  ["hue", "hue"],
] as const;

/** Operations and values of each sample of an epoch, [count, length, 2]; length 0 where none are asked for. */
export interface Enhancements {
  readonly length: number;
  readonly values: Int32Array;
}

/**
 * Each sample's own operations: RandAugment's, then the colour jitter's in an order drawn for each sample. Drawn for the whole
 * epoch at once, so that neither skipping nor the batch size changes a sample's.
 */
export function drawEnhancements(
  count: number,
  size: Size,
  { jitter = {}, randAugment }: Augment,
  seed: number,
  epoch: number,
): Enhancements {
  const asked = JITTER.filter(([name]) => (jitter[name] ?? 0) > 0);
  const { operations, magnitude } = randAugmentOf(randAugment) ?? { operations: 0, magnitude: 0 };
  const length = operations + asked.length;
  const values = new Int32Array(2 * count * length);
  const draw = random("enhance", seed, epoch);
  let at = 0;
  const write = (operation: Enhancement, value: number): void => {
    values[at++] = ENHANCEMENTS.indexOf(operation);
    values[at++] = Math.round(value * PARTS);
  };
  for (let n = 0; length > 0 && n < count; n++) {
    for (let k = 0; k < operations; k++) {
      const [operation, signed, value] = SPACE[Math.floor(draw() * SPACE.length)]!;
      const sign = draw() < 0.5 && signed ? -1 : 1;
      write(operation, (FACTORS.includes(operation) ? 1 : 0) + sign * value(magnitude / MOST, size));
    }
    const order = [...asked];
    for (let k = order.length; k > 0; k--) {
      const [[name, operation]] = order.splice(Math.floor(draw() * k), 1) as [(typeof JITTER)[number]];
      const reach = jitter[name]!;
      const [least, most] = name === "hue" ? [-reach, reach] : [Math.max(0, 1 - reach), 1 + reach];
      write(operation, least + draw() * (most - least));
    }
  }
  return { length, values };
}

function randAugmentOf(given: Augment["randAugment"]): { operations: number; magnitude: number } | undefined {
  return given ? { ...RAND_AUGMENT, ...(given === true ? {} : given) } : undefined;
}

/** Throws AutoqnnError `bad-option` for options out of range, and for images that are neither grey nor in three colours. */
export function checkEnhancements({ jitter = {}, randAugment, mixup }: Augment, channels: number): void {
  for (const [name] of JITTER) {
    const most = name === "hue" ? 0.5 : Number.MAX_VALUE;
    within(`jitter.${name}`, jitter[name], 0, most);
  }
  const { operations, magnitude } = randAugmentOf(randAugment) ?? RAND_AUGMENT;
  within("randAugment.operations", Number.isInteger(operations) ? operations : Number.NaN, 1, 100);
  within("randAugment.magnitude", magnitude, 0, MOST);
  within("mixup", mixup, Number.MIN_VALUE, Number.MAX_VALUE);
  const enhanced = Boolean(randAugment) || JITTER.some(([name]) => (jitter[name] ?? 0) > 0);
  if (enhanced && channels !== 1 && channels !== 3) {
    throw new AutoqnnError(
      "bad-option",
      `Expected images of 1 or 3 channels for augment.jitter and augment.randAugment, received ${channels}.`,
      "Leave them out.",
    );
  }
}

function within(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (value >= least && value <= most)) return;
  const range =
    most === Number.MAX_VALUE ? (least > 0 ? "above 0" : "of 0 or more") : `from ${least} to ${most}`;
  throw new AutoqnnError(
    "bad-option",
    `Expected a number ${range} for augment.${name}, received ${value}.`,
    "For example { jitter: { brightness: 0.4 }, randAugment: { operations: 2, magnitude: 9 }, mixup: 0.2 }.",
  );
}
