import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Checksum } from "./checksum.js";

/** The last bytes of a table: two handles of blocks, filled up to 40 bytes, and the magic number. */
const FOOTER = 48;
const MAGIC = 0xdb4775248b80fb57n;
/** After a block: how it is compressed, and its checksum. */
const TRAILER = 5;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/**
 * The entries of a table of LevelDB's format, as TensorFlow writes them (tensorflow/core/lib/io/format.cc): blocks of
 * entries in the order of their keys, each key without what it shares with the one before it; then a block of such
 * entries whose values say where the blocks are.
 *
 * @throws Error for damage, and for compressed blocks, which TensorFlow does not write.
 */
export function readTable(file: Uint8Array, checksum: () => Checksum): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FOOTER || view.getBigUint64(file.length - 8, true) !== MAGIC) {
    throw new Error("no table of LevelDB's format");
  }
  const footer = new BinaryReader(file.subarray(file.length - FOOTER, file.length - 8));
  readHandle(footer);
  const index = block(file, readHandle(footer), checksum);
  const found = new Map<string, Uint8Array>();
  let end = 0;
  for (const [, value] of entries(index, file.length)) {
    const handle = readHandle(new BinaryReader(value));
    // Otherwise a small file could name one block a million times.
    if (handle.offset < end) throw new Error("blocks out of order");
    end = handle.offset + handle.size + TRAILER;
    for (const [key, content] of entries(block(file, handle, checksum), file.length)) found.set(key, content);
  }
  return found;
}

function readHandle(reader: BinaryReader): Handle {
  return { offset: Number(reader.uint64()), size: Number(reader.uint64()) };
}

function block(file: Uint8Array, { offset, size }: Handle, checksum: () => Checksum): Uint8Array {
  const end = offset + size;
  if (!(end + TRAILER <= file.length)) throw new Error("a block beyond the end");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (
    view.getUint32(end + 1, true) !==
    checksum()
      .add(file.subarray(offset, end + 1))
      .masked()
  ) {
    throw new Error(`a wrong checksum of the block at ${offset}`);
  }
  if (file[end] !== 0) throw new Error(`a compressed block at ${offset}`);
  return file.subarray(offset, end);
}

/** LevelDB writes a key in full again at least every 16 entries, so keys unfold to no more than this many files. */
const MOST_UNFOLDED = 16;

function* entries(content: Uint8Array, fileSize: number): Generator<[key: string, value: Uint8Array]> {
  if (content.length < 4) throw new Error("a block without an end");
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const end = content.length - 4 * (1 + view.getUint32(content.length - 4, true));
  if (end < 0) throw new Error("a block with too many restarts");
  const reader = new BinaryReader(content.subarray(0, end));
  let key = Buffer.alloc(0);
  let unfolded = 0;
  while (reader.pos < end) {
    const [shared, own, size] = [reader.uint32(), reader.uint32(), reader.uint32()];
    const start = reader.pos;
    unfolded += shared + own;
    if (shared > key.length || start + own + size > end || unfolded > MOST_UNFOLDED * fileSize) {
      throw new Error("an entry beyond its block");
    }
    key = Buffer.concat([key.subarray(0, shared), content.subarray(start, start + own)]);
    reader.pos = start + own + size;
    yield [key.toString("latin1"), content.subarray(start + own, reader.pos)];
  }
}
