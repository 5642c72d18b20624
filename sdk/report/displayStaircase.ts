import type { MimeBundle } from "../display.js";
import type { Staircase } from "../staircase/staircase.js";
import { asHtml, asText, table } from "../table.js";
import { svg } from "./displayCharts.js";

const WIDTH = 320;
const HEIGHT = 200;
const MARGIN = 46;
const TOP = 22;

/** More steps than these are drawn, and not listed. */
const LISTED = 16;

/** Whether `value` is a staircase. */
export function isStaircase(value: object): boolean {
  const { thresholds, levels, apply, codes } = value as Partial<Staircase>;
  return (
    thresholds instanceof Float32Array &&
    levels instanceof Float32Array &&
    typeof apply === "function" &&
    typeof codes === "function"
  );
}

/** The steps drawn, and a table of the thresholds and levels. */
export function staircaseBundle(staircase: Staircase): MimeBundle {
  const { thresholds, levels, clip } = staircase;
  const bounds = (code: number): string =>
    `${code === 0 ? "−∞" : short(thresholds[code - 1]!)} < x ≤ ${code === thresholds.length ? "∞" : short(thresholds[code]!)}`;
  const listed = Array.from({ length: Math.min(LISTED, levels.length) }, (_, code) => code);
  const shown = table(listed, [
    { title: "code", value: (code) => code },
    { title: "for x in", value: bounds },
    { title: "Q(x)", value: (code) => short(levels[code]!) },
  ]);
  const notes = [
    ...(levels.length > LISTED ? [`the first ${LISTED} of ${levels.length} levels`] : []),
    ...(clip ? [`the gradient passes for ${short(clip.lower)} ≤ x ≤ ${short(clip.upper)}`] : []),
  ];
  const title = `Staircase of ${levels.length} level${levels.length === 1 ? "" : "s"}`;
  return {
    "text/plain": [title, asText(shown), ...notes].join("\n"),
    "text/html": `<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">${drawing(staircase, title)}<div>${asHtml(shown)}${notes.map((note) => `<p>${note}</p>`).join("")}</div></div>`,
  };
}

/** Q(x) over x, half as far again as the thresholds and levels reach. */
function drawing({ thresholds, levels }: Staircase, title: string): string {
  const reach = [...thresholds, ...levels];
  const [least, most] = [Math.min(...reach), Math.max(...reach)];
  const margin = (most - least) * 0.25 || Math.abs(most) || 1;
  const [left, right] = [least - margin, most + margin];
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  const rise = high - low || 1;
  const x = (value: number): string =>
    (MARGIN + ((value - left) / (right - left)) * (WIDTH - MARGIN - 8)).toFixed(1);
  const y = (value: number): string =>
    (HEIGHT - MARGIN - ((value - low) / rise) * (HEIGHT - MARGIN - TOP)).toFixed(1);
  const steps = Array.from(levels, (level, code) => {
    const next = code < thresholds.length ? thresholds[code]! : right;
    return `${code === 0 ? `M${x(left)} ` : "V"}${y(level)}H${x(next)}`;
  });
  const label = (at: string, text: string): string =>
    `<text ${at} fill="currentColor" font-size="10">${text}</text>`;
  const axes = [
    ...[least, most].map((value) =>
      label(`x="${x(value)}" y="${HEIGHT - 18}" text-anchor="middle"`, short(value)),
    ),
    label(`x="${x((least + most) / 2)}" y="${HEIGHT - 4}" text-anchor="middle"`, "value x"),
    ...[...new Set([low, high])].map((value) =>
      label(`x="${MARGIN - 4}" y="${y(value)}" dy="3" text-anchor="end"`, short(value)),
    ),
    label('x="2" y="9"', "Q(x)"),
  ];
  const zero = (at: string): string => `<path d="${at}" stroke="currentColor" stroke-opacity=".25"/>`;
  const cross = [
    ...(left < 0 && right > 0 ? [zero(`M${x(0)} ${TOP}V${HEIGHT - MARGIN}`)] : []),
    ...(low <= 0 && high >= 0 ? [zero(`M${MARGIN} ${y(0)}H${WIDTH - 8}`)] : []),
  ];
  const curve = `<path d="${steps.join("")}" fill="none" stroke="#0072B2" stroke-width="2"/>`;
  return svg(WIDTH, HEIGHT, title, [...cross, curve, ...axes].join(""));
}

/** Three digits, with a true minus sign. */
function short(value: number): string {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}
