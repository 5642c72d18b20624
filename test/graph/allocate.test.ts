import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { allocate } from "../../sdk/graph/allocate.js";
import { type Budget, type BudgetRow, type Choices, holds, reach, rows } from "../../sdk/graph/budget.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { integerSolver } from "../../sdk/graph/integer.js";
import { residual } from "./models.js";

let graph: QuantizedGraph;
let small: QuantizedGraph;

beforeAll(async () => {
  await tf.setBackend("cpu");
  graph = quantizedGraph(residual());
  const l = tf.layers;
  small = quantizedGraph(
    tf.sequential({
      layers: [
        l.conv2d({ name: "c1", filters: 3, kernelSize: 3, inputShape: [6, 6, 1], activation: "relu" }),
        l.depthwiseConv2d({ name: "c2", kernelSize: 2 }),
        l.flatten({ name: "flat" } as never),
        l.dense({ name: "d", units: 4 }),
      ],
    }),
  );
});

const everywhere = (of: QuantizedGraph, list: readonly number[]): Choices =>
  Object.fromEntries(of.nodes.map(({ id }) => [id, list]));

/** A fixed sequence of numbers in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** All allocations, by counting through them. */
function* all(of: QuantizedGraph, choices: Choices): Generator<Record<string, number>> {
  const ids = of.nodes.map(({ id }) => id);
  const total = ids.reduce((n, id) => n * choices[id]!.length, 1);
  for (let code = 0; code < total; code++) {
    const bits: Record<string, number> = {};
    let rest = code;
    for (const id of ids) {
      const list = choices[id]!;
      bits[id] = list[rest % list.length]!;
      rest = Math.floor(rest / list.length);
    }
    yield bits;
  }
}

const objective = (target: Record<string, number>, gamma: number, bits: Record<string, number>): number =>
  Object.entries(bits).reduce((sum, [id, k]) => sum + 4 ** (gamma * target[id]! - k), 0);

const budgets: readonly [string, Budget][] = [
  ["average bits", { averageBits: 2 }],
  ["average bits of weights", { averageBits: { weights: 1.7 } }],
  ["model size in bytes", { modelSize: 130 }],
  ["model size as a factor", { modelSize: "12x" }],
  ["memory", { memory: "3x" }],
  ["bit operations", { bitOperations: "50x" }],
  [
    "several at once",
    { averageBits: { activations: 2.3 }, modelSize: "14x", memory: "2.5x", bitOperations: "60x" },
  ],
];

describe("allocate", () => {
  it.each(budgets)("finds what trying all allocations finds: %s", async (_, budget) => {
    const draw = numbers(3);
    for (const gamma of [1, 2]) {
      const target = Object.fromEntries(small.nodes.map(({ id }) => [id, 1 + 3 * draw()]));
      const choices = everywhere(small, [1, 2, 3, 4]);
      const limits = rows(budget, small);
      const {
        bits,
        objective: reached,
        ties,
      } = await allocate({ graph: small, choices, target, gamma, budget });
      const best = Math.min(
        ...[...all(small, choices)]
          .filter((point) => limits.every((row) => holds(row, point)))
          .map((point) => objective(target, gamma, point)),
      );
      expect(limits.every((row) => holds(row, bits))).toBe(true);
      expect(reached).toBeCloseTo(objective(target, gamma, bits), 9);
      expect(reached / best).toBeLessThan(1 + 1e-6);
      expect(ties).toEqual([]);
    }
  });

  it("breaks ties in the order of the graph, and names them", async () => {
    const choices = everywhere(small, [1, 2, 3]);
    const target = Object.fromEntries(small.nodes.map(({ id }) => [id, 0]));
    for (const [, budget] of budgets) {
      const limits = rows(budget, small);
      const { bits, ties } = await allocate({ graph: small, choices, target, gamma: 1, budget });
      const feasible = [...all(small, choices)].filter((point) => limits.every((row) => holds(row, point)));
      const best = Math.min(...feasible.map((point) => objective(target, 1, point)));
      const optima = feasible.filter((point) => objective(target, 1, point) < best * (1 + 1e-9));
      const inOrder = (point: Record<string, number>): string =>
        small.nodes.map(({ id }) => point[id]).join("");
      const first = optima.reduce((a, b) => (inOrder(b) > inOrder(a) ? b : a));
      expect(bits).toEqual(first);

      const open: string[] = [];
      let left = optima;
      for (const { id } of small.nodes) {
        if (new Set(left.map((point) => point[id])).size > 1) open.push(id);
        left = left.filter((point) => point[id] === first[id]);
      }
      expect(ties).toEqual(open);
    }
  });

  it("agrees with a dynamic program for one budget on a residual network", async () => {
    const draw = numbers(11);
    for (const [gamma, list] of [
      [1, [1, 2, 3, 4, 5, 6, 7, 8]],
      [2, [1, 2, 3, 4]],
    ] as const) {
      const target = Object.fromEntries(graph.nodes.map(({ id }) => [id, 1 + 4 * draw()]));
      const budget = { averageBits: { weights: 2 } };
      const { bits } = await allocate({ graph, choices: everywhere(graph, list), target, gamma, budget });
      const weights = graph.nodes.filter(({ kind }) => kind === "weight");
      const limit = 2 * weights.reduce((sum, { elements }) => sum + elements, 0);
      const own = Object.fromEntries(weights.map(({ id }) => [id, bits[id]!]));
      const best = knapsack(weights, list, limit, (id, k) => 4 ** (gamma * target[id]! - k));
      expect(objective(target, gamma, own) / best).toBeLessThan(1 + 1e-6);
      for (const { id, kind } of graph.nodes) if (kind === "input") expect(bits[id]).toBe(list.at(-1));
    }
  });

  it("keeps the order of magnitude apart: targets from -8 to 8 at gamma 2", async () => {
    const target = Object.fromEntries(
      small.nodes.map(({ id }, i) => [id, -8 + (16 * i) / (small.nodes.length - 1)]),
    );
    const choices = everywhere(small, [1, 2, 3, 4]);
    const budget = { averageBits: 2 };
    const limits = rows(budget, small);
    const { bits } = await allocate({ graph: small, choices, target, gamma: 2, budget });
    const best = Math.min(
      ...[...all(small, choices)]
        .filter((point) => limits.every((row) => holds(row, point)))
        .map((point) => objective(target, 2, point)),
    );
    expect(objective(target, 2, bits) / best).toBeLessThan(1 + 1e-6);
  });

  it("gives every node its most bits where the budget allows, and twice the same", async () => {
    const target = Object.fromEntries(graph.nodes.map(({ id }) => [id, 2]));
    const choices = everywhere(graph, [1, 2, 3]);
    const budget = { averageBits: 3 };
    const { bits } = await allocate({ graph, choices, target, gamma: 1, budget });
    expect(new Set(Object.values(bits))).toEqual(new Set([3]));
    const tight = {
      graph,
      choices,
      target,
      gamma: 1,
      budget: { averageBits: 2, bitOperations: "90x" as const },
    };
    expect(await allocate(tight)).toEqual(await allocate(tight));
  });
});

