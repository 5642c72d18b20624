import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Engine, TensorMap } from "../../sdk/engine/engine.js";
import type { NativeBackend } from "../../sdk/engine/native/backend.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { moved } from "../../sdk/engine/ops.js";
import type { Images, Pipeline } from "../../sdk/engine/pipeline.js";
import { referenceEngine } from "../../sdk/engine/reference.js";

const names = ["native", "reference"] as const;
const engines = {} as Record<(typeof names)[number], Engine>;

beforeAll(async () => {
  engines.reference = await referenceEngine();
  engines.native = await nativeEngine();
});

/** 20 images of 5 x 7 x 3 whose bytes take every value. */
const COUNT = 20;
const SHAPE = [5, 7, 3] as const;
const images: Images = {
  shape: SHAPE,
  pixels: Uint8Array.from({ length: COUNT * 105 }, (_, i) => (i * 7919) >> 3),
};

/** 50 examples in seven whole batches and a rest, moved by up to more than their size. */
const pipeline: Pipeline = {
  images,
  order: Int32Array.from({ length: 50 }, (_, i) => (i * 13) % COUNT),
  rows: {
    moves: {
      values: Int32Array.from({ length: 150 }, (_, i) => (i % 3 === 0 ? (i / 3) % 2 : ((i * 31) % 19) - 9)),
      shape: [3],
    },
    y: { values: Int32Array.from({ length: 50 }, (_, i) => i), shape: [] },
  },
  batchSize: 7,
  body: ({ image, moves, y }) => ({ x: moved(image!, moves!), y: y! }),
};

interface Seen {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: ArrayLike<number>;
}

async function read(batches: AsyncIterable<TensorMap>): Promise<Record<string, Seen>[]> {
  const seen: Record<string, Seen>[] = [];
  for await (const batch of batches) {
    const entries = Object.entries(batch).map(
      ([name, tensor]) =>
        [name, { shape: tensor.shape, dtype: tensor.dtype, values: tensor.dataSync() }] as const,
    );
    seen.push(Object.fromEntries(entries));
    tf.dispose(batch);
  }
  return seen;
}

const backend = () => tf.findBackend("tensorflow") as NativeBackend;
const held = () => [
  tf.memory().numTensors,
  tf.memory().numDataBuffers,
  backend().addon.getNumOfTensors(),
  tf.engine().state.activeScope,
];

describe.each(names)("pipelines of the %s engine", (name) => {
  const batches = (changes: Partial<Pipeline> = {}) =>
    engines[name].batches("test", { ...pipeline, ...changes });

  it("give the examples in their order, in batches of the size and a rest", async () => {
    const seen = await read(batches());
    expect(seen.map(({ x }) => x!.shape)).toEqual([...new Array(7).fill([7, ...SHAPE]), [1, ...SHAPE]]);
    expect(seen.flatMap(({ y }) => [...Array.from(y!.values)])).toEqual([...pipeline.rows.y!.values]);
    expect([seen[0]!.x!.dtype, seen[0]!.y!.dtype]).toEqual(["float32", "int32"]);
  });

  it("give none for no examples, and a single one smaller than a batch", async () => {
    const rows = (count: number) => ({
      moves: { values: new Int32Array(3 * count), shape: [3] },
      y: { values: new Int32Array(count), shape: [] },
    });
    expect(await read(batches({ order: new Int32Array(0), rows: rows(0) }))).toEqual([]);
    const [only, ...others] = await read(batches({ order: Int32Array.of(3, 3), rows: rows(2) }));
    expect([only!.x!.shape, others]).toEqual([[2, ...SHAPE], []]);
    const bytes = images.pixels!.subarray(3 * 105, 4 * 105);
    const scaled = Float32Array.from([...bytes, ...bytes], (byte) => byte / 255);
    expect(Float32Array.from(only!.x!.values)).toEqual(scaled);
  });

  it("run what the body computes, with tensors that it captures", async () => {
    const scale = tf.tensor1d([1, 2, 3]);
    const body = ({ image, moves, y }: TensorMap): TensorMap => ({
      y: tf.oneHot(y as tf.Tensor1D, 50),
      mean: moved(image!, tf.zerosLike(moves!)).mul(scale).mean([1, 2, 3]),
    });
    const seen = await read(batches({ body }));
    scale.dispose();
    expect(seen[0]!.y!.shape).toEqual([7, 50]);
    const bytes = images.pixels!.subarray(0, 105);
    const mean = bytes.reduce((sum, byte, i) => sum + (byte * (1 + (i % 3))) / 255, 0) / 105;
    expect(seen[0]!.mean!.values[0]).toBeCloseTo(mean, 5);
  });

  it("free everything at the end, and when they are left early or while a batch is made", async () => {
    tf.dispose((await batches().next()).value!);
    const before = held();
    await read(batches());
    expect(held()).toEqual(before);
    for await (const batch of batches()) {
      tf.dispose(batch);
      break;
    }
    expect(held()).toEqual(before);
    const iterator = batches();
    const [first] = await Promise.all([iterator.next(), iterator.return()]);
    tf.dispose(first.value!);
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
    expect(held()).toEqual(before);
    await batches().return();
    expect(held()).toEqual(before);
  });

  it("pass on what the body throws, and leave nothing behind", async () => {
    tf.dispose((await batches().next()).value!);
    const before = held();
    const body = () => {
      throw new RangeError("of the body");
    };
    await expect(read(batches({ body }))).rejects.toThrow(new RangeError("of the body"));
    const wrong = () => ({ x: 3 }) as unknown as TensorMap;
    await expect(read(batches({ body: wrong }))).rejects.toThrow(
      expect.objectContaining({
        code: "bad-option",
        message: expect.stringContaining('number at output "x"'),
      }),
    );
    expect(held()).toEqual(before);
  });

  it("stand side by side", async () => {
    const alone = await read(batches());
    const both = await Promise.all([read(batches()), read(batches())]);
    expect(both).toEqual([alone, alone]);
  });
});

