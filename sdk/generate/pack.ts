import { AutoqnnError } from "../errors.js";

/** Whole numbers that take the same number of bits each. */
export interface Codes {
  readonly bits: number;
  readonly codes: ArrayLike<number>;
}

/**
 * One stream of bits, tensor after tensor without a gap: code i of a tensor of b bits takes the bits i b .. i b + b - 1
 * after those of the tensors before, the low bit first, and bit n of the stream is bit n mod 8 of byte floor(n / 8).
 *
 * The result has ceil(sum_i b_i count_i / 8) bytes. Bits are 1 .. 16.
 *
 * @throws AutoqnnError `bad-option` for a code that does not fit.
 * @example
 * pack([{ bits: 3, codes: [1, 2, 7] }]); // Uint8Array [0b11_010_001, 0b1]
 */
export function pack(tensors: readonly Codes[]): Uint8Array {
  const total = tensors.reduce((sum, { bits, codes }) => sum + bits * codes.length, 0);
  const bytes = new Uint8Array(Math.ceil(total / 8));
  let place = 0;
  let pending = 0;
  let held = 0;
  for (const { bits, codes } of tensors) {
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!;
      if (code >= 2 ** bits) {
        throw new AutoqnnError(
          "bad-option",
          `Expected codes from 0 to ${2 ** bits - 1} in ${bits} bits, received ${code} at position ${i}.`,
          "Quantize to at most 2^bits levels.",
        );
      }
      pending |= code << held;
      held += bits;
      while (held >= 8) {
        bytes[place++] = pending;
        pending >>>= 8;
        held -= 8;
      }
    }
  }
  if (held > 0) bytes[place] = pending;
  return bytes;
}

/** The `count` codes of `bits` bits each that start at bit `offset` of a stream made by `pack`. */
export function unpack(bytes: Uint8Array, offset: number, count: number, bits: number): Uint16Array {
  const codes = new Uint16Array(count);
  const mask = 2 ** bits - 1;
  let place = Math.floor(offset / 8) + 1;
  let pending = (bytes[place - 1] ?? 0) >>> (offset % 8);
  let held = 8 - (offset % 8);
  for (let i = 0; i < count; i++) {
    while (held < bits) {
      pending |= (bytes[place++] ?? 0) << held;
      held += 8;
    }
    codes[i] = pending & mask;
    pending >>>= bits;
    held -= bits;
  }
  return codes;
}
