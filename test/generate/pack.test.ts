import { describe, expect, it } from "vitest";
import { type Codes, pack, unpack } from "../../sdk/generate/pack.js";

/** A reproducible stream of 32-bit numbers (xorshift). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const LENGTHS = [1, 2, 7, 8, 9, 31, 33, 257, 1000, 1001];

describe("pack", () => {
  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`gives back every code of ${bits} bits`, () => {
      const draw = numbers(bits);
      for (const length of LENGTHS) {
        const codes = Uint16Array.from({ length }, () => draw() % 2 ** bits);
        const bytes = pack([{ bits, codes }]);
        expect(bytes.length).toBe(Math.ceil((length * bits) / 8));
        expect(unpack(bytes, 0, length, bits)).toEqual(codes);
      }
    });
  }

  it("joins tensors of different widths without a gap", () => {
    const draw = numbers(99);
    for (let round = 0; round < 200; round++) {
      const tensors: Codes[] = Array.from({ length: 1 + (draw() % 9) }, () => {
        const bits = 1 + (draw() % 8);
        return { bits, codes: Uint16Array.from({ length: draw() % 50 }, () => draw() % 2 ** bits) };
      });
      const bytes = pack(tensors);
      const total = tensors.reduce((sum, { bits, codes }) => sum + bits * codes.length, 0);
      expect(bytes.length).toBe(Math.ceil(total / 8));
      let offset = 0;
      for (const { bits, codes } of tensors) {
        expect(unpack(bytes, offset, codes.length, bits)).toEqual(codes);
        offset += bits * codes.length;
      }
    }
  });

  it("puts the low bit first, as an independent bit-by-bit reading finds it", () => {
    const draw = numbers(5);
    const tensors = [3, 5, 7, 1].map((bits) => ({
      bits,
      codes: Uint16Array.from({ length: 13 }, () => draw() % 2 ** bits),
    }));
    const stream = tensors.flatMap(({ bits, codes }) =>
      [...codes].flatMap((code) => Array.from({ length: bits }, (_, bit) => Math.floor(code / 2 ** bit) % 2)),
    );
    const bytes = pack(tensors);
    stream.forEach((bit, n) => {
      expect(Math.floor(bytes[Math.floor(n / 8)]! / 2 ** (n % 8)) % 2).toBe(bit);
    });
  });

  it("packs nothing into nothing", () => {
    expect(pack([])).toEqual(new Uint8Array(0));
    expect(unpack(new Uint8Array(0), 0, 0, 3)).toEqual(new Uint16Array(0));
  });
});
