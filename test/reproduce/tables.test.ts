import { describe, expect, test } from "vitest";
import { type Experiment, FLOATING, type Outcome } from "../../reproduce/experiment.js";
import { methodOf } from "../../reproduce/methods/index.js";
import { NAMES, withoutScheme } from "../../reproduce/methods/names.js";
import { PUBLISHED } from "../../reproduce/published.js";
import { chosen } from "../../reproduce/tables/chosen.js";
import { claims } from "../../reproduce/tables/claims.js";
import { cost } from "../../reproduce/tables/cost.js";
import { differencesFigure } from "../../reproduce/tables/differencesFigure.js";
import { EXPERIMENTS } from "../../reproduce/tables/index.js";
import { precision } from "../../reproduce/tables/precision.js";
import { schemes } from "../../reproduce/tables/schemes.js";
import { schemes as ALL } from "../../sdk/index.js";
import type { Cell, Table } from "../../sdk/table.js";
import { foundOf, nodesFor, SCALE, scored } from "./outcomes.js";

/** Cells of the row whose first cells are these, by title. */
function rowOf({ header, cells }: Table, ...first: readonly Cell[]): Record<string, Cell> {
  const row = cells.find((own) => first.every((value, i) => own[i] === value));
  expect(row, `a row of ${first.join(", ")}`).toBeDefined();
  return Object.fromEntries(header.map((title, i) => [title, row![i]]));
}

/** An accuracy for a network, a method and a seed that no other has: in ten thousandths. */
function accuracyOf({ network, method, bits, seed }: Pick<Outcome, "network" | "method" | "bits" | "seed">) {
  const text = `${network}|${method}|${bits}`;
  const mixed = [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1009, 7);
  return (8000 + mixed + (((mixed + 1) * (seed + 3)) % 37)) / 10_000;
}

describe.each(EXPERIMENTS.map((experiment) => [experiment.name, experiment] as const))("%s", (_, own) => {
  const requests = own.requests(SCALE);

  test("asks for every network with every seed, and for nothing twice", () => {
    const keys = requests.map((request) => JSON.stringify(request));
    expect(new Set(keys).size).toBe(keys.length);
    expect(requests.length % SCALE.seeds.length).toBe(0);
    expect(new Set(requests.map(({ network }) => network))).toEqual(new Set(SCALE.networks));
    expect(own.title(SCALE)).toMatch(new RegExp(`^Table ${own.number}\\..*${SCALE.title}$`));
  });

  test("asks for methods that there are", () => {
    for (const { method } of requests) if (method !== FLOATING) expect(methodOf(method).name).toBe(method);
  });

  test("shows a dash for what is missing, and counts it", () => {
    const { tables, notes, figures } = own.render(
      SCALE,
      foundOf(own, SCALE, () => undefined),
    );
    const numbers = tables
      .filter(({ caption }) => !caption.startsWith("What papers report"))
      .flatMap(({ table }) => table.cells.flat())
      .filter((cell) => typeof cell !== "string");
    expect(numbers.every((cell) => [...SCALE.bits, 32].includes(cell as number))).toBe(true);
    expect(figures).toEqual([]);
    expect(notes.join("\n")).toContain(
      `${requests.length} of ${requests.length} networks are not trained yet`,
    );
    expect(notes.join("\n")).not.toMatch(/lead|NaN|undefined/);

    const gone = requests[1]!;
    const partly = own.render(
      SCALE,
      foundOf(own, SCALE, (request) =>
        JSON.stringify(request) === JSON.stringify(gone)
          ? undefined
          : { ...scored(accuracyOf(request)), nodes: nodesFor(request.seed) },
      ),
    );
    expect(partly.notes.join("\n")).toContain(`1 of ${requests.length} networks is not trained yet`);
    const whole = own.render(
      SCALE,
      foundOf(own, SCALE, (request) => scored(accuracyOf(request))),
    );
    expect(whole.notes.join("\n")).not.toContain("trained yet");
  });

  test("draws figures whose numbers have axes with titles", () => {
    const { figures } = own.render(
      SCALE,
      foundOf(own, SCALE, (request) => ({
        ...scored(accuracyOf(request)),
        ...{ nodes: nodesFor(request.seed), memoryBytes: 30_000, peakMegabytes: 900 },
      })),
    );
    expect(figures.length).toBeGreaterThanOrEqual(SCALE.networks.length);
    expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
    for (const { figure, name } of figures) {
      const axes = Object.entries(figure.layout).filter(([key]) => /^[xy]axis/.test(key));
      for (const [key, value] of axes) {
        const { title, type } = value as { title: { text: string }; type?: string };
        if (type !== "category") expect(title.text, `${name} ${key}`).not.toBe("");
      }
    }
  });
});

