/** Images in one block of bytes, [count, height, width, channels], with one class number each. */
export interface Images {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array | Uint16Array;
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** How each sample of a batch is moved: three numbers per sample, flipped (0 or 1), rows down, columns right. */
export type Moves = Int16Array;

const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** The pixels of `samples`, scaled to 0 .. 1, each moved as `moves` says; what a shift uncovers is 0. */
export function gather(images: Images, samples: Uint32Array, moves?: Moves): Float32Array {
  const [height, width, channels] = images.shape;
  const size = height * width * channels;
  const out = new Float32Array(samples.length * size);
  for (let n = 0; n < samples.length; n++) {
    const image = images.pixels.subarray(samples[n]! * size, (samples[n]! + 1) * size);
    const target = out.subarray(n * size, (n + 1) * size);
    if (moves) move(image, target, images.shape, moves[3 * n] === 1, moves[3 * n + 1]!, moves[3 * n + 2]!);
    else for (let i = 0; i < size; i++) target[i] = SCALED[image[i]!]!;
  }
  return out;
}

function move(
  image: Uint8Array,
  target: Float32Array,
  [height, width, channels]: Images["shape"],
  flipped: boolean,
  down: number,
  right: number,
): void {
  const firstColumn = Math.max(0, right);
  const endColumn = Math.min(width, width + right);
  for (let row = Math.max(0, down); row < Math.min(height, height + down); row++) {
    for (let column = firstColumn; column < endColumn; column++) {
      const source = flipped ? width - 1 - (column - right) : column - right;
      const from = ((row - down) * width + source) * channels;
      const to = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++)
        target[to + channel] = SCALED[image[from + channel]!]!;
    }
  }
}
