import type * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import type { TensorMap } from "../engine.js";
import { onBackend } from "../on-backend.js";
import { elements, type Pipeline, type Run, runsOf } from "../pipeline.js";
import { type Iterator, reason, threads } from "./addon.js";
import { BACKEND, type NativeBackend } from "./backend.js";
import { decoding, picked } from "./images.js";
import { type Dataset, Datasets, type Held, type Mapping } from "./tfdata.js";
import { Trace } from "./trace.js";
import { traceBody } from "./traced.js";

/** Batches that are made ahead. */
const AHEAD = 2;

/**
 * The batches of a pipeline, made by tf.data on its threads.
 *
 * The iterator alone is held: what it was made of (datasets, functions, the tensors of this pass) goes as soon as it
 * stands, and it goes itself with the generator.
 */
export async function* nativeBatches(
  backend: NativeBackend,
  name: string,
  pipeline: Pipeline,
): AsyncGenerator<TensorMap, void> {
  const runs = runsOf(pipeline);
  if (runs.length === 0) return;
  const { iterator, keys } = await open(backend, name, pipeline, runs);
  const failed = (batch: number) => (error: unknown) => {
    const message = `Batch ${batch} of "${name}" failed: ${reason(error)}.`;
    throw new AutoqnnError("engine", message, "Check what it is made of.", { cause: error });
  };
  try {
    for (let batch = 0; ; batch++) {
      const tensors = await backend.addon.nextElement(iterator).catch(failed(batch));
      if (tensors === undefined) return;
      // tfjs books a new tensor on the backend that is current.
      yield onBackend(BACKEND, () =>
        Object.fromEntries(keys.map((key, i) => [key, backend.createOutputTensor(tensors[i]!)])),
      );
    }
  } finally {
    await backend.addon.closeIterator(iterator);
  }
}

async function open(
  backend: NativeBackend,
  name: string,
  pipeline: Pipeline,
  runs: readonly Run[],
): Promise<{ iterator: Iterator; keys: readonly string[] }> {
  const { addon } = backend;
  const build = new Build(backend, name, pipeline);
  try {
    const parts = runs.map((run) => build.batches(run));
    const { datasets } = build;
    const all = parts.reduce((before, part) => datasets.concatenate(before, part));
    const { id, element } = datasets.plain(datasets.prefetch(all, AHEAD));
    const [types, shapes] = [element.map(({ dtype }) => dtype), element.map(({ shape }) => shape)];
    return { iterator: await addon.makeIterator(id, types, shapes), keys: build.keys };
  } finally {
    build.release();
  }
}

/** The datasets of one pass, and what has to be freed once an iterator holds them. */
class Build {
  readonly datasets: Datasets;
  keys: readonly string[] = [];
  private readonly functions: string[] = [];
  private readonly traces: { release(): void }[] = [];

  constructor(
    private readonly backend: NativeBackend,
    private readonly name: string,
    private readonly pipeline: Pipeline,
  ) {
    this.datasets = new Datasets(backend.addon);
  }

  /** The images of each batch and its rows beside them, through the body. */
  batches(run: Run): Dataset {
    const { images } = this.pipeline;
    const held = this.backend.images.of(images);
    if (images.files === undefined) {
      const parts = this.datasets.slices([this.order(run, [run.count, run.size]), ...this.rows(run)]);
      const pick = (order: tf.Tensor, bytes: tf.Tensor) => picked(this.backend, bytes, order);
      return this.datasets.map(parts, this.body(parts, held, pick));
    }
    const order = this.datasets.slices([this.order(run, [run.count * run.size]), ...this.windows(run)]);
    const decode = this.mapping(decoding(this.backend.addon, held, images));
    const decoded = this.datasets.map(order, decode, threads());
    const rows = this.rows(run);
    const batch = this.datasets.batch(decoded, run.size);
    const parts = rows.length === 0 ? batch : this.datasets.zip([batch, this.datasets.slices(rows)]);
    return this.datasets.map(
      parts,
      this.body(parts, [], (image) => image),
    );
  }

  release(): void {
    this.datasets.release();
    for (const name of this.functions) this.backend.addon.removeFunction(name);
    for (const trace of this.traces) trace.release();
  }

  private order({ first, size, count }: Run, shape: readonly number[]): Held {
    const chosen = this.pipeline.order.subarray(first, first + size * count);
    return this.datasets.tensor(shape, this.backend.addon.TF_INT32, chosen);
  }

  private windows({ first, size, count }: Run): Held[] {
    const { images, windows } = this.pipeline;
    if (images.files === undefined || images.fit !== "crop") return [];
    if (windows?.length !== 4 * this.pipeline.order.length) {
      throw new AutoqnnError(
        "engine",
        `Expected four numbers for the window of each image of "${this.name}", received ${windows?.length ?? "none"}.`,
        "Give windows beside the order of images that are cropped.",
      );
    }
    const chosen = windows.subarray(4 * first, 4 * (first + size * count));
    return [this.datasets.tensor([size * count, 4], this.backend.addon.TF_INT32, chosen)];
  }

  private rows({ first, size, count }: Run): Held[] {
    return Object.values(this.pipeline.rows).map(({ values, shape }) => {
      const width = elements(shape);
      const mine = values.subarray(first * width, (first + size * count) * width);
      return this.datasets.tensor([count, size, ...shape], this.backend.addon.TF_INT32, mine);
    });
  }

  /** The pipeline's body over `parts`, whose first part and `constants` give the images. */
  private body(
    { element }: Dataset,
    constants: readonly Held[],
    image: (first: tf.Tensor, ...constants: tf.Tensor[]) => tf.Tensor,
  ): Mapping {
    const label = this.pipeline.images.records === undefined ? [] : ["label"];
    const keys = [...label, ...Object.keys(this.pipeline.rows)];
    const specs = [...element, ...constants].map((spec, i) => ({ ...spec, name: `${i}` }));
    // Never by XLA: it runs on the host, beside what XLA compiles for the device.
    const trace = new Trace(this.backend.addon, this.name);
    const traced = traceBody(this.backend, trace, specs, (given) => {
      const [first, ...rest] = specs.map(({ name }) => given[name]!) as [tf.Tensor, ...tf.Tensor[]];
      const rows = keys.map((key, i) => [key, rest[i]!]);
      return this.pipeline.body({
        image: image(first, ...rest.slice(keys.length)),
        ...Object.fromEntries(rows),
      });
    });
    this.traces.push(trace);
    this.keys = traced.outputs.map(({ name }) => name);
    const { capturedTypes } = trace;
    const captured = trace.captured.map((id, i) => ({ id, dtype: capturedTypes[i]! }));
    const { function: name, outputs } = traced;
    return this.mapping({ function: name, outputs, constants: [...constants, ...captured] });
  }

  private mapping(mapping: Mapping): Mapping {
    this.functions.push(mapping.function);
    return mapping;
  }
}
