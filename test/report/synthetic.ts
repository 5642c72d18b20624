import type { QuantizedNode } from "../../sdk/generate/quantizedModel.js";
import type { Report } from "../../sdk/report/contents.js";
import { schemes } from "../../sdk/staircase/schemes.js";
import type { Candidate } from "../../sdk/train/policy.js";
import type { History, LearnRun, SearchRun, TuneRun } from "../../sdk/train/run.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";

/** A pseudo-random number in (0, 1) for every call. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
}

const LAYERS = [
  "stem",
  "stage1/conv1",
  "stage1/conv2",
  "stage2/conv1",
  "stage2/conv2",
  "stage2/skip",
  "predictions",
];
const CANDIDATES: readonly Candidate[] = (
  ["clip", "zoom", "ternary", "pot", "residual", "quaternary", "fixed"] as const
)
  .map((scheme): Candidate => ({ scheme, bits: 2 }))
  .concat({ scheme: "binary", bits: 1 });

/** Stage values as three short stages would leave them, of a made-up network of `repeat` times seven layers. */
export function synthetic({ repeat = 1, steps = 300 } = {}): Report {
  const draw = random(3);
  const normal = (): number => Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
  const layers = Array.from({ length: repeat }, (_, i) =>
    LAYERS.map((l) => (i === 0 ? l : `${l}${i}`)),
  ).flat();
  const ids = layers.flatMap((layer, i) =>
    i === 0 ? [`${layer}/kernel`] : [`${layer}/kernel`, `${layer}/input`],
  );
  const weights = Object.fromEntries(
    layers.map((layer, i) => [
      `${layer}/kernel`,
      Float32Array.from({ length: 500 * (i + 1) }, () => 0.1 * normal()),
    ]),
  );
  const learned = Object.fromEntries(ids.map((id) => [id, 1.2 + 2.5 * draw()]));
  const nodes = ids.map((id): QuantizedNode => {
    const kind = id.endsWith("input") ? "input" : "weight";
    const bits = Math.round(learned[id]!);
    const scheme = bits === 1 ? "binary" : kind === "input" || bits > 2 ? "clip" : "ternary";
    const values = weights[id] ?? Float32Array.from({ length: 1000 }, () => Math.max(0, normal()));
    const staircase =
      kind === "input"
        ? schemes.clip.fit(values, bits, { signed: false })
        : schemes[scheme].fit(values, bits);
    const layer = id.slice(0, id.lastIndexOf("/"));
    const shown = kind === "input" ? "clip" : scheme;
    return {
      id,
      kind,
      layer,
      shape: [values.length],
      elements: values.length,
      scheme: shown,
      bits,
      staircase,
    };
  });
  const assignment = Object.fromEntries(nodes.map(({ id, scheme, bits }) => [id, { scheme, bits }]));
  const snapshot: Snapshot = {
    variables: Object.fromEntries(
      Object.entries(weights).map(([id, data]) => [id, { shape: [data.length], dtype: "float32", data }]),
    ),
    statistics: {},
    scales: {},
    signed: {},
  };
  const history = (from: number, to: number, traces: History["traces"] = {}): History => ({
    steps,
    loss: Float32Array.from(
      { length: steps },
      (_, i) => to + (from - to) * Math.exp((-4 * i) / steps) + 0.05 * normal(),
    ),
    accuracy: Float32Array.from(
      { length: steps },
      (_, i) => 0.88 - 0.3 * from * Math.exp((-4 * i) / steps) + 0.03 * normal(),
    ),
    traces,
    seconds: 12,
  });
  const width = CANDIDATES.length;
  const goals = ids.map(() => CANDIDATES.map(() => 2 * normal()));
  const theta = Float32Array.from({ length: steps * ids.length * width }, (_, i) => {
    const step = Math.floor(i / (ids.length * width));
    return goals[Math.floor(i / width) % ids.length]![i % width]! * (step / steps) ** 0.7;
  });
  const bits = Float32Array.from({ length: steps * ids.length }, (_, i) => {
    const share = Math.floor(i / ids.length) / steps;
    return 3 + (learned[ids[i % ids.length]!]! - 3) * (1 - Math.exp(-5 * share));
  });
  const rest = { seed: 7, options: { epochs: 1 }, assignment, snapshot, health: [] } as const;
  const search: SearchRun = {
    ...{ kind: "search", ...rest, nodes: ids, validation: { loss: 0.42, accuracy: 0.851, count: 5000 } },
    candidates: Object.fromEntries(ids.map((id) => [id, CANDIDATES])),
    trials: [
      { name: "searched", validation: { loss: 0.42, accuracy: 0.851, count: 5000 } },
      { name: "control", validation: { loss: 0.44, accuracy: 0.846, count: 5000 } },
    ],
    chosen: "searched",
    theta: Object.fromEntries(
      ids.map((id, i) => [id, theta.slice((ids.length * (steps - 1) + i) * width).slice(0, width)]),
    ),
    history: history(1.4, 0.45, { theta: { row: [ids.length, width], data: theta } }),
  };
  const arm = (name: "control" | "gamma 1" | "gamma 2", loss: number) => ({
    ...{ name, bits: learned, ties: name === "control" ? ["stem/kernel"] : [], proven: true },
    validation: { loss, accuracy: 1.24 - loss, count: 5000 },
  });
  const learn: LearnRun = {
    ...{ kind: "learn", ...rest, nodes: ids, learned, parent: search, chosen: "gamma 2" },
    arms: [arm("gamma 2", 0.359), arm("gamma 1", 0.368), arm("control", 0.371)],
    validation: { loss: 0.359, accuracy: 0.874, count: 5000 },
    history: history(0.7, 0.36, { bits: { row: [ids.length], data: bits } }),
  };
  const tune: TuneRun = {
    ...{ kind: "tune", ...rest, parent: learn, validation: { loss: 0.31, accuracy: 0.889, count: 5000 } },
    history: history(0.5, 0.29),
  };
  const elements = nodes.reduce((sum, node) => sum + (node.kind === "weight" ? node.elements : 0), 0);
  const inputs = nodes.filter(({ kind }) => kind === "input");
  return {
    title: "ResNet8 <on> Fashion-MNIST & more",
    notes: ["Made-up numbers, to look at the report."],
    floating: { loss: 0.271, accuracy: 0.9052, count: 10000 },
    quantized: { loss: 0.324, accuracy: 0.8871, count: 10000 },
    runs: [search, learn, tune],
    sensitivity: nodes.map(({ id, scheme, bits }) => ({
      ...{ node: id, scheme, bits },
      up: { loss: -0.01 * draw(), error: 0.001 },
      ...(bits > 1 && { down: { loss: 0.1 * draw(), error: 0.002 } }),
    })),
    errors: [
      ...inputs.map(({ id }) => ({ node: id, rounding: 0.2 * draw(), arriving: 0.4 * draw() })),
      { node: "output", arriving: 0.25 },
    ],
    confusion: {
      classes: ["T-shirt", "Trouser", "Bag"],
      counts: [
        [90, 3, 7],
        [2, 95, 3],
        [0, 1, 99],
      ],
    },
    model: {
      nodes,
      leftAlone: [
        {
          id: "stem/input",
          kind: "input",
          layer: "stem",
          shape: [28, 28, 1],
          reason: "model input: already 8-bit data",
        },
      ],
      batchNormalizations: [
        { layer: "stem/bn", into: "stem" },
        { layer: "head/bn", reason: "it follows the model's input" },
      ],
      sizes: {
        ...{ packedBytes: Math.ceil(elements / 4), floatingBytes: 2400, fp32Bytes: 4 * elements + 2400 },
        ...{
          averageBits: { weights: 2, activations: 1.98 },
          memoryBytes: { peak: 41000, sum: 90000 },
          bitOperations: 12.5e6,
          macs: 3.1e6,
          fp32: { memoryBytes: { peak: 410000, sum: 900000 }, bitOperations: 3.2e9 },
        },
      },
      provenance: { library: "0.1.0", seed: 7, stages: [] },
    },
  };
}
