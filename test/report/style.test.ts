import { describe, expect, it } from "vitest";
import {
  DASHES,
  line,
  PALETTE,
  SCHEME_COLOURS,
  SEQUENTIAL,
  SYMBOLS,
  schemeFill,
} from "../../sdk/report/style.js";
import type { SchemeName } from "../../sdk/staircase/schemes.js";

type Rgb = readonly [number, number, number];
type Rows = readonly [Rgb, Rgb, Rgb];

/** How colours look to others: Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const VISION: Readonly<Record<string, Rows>> = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
const TO_XYZ: Rows = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];

const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;

const times = (rows: Rows, [r, g, b]: Rgb): Rgb =>
  rows.map((row) => row[0] * r + row[1] * g + row[2] * b) as unknown as Rgb;

/** CIE L*a*b*, D65. */
function lab(rgb: Rgb): Rgb {
  const inside = rgb.map((c) => Math.min(1, Math.max(0, c))) as unknown as Rgb;
  const [X, Y, Z] = times(TO_XYZ, inside);
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const [x, y, z] = [f(X / 0.95047), f(Y), f(Z / 1.08883)];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** The least distance (CIE 1976) of two colours of a list, as someone sees them. */
function closest(colours: readonly string[], vision: Rows): number {
  const seen = colours.map((colour) => lab(times(vision, linear(colour))));
  const pairs = seen.flatMap((a, i) =>
    seen.slice(i + 1).map((b) => Math.hypot(...a.map((v, k) => v - b[k]!))),
  );
  return Math.min(...pairs);
}

describe("colours", () => {
  it.each(Object.entries(VISION))("differ for %s vision", (_, vision) => {
    // 2.3 is the least difference that is seen at all.
    expect(closest(PALETTE, vision)).toBeGreaterThan(15);
    expect(closest(Object.values(SCHEME_COLOURS), vision)).toBeGreaterThan(10);
  });

  it("stand out from paper", () => {
    const luminance = (hex: string): number => times(TO_XYZ, linear(hex))[1];
    for (const colour of [...PALETTE, ...Object.values(SCHEME_COLOURS)])
      expect(1.05 / (luminance(colour) + 0.05)).toBeGreaterThan(2.2);
  });

  it("of quantities get darker by even steps, also in grey", () => {
    const lightness = SEQUENTIAL.map(([, colour]) => lab(linear(colour))[0]);
    for (const [i, value] of lightness.slice(1).entries()) expect(lightness[i]! - value).toBeGreaterThan(10);
  });
});

describe("what tells things apart without colour", () => {
  it("differs between lines that follow each other, and repeats late", () => {
    const lines = Array.from({ length: 56 }, (_, i) => line(i));
    lines.slice(1).forEach((next, i) => {
      expect(next.dash).not.toBe(lines[i]!.dash);
    });
    expect(new Set(lines.map(({ color, dash }) => `${color} ${dash}`)).size).toBe(56);
    expect(new Set(DASHES).size).toBe(DASHES.length);
    expect(new Set(SYMBOLS).size).toBe(SYMBOLS.length);
  });

  it("differs between schemes: the pattern, or black beside a colour", () => {
    const looks = (Object.keys(SCHEME_COLOURS) as SchemeName[]).map((scheme) => {
      const { color, pattern } = schemeFill(scheme) as { color: string; pattern: { shape: string } };
      return `${pattern.shape}${color === "#000000" ? "black" : ""}`;
    });
    expect(new Set(looks).size).toBe(looks.length);
  });
});