test("means and deviations are those of the seeds", () => {
  const found = foundOf(schemes, SCALE, (request) => scored(accuracyOf(request)));
  const { tables } = schemes.render(SCALE, found);
  for (const [index, network] of SCALE.networks.entries()) {
    for (const method of [NAMES.search, NAMES.modelSearch, withoutScheme("pot")]) {
      const values = SCALE.seeds.map(
        (seed) => 100 * found.of({ network, method, bits: 2, seed })!.test.accuracy,
      );
      // The variance as the mean of half the squared differences of all pairs.
      const squares = values.flatMap((a, i) => values.slice(i + 1).map((b) => (a - b) ** 2));
      const row = rowOf(tables[index]!.table, method);
      expect(row["test accuracy (%)"]).toBeCloseTo((values[0]! + values[1]! + values[2]!) / 3, 9);
      expect(row["deviation (points)"]).toBeCloseTo(Math.sqrt(squares.reduce((a, b) => a + b) / 6), 9);
      expect(row.seeds).toBe("3 of 3");
    }
  }
});

test("differences are paired by seed, with Student's interval", () => {
  // Seeds differ by whole points, methods by 0.1, 0.2 and 0.3: the spread of seeds must not widen the interval.
  const found = foundOf(schemes, SCALE, ({ method, seed }) =>
    scored(0.8 + seed / 100 - (method === NAMES.search ? 0 : (seed + 1) / 1000)),
  );
  const row = rowOf(schemes.render(SCALE, found).tables[0]!.table, NAMES.modelSearch);
  expect(row[`difference to ${NAMES.search} (points)`]).toBeCloseTo(-0.2, 9);
  // t of 95 % with 2 degrees of freedom, of a deviation of 0.1 over 3 seeds.
  expect(row["high (95 %)"]).toBeCloseTo(-0.2 + (4.302653 * 0.1) / Math.sqrt(3), 5);
  expect(row["low (95 %)"]).toBeCloseTo(-0.2 - (4.302653 * 0.1) / Math.sqrt(3), 5);
});

test("a seed that only one of two methods has does not count as a difference", () => {
  const found = foundOf(schemes, SCALE, ({ method, seed }) =>
    method === NAMES.search && seed === 2 ? undefined : scored(seed === 2 ? 0.1 : 0.8),
  );
  const row = rowOf(schemes.render(SCALE, found).tables[0]!.table, NAMES.uniform);
  expect(row[`difference to ${NAMES.search} (points)`]).toBe(0);
});

describe("says who leads", () => {
  const notesFor = (better: string): string =>
    precision
      .render(
        SCALE,
        foundOf(precision, SCALE, ({ method, seed }) =>
          scored(0.8 + seed / 1000 + (method === better ? 0.01 : 0)),
        ),
      )
      .notes.join("\n");

  test("when it is ours", () => {
    expect(notesFor(NAMES.learn)).toContain(`${NAMES.learn} leads with 81.10 ± 0.10 %`);
    expect(notesFor(NAMES.learn)).not.toContain("does not lead");
  });

  test("when it is not", () => {
    const notes = notesFor(NAMES.uniform);
    expect(notes).toContain(
      `${NAMES.learn} does not lead: ${NAMES.uniform} has 81.10 ± 0.10 %; ours has 80.10 ± 0.10 %`,
    );
    expect(notes).toContain("1.00 points below");
    expect(notes).not.toContain(`${NAMES.learn} leads`);
  });

  test("and that one seed has no interval", () => {
    const one = { ...SCALE, seeds: [0] };
    const { notes, tables } = precision.render(
      one,
      foundOf(precision, one, () => scored(0.8)),
    );
    expect(notes.join("\n")).toContain("(one seed, no interval)");
    expect(rowOf(tables[0]!.table, 2, NAMES.learn)["deviation (points)"]).toBe("-");
  });
});

test("the search is tried without each of the schemes", () => {
  const methods = new Set(schemes.requests(SCALE).map(({ method }) => method));
  for (const name of Object.keys(ALL) as (keyof typeof ALL)[]) {
    expect(methods).toContain(withoutScheme(name));
  }
});

test("parts are left out only where the scale says so, and uniform bits are whole", () => {
  const less = { ...SCALE, ablated: ["resnet14"], bits: [2, 2.5] };
  const networksOf = (experiment: Experiment, method: string): string[] => [
    ...new Set(
      experiment.requests(less).flatMap((request) => (request.method === method ? [request.network] : [])),
    ),
  ];
  expect(networksOf(schemes, withoutScheme("clip"))).toEqual(["resnet14"]);
  expect(networksOf(schemes, NAMES.modelSearch)).toEqual(SCALE.networks);
  expect(networksOf(precision, NAMES.memory)).toEqual(["resnet14"]);
  const uniform = precision.requests(less).filter(({ method }) => method === NAMES.uniform);
  expect(new Set(uniform.map(({ bits }) => bits))).toEqual(new Set([2]));
});

