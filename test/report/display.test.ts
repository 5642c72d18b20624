import * as tf from "@tensorflow/tfjs";
import * as dfd from "danfojs-node";
import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { autoqnn } from "../../sdk/autoqnn.js";
import { DISPLAY, type Displayable } from "../../sdk/display.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { bundleOf } from "../../sdk/report/display.js";
import { image } from "../../sdk/report/displayImage.js";
import { lossOverTime } from "../../sdk/report/figures.js";
import { schemes } from "../../sdk/staircase/schemes.js";
import { synthetic } from "./synthetic.js";

const report = synthetic();
const html = async (value: unknown): Promise<string> => String((await bundleOf(value))["text/html"]);
const own = (value: object): Promise<Record<string, unknown>> =>
  Promise.resolve((value as Displayable)[DISPLAY]());
const classifier = (): tf.Sequential =>
  tf.sequential({
    layers: [
      tf.layers.dense({ units: 3, inputShape: [4] }),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });

test("every value has a text, and text alone where it is nothing known", async () => {
  const unknown = { loss: 1, accuracy: 0.5, count: 3, more: true };
  for (const value of [undefined, null, 3, "x", unknown, () => 1, new Map([[1, 2]])])
    expect(Object.keys(await bundleOf(value))).toEqual(["text/plain"]);
});

test("the package's own values show themselves by the method that kernels agree on, and stay plain data", async () => {
  const staircase = schemes.clip.fit([-1, 0, 2], 2);
  const graph = quantizedGraph(classifier());
  for (const value of [staircase, graph, graph.table()]) {
    expect(Object.keys(value)).not.toContain(String(DISPLAY));
    expect(Object.getOwnPropertyDescriptor(value, DISPLAY)?.enumerable).toBe(false);
    expect(await own(value)).toEqual(await bundleOf(value));
    expect(Object.keys(await own(value))).toEqual(["text/plain", "text/html"]);
  }
  expect((await own(graph))["text/html"]).toContain(graph.nodes[0]!.id);
});

test("an object's own way of showing itself goes first", async () => {
  const bundle = { "text/plain": "mine" };
  expect(await bundleOf({ loss: 1, accuracy: 1, count: 1, [DISPLAY]: () => bundle })).toBe(bundle);
});

test("a staircase lists its levels, and draws as many steps", async () => {
  const staircase = schemes.pot.fit([-2, -1, 0.3, 1, 3], 3);
  const shown = await html(staircase);
  expect(shown.match(/<tr>/g)).toHaveLength(1 + staircase.levels.length);
  const path = /<path d="(M[^"]*)" fill="none"/.exec(shown)![1]!;
  expect(path.match(/H/g)).toHaveLength(staircase.levels.length);
  expect(path.match(/V/g)).toHaveLength(staircase.thresholds.length);
  const fine = await html(schemes.clip.fit([-1, 2], 8));
  expect(fine).toContain("the first 16 of 256 levels");
});

test("stage values show how they went, what they decided, and what they compared", async () => {
  const [search, learn, tune] = report.runs;
  const drawn = await html(search);
  expect(drawn).toContain("Scheme search");
  expect(drawn).toContain("accuracy 85.10 %");
  for (const node of report.model.nodes) expect(drawn).toContain(node.id);
  expect(drawn).toContain("p = softmax(theta)");
  expect(drawn).toMatch(/control[\s\S]*kept|kept[\s\S]*control/);
  expect(await html(learn)).toContain("gamma 2");
  expect(await html(learn)).toContain("The real bitwidth b");
  expect(await html(tune)).not.toContain("of every node over time");
});

test("stage values of large networks stay small", async () => {
  const { runs } = synthetic({ repeat: 12 });
  const [search, learn] = runs;
  for (const run of [search, learn]) {
    const drawing = /<svg[\s\S]*<\/svg>/.exec(await html(run))![0];
    expect(drawing.length).toBeLessThan(90_000);
  }
});

test("a stage that learned nothing shows what it decided", async () => {
  const learn = report.runs[1]!;
  const none = new Float32Array(0);
  const history = { steps: 0, loss: none, accuracy: none, traces: {}, seconds: 0 };
  const shown = await html({ ...learn, history });
  expect(shown).toContain("0 steps");
  expect(shown).not.toContain("<svg");
});

test("markup in names stays text", async () => {
  const shown = await html({ "<b>conv</b>/kernel": { scheme: "clip", bits: 2 } });
  expect(shown).toContain("&lt;b&gt;conv&lt;/b&gt;/kernel");
  expect(await html(new dfd.DataFrame({ "<i>": ["<script>"] }))).not.toMatch(/<i>|<script>/);
});

