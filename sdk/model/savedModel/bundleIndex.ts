import type { Checksum } from "./checksum.js";
import { bytes, fixed32, readMessage, whole } from "./message.js";
import { readSlice, type Slice } from "./slices.js";
import { readTable } from "./table.js";

/** Where a tensor of a checkpoint lies. One that was cut has slices instead, which lie under keys of their own. */
export interface Stored {
  /** TensorFlow's number of its type. */
  readonly type: number;
  readonly shape: readonly number[];
  readonly shard: number;
  /** In the shard, in bytes. */
  readonly offset: number;
  /** In bytes. */
  readonly size: number;
  /** Its masked CRC-32C. */
  readonly sum: number;
  readonly slices: readonly Slice[];
}

/**
 * Reads the index of a checkpoint: the number of its shards, and where each tensor lies, in the order of the keys
 * (tensorflow/core/protobuf/tensor_bundle.proto).
 *
 * @throws Error for damage.
 */
export function readIndex(
  file: Uint8Array,
  checksum: () => Checksum,
): { readonly count: number; readonly stored: ReadonlyMap<string, Stored> } {
  const [header, ...tensors] = readTable(file, checksum);
  if (header?.[0] !== "") throw new Error("no header");
  const read = { count: 0, bigEndian: 0 };
  readMessage(header[1], {
    1: whole((value) => {
      read.count = value;
    }),
    2: whole((value) => {
      read.bigEndian = value;
    }),
  });
  if (read.bigEndian !== 0) throw new Error("numbers in big-endian order");
  const stored = tensors.map(([key, value]) => [key, readStored(value)] as const);
  return { count: read.count, stored: new Map(stored) };
}

function readStored(value: Uint8Array): Stored {
  const stored = { type: 0, shard: 0, offset: 0, size: 0, sum: 0 };
  let shape: readonly number[] = [];
  const slices: Uint8Array[] = [];
  const set = (key: keyof typeof stored) => (number: number) => {
    stored[key] = number;
  };
  readMessage(value, {
    1: whole(set("type")),
    2: bytes((content) => {
      shape = readShape(content);
    }),
    3: whole(set("shard")),
    4: whole(set("offset")),
    5: whole(set("size")),
    6: fixed32(set("sum")),
    7: bytes((content) => slices.push(content)),
  });
  const sizes = [stored.shard, stored.offset, stored.size, ...shape];
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) throw new Error("an absurd size");
  return { ...stored, shape, slices: slices.map((slice) => readSlice(slice, shape)) };
}

/** A TensorShapeProto. */
function readShape(content: Uint8Array): readonly number[] {
  const shape: number[] = [];
  readMessage(content, {
    2: bytes((dimension) => {
      const at = shape.push(0) - 1;
      readMessage(dimension, {
        1: whole((size) => {
          shape[at] = size;
        }),
      });
    }),
  });
  return shape;
}