test("costs are relative to the same seed", () => {
  const found = foundOf(cost, SCALE, ({ method, seed }) => ({
    seconds: 10 * (seed + 1) * (method === NAMES.chain ? 1.5 : method === NAMES.lsq ? 0.5 : 1),
    peakMegabytes: method === NAMES.chain ? 1200 : 1000,
    stages: [{ name: "tune", seconds: 4 + seed, stepMilliseconds: 40 }],
  }));
  const { tables, notes } = cost.render(SCALE, found);
  const row = rowOf(tables[0]!.table, NAMES.chain);
  expect(row["time (s)"]).toBeCloseTo(30, 9);
  expect(row["time / floating point"]).toBeCloseTo(1.5, 9);
  expect(row["time / LSQ"]).toBeCloseTo(3, 9);
  expect(row["memory / floating point"]).toBeCloseTo(1.2, 9);
  expect(rowOf(tables[1]!.table, NAMES.chain, "tune")["time (s)"]).toBeCloseTo(5, 9);
  expect(notes.join("\n")).toContain(`${NAMES.chain} takes 1.50 ± 0.00 times as long`);
});

test("the time of a network that went on from a checkpoint is not counted", () => {
  const found = foundOf(cost, SCALE, ({ seed }) => ({
    ...(seed === 0 && { resumed: true }),
    seconds: seed === 0 ? 1 : 10,
    stages: [{ name: "tune", seconds: seed === 0 ? 1 : 8 }],
  }));
  const { tables } = cost.render(SCALE, found);
  expect(rowOf(tables[0]!.table, NAMES.chain)["time (s)"]).toBe(10);
  expect(rowOf(tables[0]!.table, NAMES.chain)["time / floating point"]).toBe(1);
  expect(rowOf(tables[1]!.table, NAMES.chain, "tune")["time (s)"]).toBe(8);
});

test("shows no memory where it is not the network's own, and says why", () => {
  const found = (peakMegabytes?: number) =>
    cost.render(
      SCALE,
      foundOf(cost, SCALE, () => (peakMegabytes === undefined ? {} : { peakMegabytes })),
    );
  const [own, shared] = [found(900), found()];
  expect(rowOf(own.tables[0]!.table, NAMES.chain)["peak memory (MB)"]).toBe(900);
  expect(own.notes.join("\n")).toContain("Memory is the most that the process had");
  expect(rowOf(shared.tables[0]!.table, NAMES.chain)["peak memory (MB)"]).toBe("-");
  expect(shared.notes.join("\n")).toContain("Memory is not shown");
});

test("says when the quickest search is not ours", () => {
  const quickest = (method: string): string =>
    cost
      .render(
        SCALE,
        foundOf(cost, SCALE, (request) => ({ seconds: request.method === method ? 5 : 10 })),
      )
      .notes.join("\n");
  expect(quickest(NAMES.edmips)).toContain(`${NAMES.edmips}, which is not ours, takes least time`);
  expect(quickest(NAMES.learn)).toContain(`${NAMES.learn} takes least time`);
});

test("chosen schemes and bits stand seed by seed; what seeds agree on is counted", () => {
  const found = foundOf(chosen, SCALE, ({ method, seed }) =>
    method === NAMES.search && seed === 1
      ? undefined
      : {
          nodes: nodesFor(method === NAMES.search ? 0 : seed),
          chosen: "searched",
          validation: { loss: 0.3 - 0.1 * seed, accuracy: 0.9, count: 10 },
        },
  );
  const { tables, notes, figures } = chosen.render(SCALE, found);
  const row = rowOf(tables[0]!.table, "dense/kernel");
  expect(row[NAMES.search]).toBe("fixed 2, -, fixed 2");
  expect(row[NAMES.chain]).toBe("fixed 2, clip 3, zoom 4");
  const text = notes.join("\n");
  expect(text).toContain(`${NAMES.search}: 2 seeds agree on the scheme of 12 of 12 nodes`);
  expect(text).toContain(`${NAMES.chain}: 3 seeds agree on the scheme of 6 of 12 nodes`);
  expect(text).toContain("seed 0: searched; seed 2: searched");
  expect(figures.map(({ caption }) => caption).join("\n")).toContain(`${NAMES.chain}: scheme and bitwidth`);
  expect(figures.every(({ caption }) => caption.includes("seed 2"))).toBe(true);
  const counts = tables[1]!.table.cells.filter(([method]) => method === NAMES.chain);
  expect(counts.reduce((sum, [, , weights, inputs]) => sum + Number(weights) + Number(inputs), 0)).toBe(36);
});