it("allocates 200 weights whose bitwidths were hardly learned, as a dynamic program does, in seconds", async () => {
  const draw = numbers(5);
  const sizes = Array.from({ length: 30 }, () => 1 + Math.floor(60 * draw()));
  const first = small.nodes.find(({ kind }) => kind === "weight")!;
  const weights = Array.from({ length: 200 }, (_, i) => {
    return { ...first, id: `w${i}`, elements: sizes[Math.floor(30 * draw())]! };
  });
  const many: QuantizedGraph = { ...small, nodes: weights, calls: [] };
  const list = [2, 3, 4, 5, 6];
  const target = Object.fromEntries(weights.map(({ id }) => [id, draw() < 0.5 ? 2.99 : 3.01]));
  const begun = process.cpuUsage();
  const { bits, ties } = await allocate({
    ...{ graph: many, choices: everywhere(many, list), target, gamma: 1 },
    budget: { averageBits: { weights: 4 } },
  });
  // Microseconds. A program over all nodes and bitwidths for every node takes minutes.
  expect(process.cpuUsage(begun).user).toBeLessThan(10e6);
  const limit = 4 * weights.reduce((sum, { elements }) => sum + elements, 0);
  const best = knapsack(weights, list, limit, (id, k) => 4 ** (target[id]! - k));
  expect(objective(target, 1, bits) / best).toBeLessThan(1 + 1e-6);
  expect(ties.length).toBeGreaterThan(0);
}, 60_000);

it("shares bit operations out among 40 layers as a dynamic program does", async () => {
  const draw = numbers(9);
  const layers = Array.from({ length: 40 }, () => {
    return tf.layers.dense({ units: 2 + Math.floor(30 * draw()), inputShape: [16] });
  });
  const chain = quantizedGraph(tf.sequential({ layers }));
  const list = [1, 2, 3, 4, 5];
  for (const drawn of [false, true]) {
    const target = Object.fromEntries(chain.nodes.map(({ id }) => [id, drawn ? 1 + 3 * draw() : 0]));
    const budget = { bitOperations: "150x" } as const;
    const asked = { graph: chain, choices: everywhere(chain, list), target, gamma: 1, budget };
    const { bits, proven } = await allocate(asked);
    expect(proven).toBe(true);
    const [row] = rows(budget, chain) as [BudgetRow];
    expect(holds(row, bits)).toBe(true);

    // The least cost of each product of bits at a layer, then one layer after the other.
    let least = new Float64Array(Math.floor(row.limit - row.constant) + 1);
    const error = (id: string, k: number) => 4 ** (target[id]! - k);
    const parts = [
      ...row.terms.map(({ node, coefficient }) => {
        return { coefficient, best: new Map(list.map((k) => [k, error(node, k)])) };
      }),
      ...row.products.map(({ weight, input, coefficient }) => {
        const best = new Map<number, number>();
        for (const w of list) {
          for (const i of list) {
            const least = best.get(w * i) ?? Number.POSITIVE_INFINITY;
            best.set(w * i, Math.min(least, error(weight, w) + error(input, i)));
          }
        }
        return { coefficient, best };
      }),
    ];
    for (const { coefficient, best } of parts) {
      const next = new Float64Array(least.length).fill(Number.POSITIVE_INFINITY);
      for (const [product, cost] of best) {
        for (let used = coefficient * product; used < least.length; used++)
          next[used] = Math.min(next[used]!, least[used - coefficient * product]! + cost);
      }
      least = next;
    }
    expect(objective(target, 1, bits) / least.at(-1)!).toBeLessThan(1 + 1e-6);
  }
}, 60_000);

