import { describe, expect, it } from "vitest";
import { frontier, undominated } from "../../sdk/report/frontier.js";

const rows = [1, 2, 3].flatMap((seed) => [
  { name: "small", accuracy: 0.8 + seed / 100, bytes: 10_000, seed },
  { name: "wasteful", accuracy: 0.81 + seed / 1000, bytes: 15_000, seed },
  { name: "large", accuracy: 0.9, bytes: 40_000 + 100 * seed, seed },
]);
interface Drawn {
  readonly name: string;
  readonly mode: string;
  readonly x: number[];
  readonly y: number[];
  readonly showlegend?: boolean;
  readonly error_y?: { readonly array: number[] };
}
const drawn = (figure: { readonly data: readonly unknown[] }): Drawn[] => figure.data as Drawn[];

describe("frontier", () => {
  it("joins the means that no other beats", () => {
    const [line] = drawn(frontier(rows));
    expect(line!.x).toEqual([10, 40.2]);
    expect(line!.y[0]).toBeCloseTo(82, 9);
    expect(line!.y[1]).toBeCloseTo(90, 9);
  });

  it("draws every run, and the mean of a name with its standard deviation", () => {
    const small = drawn(frontier(rows)).filter(({ name }) => name === "small");
    const [single, mean] = small;
    expect(single!.y.map(Math.round)).toEqual([81, 82, 83]);
    expect(mean!.error_y!.array[0]).toBeCloseTo(1, 9);
    expect(small.filter(({ showlegend }) => showlegend !== false).length).toBe(1);
  });

  it("draws the floating-point network where it is given", () => {
    const start = drawn(frontier(rows, { accuracy: 0.93, bytes: 312_000 })).at(-1)!;
    expect([start.name, start.x, start.y]).toEqual(["FP32", [312], [93]]);
  });

  it.each([
    ["lie between two powers", [6072, 8664], ["6.5", "7", "7.5", "8", "8.5"]],
    ["reach over some powers", [900, 120_000], ["1", "2", "5", "10", "20", "50", "100"]],
    ["hardly differ", [6072, 6073], ["6.072", "6.073"]],
  ])("names sizes on its axis where they %s", (_, sizes, names) => {
    const { layout } = frontier(sizes.map((bytes, i) => ({ name: `row ${i}`, accuracy: 0.5, bytes })));
    expect((layout.xaxis as { ticktext: string[] }).ticktext).toEqual(names);
  });

  it("refuses runs that have no result", () => {
    expect(() => frontier([])).toThrow(/received none/);
    expect(() => frontier([{ name: "failed", accuracy: Number.NaN, bytes: 1 }])).toThrow(/failed/);
  });
});

describe("undominated", () => {
  it("keeps equals, and leaves out whatever another beats", () => {
    const points = [
      { accuracy: 1, kilobytes: 2 },
      { accuracy: 1, kilobytes: 2 },
      { accuracy: 1, kilobytes: 3 },
      { accuracy: 0.5, kilobytes: 2 },
      { accuracy: 0.2, kilobytes: 1 },
    ];
    expect(undominated(points)).toEqual([points[0], points[1], points[4]]);
  });
});