test("the published numbers are there, each with its source", () => {
  const of = (method: string, network: string) =>
    PUBLISHED.find((row) => row.method === method && row.network === network);
  expect(of("AutoQNN", "AlexNet")).toMatchObject({ bits: { 2: 59.75 }, floating: 60.01, data: "ImageNet" });
  expect(of("AutoQNN", "ResNet18")).toMatchObject({ bits: { 2: 68.86 }, floating: 69.62 });
  const rows: readonly (readonly [string, readonly number[]])[] = [
    ["PACT", [64.4, 68.1, 69.2]],
    ["LQ-Nets", [64.9, 68.2, 69.3]],
    ["LSQ", [67.6, 70.2, 71.1]],
    ["N2UQ", [69.4, 71.9, 72.9]],
    ["APoT", [66.5, 69.8, 70.7]],
  ];
  for (const [method, values] of rows) expect(Object.values(of(method, "ResNet18")!.bits)).toEqual(values);
  expect(of("APoT", "ResNet20")).toMatchObject({ bits: { 2: 90.96, 3: 92.49, 4: 92.45 }, data: "CIFAR-10" });
  for (const { source, bits } of PUBLISHED) {
    expect(source).toMatch(/arXiv \d{4}\.\d{4,5}/);
    expect(Object.keys(bits).every((width) => [2, 3, 4].includes(Number(width)))).toBe(true);
  }
});

describe("claims", () => {
  const seeds = [0, 1, 2, 3];
  const scale = { ...SCALE, claimSeeds: seeds };
  /** Accuracies of which each method's differ from the control's by the same with every seed, give or take `spread`. */
  const withPoints = (points: Record<string, number>, spread: number) =>
    foundOf(claims, scale, ({ method, seed }) =>
      scored(
        (8000 + 100 * (points[method] ?? 0) + (method === NAMES.learn ? spread * (seed % 2 ? 1 : -1) : 0)) /
          10_000,
      ),
    );
  const rowsOf = (points: Record<string, number>, spread = 0) =>
    claims.render(scale, withPoints(points, spread)).tables[0]!.table;
  const said = `${NAMES.learn} at least 0.3 points above ${NAMES.control}`;

  test("are of more seeds where a scale has more for them", () => {
    const asked = claims.requests(scale);
    expect(new Set(asked.map(({ seed }) => seed))).toEqual(new Set(seeds));
    expect(rowOf(rowsOf({}), said, "resnet8").seeds).toBe("4 of 4");
  });

  test("are shown where the whole interval lies above them, refuted where it lies below, else open", () => {
    expect(rowOf(rowsOf({ [NAMES.learn]: 0.5 }), said, "resnet8").shown).toBe("yes");
    expect(rowOf(rowsOf({ [NAMES.learn]: 0.2 }), said, "resnet8").shown).toBe("no");
    const open = rowOf(rowsOf({ [NAMES.learn]: 0.5 }, 40), said, "resnet14");
    expect(open.shown).toBe("open");
    expect(open["difference (points)"]).toBeCloseTo(0.5, 9);
  });

  test("of a gap are shown where ours is less far below", () => {
    const gap = `${NAMES.chain} at most 1.5 points below ${FLOATING}`;
    expect(rowOf(rowsOf({ [FLOATING]: 1.4 }), gap, "resnet8").shown).toBe("yes");
    expect(rowOf(rowsOf({ [FLOATING]: 1.6 }), gap, "resnet8").shown).toBe("no");
  });

  test("are said in sentences with the networks on which they hold", () => {
    const { notes } = claims.render(scale, withPoints({ [NAMES.learn]: 0.5 }, 0));
    expect(notes.join("\n")).toContain(`${said}: shown on resnet8, resnet14.`);
  });
});

test("a difference far beyond all others is written at the edge of its figure instead of stretching the axis", () => {
  const row = (name: string, mean: number) => ({
    name,
    effect: {
      ...{ axis: "method", from: "ours", to: name, metric: "accuracy", n: 3, confidence: 0.95 },
      ...{ mean, standardError: 0.05, low: mean - 0.2, high: mean + 0.2, warning: null },
    },
  });
  const rows = [row("better", 0.5), row("worse", -0.4), row("level", 0.1), row("collapsed", -20)];
  const { data, layout } = differencesFigure("Methods", "points", rows);
  expect(data.flatMap(({ y }) => y as string[]).toSorted()).toEqual(["better", "level", "worse"]);
  expect(layout.annotations).toMatchObject([{ y: "collapsed", text: "◂ -20.0", x: 0 }]);
  expect(layout.yaxis).toMatchObject({ categoryarray: ["better", "worse", "level", "collapsed"] });
});