it("breaks a search off that would take hours, and says so", async () => {
  const { solve } = await integerSolver();
  const draw = numbers(3);
  // A market split (Cornuejols and Dawande, 1998): which of 40 customers make half of the sales of each of 5 products?
  const customers = Array.from({ length: 40 }, (_, i) => `c${i}`);
  const split = Array.from({ length: 5 }, (_, product) => {
    const sales = customers.map((name) => [name, Math.floor(100 * draw())] as const);
    const half = Math.floor(sales.reduce((sum, [, value]) => sum + value, 0) / 2);
    const missing = [
      [`over${product}`, -1],
      [`under${product}`, 1],
    ] as const;
    return { entries: [...sales, ...missing], sense: "=" as const, limit: half };
  });
  const objective = split.flatMap((_, i) => [[`over${i}`, 1] as const, [`under${i}`, 1] as const]);
  const found = solve({ objective, rows: split, binary: customers });
  expect(found.proven).toBe(false);
  expect(found.chosen!.size).toBeGreaterThan(0);
}, 120_000);

it("allocate refuses a node without a target by name", async () => {
  const target = Object.fromEntries(small.nodes.slice(1).map(({ id }) => [id, 2]));
  const choices = everywhere(small, [1, 2]);
  const refused = allocate({ graph: small, choices, target, gamma: 1, budget: { averageBits: 2 } });
  await expect(refused).rejects.toThrow(/received undefined at "c1\/kernel"/);
});

describe("reach", () => {
  it("refuses what cannot be reached with the least value, what binds, and a budget that can", () => {
    const choices = everywhere(graph, [2, 3]);
    const budget: Budget = {
      averageBits: { weights: 1.5 },
      modelSize: 100,
      bitOperations: "200x",
      memory: "12x",
    };
    const message = (() => {
      try {
        reach(budget, graph, choices);
        return "";
      } catch (error) {
        expect(error).toMatchObject({ name: "AutoqnnError", code: "infeasible-budget" });
        return (error as Error).message;
      }
    })();
    expect(message).toContain('"b2/kernel"');
    const nearest = /nearest feasible budget: (.*?)\. /.exec(message)![1]!;
    const value = (option: string): number => Number(new RegExp(`${option} ([\\d.]+)`).exec(nearest)![1]);
    const next = {
      averageBits: { weights: value("averageBits of weights") },
      modelSize: value("modelSize"),
      memory: value("memory"),
      bitOperations: value("bitOperations"),
    };
    expect(next.averageBits.weights).toBe(2);
    const found = reach(next, graph, choices);
    expect(found.length).toBeGreaterThan(2);
    for (const { least, limit, most } of found) {
      expect(least).toBeLessThanOrEqual(limit * (1 + 1e-9));
      expect(most).toBeGreaterThanOrEqual(least);
    }
    expect(() => reach({ ...next, modelSize: next.modelSize * 0.99 }, graph, choices)).toThrow(/modelSize/);
  });

  it("refuses limits and choices that are none", () => {
    const choices = everywhere(graph, [1, 2]);
    for (const budget of [
      {},
      { averageBits: 0 },
      { modelSize: "x16" },
      { memory: Number.NaN },
      { averageBits: "2x" },
    ]) {
      expect(() => reach(budget as Budget, graph, choices)).toThrow(
        expect.objectContaining({ code: "bad-option" }),
      );
    }
    expect(() => reach({ averageBits: 2 }, graph, { ...choices, "stem/kernel": [3, 1] })).toThrow(
      /stem\/kernel/,
    );
    expect(() => reach({ averageBits: 2 }, graph, {})).toThrow(/at least one bitwidth/);
  });
});

/** min sum cost under sum elements * k <= limit, by table over the cost used. */
function knapsack(
  items: readonly { id: string; elements: number }[],
  list: readonly number[],
  limit: number,
  cost: (id: string, k: number) => number,
): number {
  let best = new Float64Array(limit + 1);
  for (const { id, elements } of items) {
    const next = new Float64Array(limit + 1).fill(Number.POSITIVE_INFINITY);
    for (let used = 0; used <= limit; used++) {
      for (const k of list) {
        const before = used - elements * k;
        if (before >= 0) next[used] = Math.min(next[used]!, best[before]! + cost(id, k));
      }
    }
    best = next;
  }
  return best[limit]!;
}
