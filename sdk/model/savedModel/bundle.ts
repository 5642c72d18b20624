import { BinaryReader } from "@bufbuild/protobuf/wire";
import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { type Bytes, copy, part } from "../files/bytes.js";
import { decode, isWhole, type NumberName, widthOf } from "../files/numbers.js";
import type { Entry } from "../files/slots.js";
import type { Source } from "../files/source.js";
import { readIndex, type Stored } from "./bundleIndex.js";
import { type Checksum, checksums } from "./checksum.js";
import { fills, place, slicePrefix, sorted } from "./slices.js";

/** The tensors of a checkpoint by their keys (tensorflow/core/util/tensor_bundle). */
export interface Bundle {
  /** The tensor of numbers under `key`, called `name`, read when it is asked for; none where there is no such key. */
  entry(key: string, name: string): Entry | undefined;
  /** The bytes of the text under `key`. */
  text(key: string): Uint8Array | undefined;
  /** How many numbers it holds. */
  elements(): number;
}

const HINT = "Copy the whole directory again, or save the model again.";

/**
 * Opens `<prefix>.index` and the shards that it names, for as long as `body` runs. Checksums are verified as tensors are
 * read.
 *
 * @throws AutoqnnError `bad-file` for a file that cannot be read; `bad-model` for a damaged one.
 */
export async function withBundle<T>(from: Source, prefix: string, body: (bundle: Bundle) => T): Promise<T> {
  const index = from.beside(`${prefix}.index`);
  const checksum = await checksums();
  const content = await index.read();
  const { count, stored } = guarded(index.location, () => readIndex(content, checksum));
  const shards = new Map<number, Bytes>();
  try {
    for (const { shard, slices } of stored.values()) {
      if (shards.has(shard) || slices.length > 0) continue;
      if (!(shard < count)) throw badModel(`${count} shards`, `shard ${shard}`, index.location, HINT);
      const number = (n: number): string => String(n).padStart(5, "0");
      shards.set(shard, await from.beside(`${prefix}.data-${number(shard)}-of-${number(count)}`).open());
    }
    return body(new OpenBundle(stored, shards, checksum, index.location));
  } finally {
    for (const shard of shards.values()) shard.close();
  }
}

type Values = Float32Array | Int32Array;

/** TensorFlow's numbers of types (tensorflow/core/framework/types.proto). */
const TYPES: Readonly<Record<number, NumberName>> = {
  1: "float32",
  2: "float64",
  3: "int32",
  4: "uint8",
  5: "int16",
  6: "int8",
  9: "int64",
  10: "bool",
  14: "bfloat16",
  17: "uint16",
  19: "float16",
  22: "uint32",
  23: "uint64",
};
const STRING = 7;

/** What is read at once, in bytes. */
const AT_ONCE = 2 ** 22;

class OpenBundle implements Bundle {
  readonly #stored: ReadonlyMap<string, Stored>;
  readonly #shards: ReadonlyMap<number, Bytes>;
  readonly #checksum: () => Checksum;
  readonly #location: string;

  constructor(
    stored: ReadonlyMap<string, Stored>,
    shards: ReadonlyMap<number, Bytes>,
    checksum: () => Checksum,
    location: string,
  ) {
    this.#stored = stored;
    this.#shards = shards;
    this.#checksum = checksum;
    this.#location = location;
  }

  entry(key: string, name: string): Entry | undefined {
    const stored = this.#stored.get(key);
    if (!stored) return undefined;
    const dtype = TYPES[stored.type];
    if (dtype === undefined) {
      const hint = "Save the model with float32 weights.";
      throw badModel("numbers", `type ${stored.type} of TensorFlow`, `${name} of ${this.#location}`, hint);
    }
    const { shape, slices } = stored;
    const tensor = (): tf.Tensor => {
      const values =
        slices.length > 0 ? this.#assembled(key, stored, dtype) : this.#values(key, stored, dtype);
      return tf.tensor(values, [...shape], isWhole(dtype) ? "int32" : "float32");
    };
    return { name, shape, dtype, tensor };
  }

  text(key: string): Uint8Array | undefined {
    const stored = this.#stored.get(key);
    if (stored?.type !== STRING) return undefined;
    return guarded(this.#location, () => textOf(copy(this.#content(key, stored))));
  }

  elements(): number {
    const counts = [...this.#stored.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    return counts.reduce((a, b) => a + b, 0);
  }

  #content(key: string, { shard, offset, size }: Stored): Bytes {
    const data = this.#shards.get(shard);
    if (data && offset + size <= data.size) return part(data, offset, size);
    const received = `${data?.size ?? 0} bytes in shard ${shard}, and "${key}" at ${offset} of ${size} bytes`;
    throw badModel("tensors within their shards", received, this.#location, HINT);
  }

  #values(key: string, stored: Stored, dtype: NumberName): Values {
    const width = widthOf(dtype);
    const count = stored.shape.reduce((a, b) => a * b, 1);
    const where = `"${key}" of ${this.#location}`;
    if (count * width !== stored.size) {
      throw badModel(`${count * width} bytes`, `${stored.size}`, where, HINT);
    }
    const content = this.#content(key, stored);
    const values = isWhole(dtype) ? new Int32Array(count) : new Float32Array(count);
    const sum = this.#checksum();
    for (let at = 0; at < content.size; at += AT_ONCE) {
      const bytes = copy(content, at, Math.min(AT_ONCE, content.size - at));
      sum.add(bytes);
      guarded(where, () => decode(bytes, dtype, values, at / width));
    }
    if (sum.masked() === stored.sum) return values;
    throw badModel("an undamaged tensor", "another checksum", where, HINT);
  }

  /** A tensor from its slices, whose entries follow each other under the prefix of its key. */
  #assembled(key: string, { shape, slices }: Stored, dtype: NumberName): Values {
    const parts = [...this.#stored].filter(([each]) => each.startsWith(slicePrefix(key)));
    const ordered = sorted(slices);
    const alike = ordered.every(({ length }, i) => String(parts[i]?.[1].shape) === String(length));
    if (!alike || parts.length !== ordered.length || !fills(ordered, shape)) {
      const where = `"${key}" of ${this.#location}`;
      throw badModel(`slices that fill [${shape}]`, `${parts.length} slices`, where, HINT);
    }
    const count = shape.reduce((a, b) => a * b, 1);
    const values = isWhole(dtype) ? new Int32Array(count) : new Float32Array(count);
    ordered.forEach((slice, i) => {
      place(this.#values(parts[i]![0], parts[i]![1], dtype), slice, values, shape);
    });
    return values;
  }
}

function guarded<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("an undamaged checkpoint of TensorFlow", `"${reason}"`, where, HINT, cause);
  }
}

/** One text: its length, the checksum of the length, its bytes. */
function textOf(content: Uint8Array): Uint8Array {
  const reader = new BinaryReader(content);
  const length = Number(reader.uint64());
  const start = reader.pos + 4;
  if (start + length !== content.length) throw new Error("a text of another length");
  return content.subarray(start);
}