test("scores and assignments are tables", async () => {
  expect(await html({ loss: 0.3, accuracy: 0.9, count: 10000 })).toContain("90.00 ± 0.30");
  const shown = await bundleOf({ "a/kernel": { scheme: "pot", bits: 3 } });
  expect(shown["text/plain"]).toContain("a/kernel  pot        3");
});

test("tensors show type, shape, range and first values, whatever they hold", async () => {
  const shown = await bundleOf(tf.tensor2d([1, 2, 3, Number.NaN], [2, 2]));
  expect(shown["text/plain"]).toContain("Tensor float32 [2, 2]: 1 to 3, mean 2, 1 not finite");
  expect(String(shown["text/html"]).match(/<td/g)).toHaveLength(6);
  expect(await html(tf.zeros([3, 40, 50]))).toContain("[0, …, …], the first 8 × 10 values");
  expect((await bundleOf(tf.zeros([0, 3])))["text/plain"]).toContain("[0, 3], empty");
  const gone = tf.zeros([2]);
  gone.dispose();
  expect((await bundleOf(gone))["text/plain"]).toBe("Tensor float32 [2], disposed");
});

test("data frames and series of danfo are tables of their first rows", async () => {
  const frame = new dfd.DataFrame({ a: Array.from({ length: 12 }, (_, i) => i), b: Array(12).fill("x") });
  const shown = await bundleOf(frame);
  expect(shown["text/plain"]).toContain("a (int32)  b (string)");
  expect(shown["text/plain"]).toContain("the first 10 of 12 rows × 2 columns");
  expect(String(shown["text/html"]).match(/<tr>/g)).toHaveLength(11);
  expect((await bundleOf(new dfd.Series([1.5, 2])))["text/plain"]).toContain("2 rows × 1 column");
});

test("figures go to plotly, with a picture beside them", async () => {
  const figure = lossOverTime(report.runs);
  const bundle = await bundleOf(figure);
  expect(bundle["application/vnd.plotly.v1+json"]).toEqual(figure);
  const { width, height } = PNG.sync.read(Buffer.from(String(bundle["image/png"]), "base64"));
  expect(width / height).toBeCloseTo(900 / (figure.layout.height as number), 1);
  expect(bundle["text/plain"]).toContain("Training through all stages");
}, 30_000);

test("tf models show what tfjs prints of them", async () => {
  const shown = await bundleOf(classifier());
  expect(shown["text/plain"]).toContain("Total params: 23");
});

test("a plan shows the graph that it works on", async () => {
  const plan = autoqnn(classifier());
  const shown = await bundleOf(plan.fineTune({ steps: 1 }));
  expect(shown["text/plain"]).toMatch(/^A plan: nothing is computed before/);
  for (const { id } of plan.graph.nodes) expect(shown["text/html"]).toContain(id);
});

test("pictures have the tensor's pixels", async () => {
  const { png } = image(tf.tensor2d([0, 1, 0.5, 0.2], [2, 2]), { zoom: 3 });
  const { width, height, data } = PNG.sync.read(png);
  expect([width, height]).toEqual([6, 6]);
  const grey = [0, 3].flatMap((y) => [0, 3].map((x) => data[(y * width + x) * 4]));
  expect(grey).toEqual([0, 255, 128, 51]);
  const colour = PNG.sync.read(image(tf.tensor3d([1, 2, 3, 255, 0, 9], [1, 2, 3], "int32"), { zoom: 1 }).png);
  expect([...colour.data]).toEqual([1, 2, 3, 255, 255, 0, 9, 255]);
});

test("several pictures stand in rows, with gaps that are transparent", () => {
  const { png } = image(tf.ones([3, 4, 4, 1]), { columns: 2, zoom: 1 });
  const { width, height, data } = PNG.sync.read(png);
  expect([width, height]).toEqual([10, 10]);
  const opacity = (x: number, y: number): number => data[(y * width + x) * 4 + 3]!;
  expect([opacity(0, 0), opacity(4, 0), opacity(6, 0), opacity(0, 6), opacity(6, 6)]).toEqual([
    255, 0, 255, 255, 0,
  ]);
});

test("what is no picture is refused", () => {
  expect(() => image(tf.zeros([3]))).toThrow(/Expected pictures/);
  expect(() => image(tf.zeros([2, 2, 2, 2]))).toThrow(/1, 3 or 4 channels/);
  expect(() => image(tf.zeros([2, 2]), { zoom: 0.5 })).toThrow(/whole number for zoom/);
  expect(() => image(tf.zeros([2, 2]), { zoom: 5000 })).toThrow(/pixels/);
});