describe("pipelines", () => {
  it("give the same bits on both engines", async () => {
    const [native, reference] = [
      await read(engines.native.batches("test", pipeline)),
      await read(engines.reference.batches("test", pipeline)),
    ];
    expect(native).toEqual(reference);
  });

  it("keep one tensor for the images, whatever number of passes", async () => {
    const mine: Images = { shape: SHAPE, pixels: images.pixels!.slice() };
    const before = backend().addon.getNumOfTensors();
    for (let pass = 0; pass < 3; pass++)
      await read(engines.native.batches("test", { ...pipeline, images: mine }));
    expect(backend().addon.getNumOfTensors()).toBe(before + 1);
  });

  it("name the batch that fails, and free the rest", async () => {
    const order = pipeline.order.slice();
    order[15] = COUNT;
    const before = held();
    const seen: unknown[] = [];
    const failing = (async () => {
      for await (const batch of engines.native.batches("test", { ...pipeline, order })) {
        seen.push(batch);
        tf.dispose(batch);
      }
    })();
    await expect(failing).rejects.toThrow(
      expect.objectContaining({
        code: "engine",
        message: expect.stringContaining('Batch 2 of "test" failed'),
      }),
    );
    expect(seen.length).toBe(2);
    expect(held()).toEqual(before);
  });

  it("refuse what a step refuses", async () => {
    const before = held();
    const body = ({ image, moves }: TensorMap): TensorMap => ({
      x: moved(image!, moves!).add(tf.randomNormal([...SHAPE])),
    });
    await expect(read(engines.native.batches("test", { ...pipeline, body }))).rejects.toThrow(
      expect.objectContaining({
        code: "untraceable",
        message: expect.stringContaining('"randomNormal"'),
      }),
    );
    expect(held()).toEqual(before);
  });

  it("of files need the native engine", async () => {
    const files: Images = { shape: SHAPE, files: ["1.png"], fit: "exact" };
    await expect(read(engines.reference.batches("test", { ...pipeline, images: files }))).rejects.toThrow(
      expect.objectContaining({ code: "engine", message: expect.stringContaining("received files") }),
    );
    await expect(
      read(engines.native.batches("test", { ...pipeline, images: files, order: new Int32Array(50) })),
    ).rejects.toThrow(
      expect.objectContaining({ code: "engine", message: expect.stringContaining("No such file") }),
    );
  });
});
