import { inflateRawSync } from "node:zlib";
import { createCRC32 } from "hash-wasm";
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from "yauzl";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { type Bytes, copy, inMemory, part } from "./bytes.js";

/** Serves yauzl from `Bytes`. */
class Reader extends RandomAccessReader {
  readonly #bytes: Bytes;

  constructor(bytes: Bytes) {
    super();
    this.#bytes = bytes;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null) => void,
  ): void {
    const error = position + length > this.#bytes.size ? new Error("it ends too early") : null;
    if (!error) this.#bytes.into(buffer.subarray(offset, offset + length), position);
    done(error);
  }
}

const HINT = "Copy or save the file again.";

/**
 * Members of a zip archive by their names, their checksums verified. What is stored as it is stays where it is, and only
 * what is compressed comes into memory.
 *
 * @throws AutoqnnError `bad-model` for a damaged archive, and for a member of a size that its packed bytes cannot hold.
 */
export async function members(
  bytes: Bytes,
  wanted: readonly string[],
  location: string,
): Promise<ReadonlyMap<string, Bytes>> {
  try {
    const found = new Map<string, Bytes>();
    const zip = await fromRandomAccessReaderPromise(new Reader(bytes), bytes.size, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      if (!wanted.includes(entry.fileName)) continue;
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      if (fileDataStart + entry.compressedSize > bytes.size) throw new Error(`${entry.fileName} is cut`);
      const content = unpacked(entry, part(bytes, fileDataStart, entry.compressedSize), location);
      await checkSum(entry, content);
      found.set(entry.fileName, content);
    }
    return found;
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("an undamaged archive", `"${reason}"`, location, HINT, cause);
  }
}

/** The methods of packing that Python writes. */
const METHOD = { stored: 0, deflated: 8 };

/** No compressed byte of deflate stands for more bytes than this. */
const MOST_PER_BYTE = 1032;

function unpacked(entry: Entry, packed: Bytes, location: string): Bytes {
  const { fileName, compressionMethod, uncompressedSize } = entry;
  if (entry.isEncrypted()) throw new Error(`${fileName} is encrypted`);
  if (compressionMethod === METHOD.stored) return packed;
  if (compressionMethod !== METHOD.deflated) throw new Error(`method ${compressionMethod} for ${fileName}`);
  if (uncompressedSize > packed.size * MOST_PER_BYTE) {
    const expected = `${fileName} of a size that ${packed.size} packed bytes can hold`;
    throw badModel(expected, `${uncompressedSize}`, location, HINT);
  }
  const content = inflateRawSync(copy(packed), { maxOutputLength: Math.max(1, uncompressedSize) });
  if (content.length !== uncompressedSize) throw new Error(`${content.length} bytes of ${fileName}`);
  return inMemory(content);
}

/** What is read at once, in bytes. */
const AT_ONCE = 2 ** 22;

async function checkSum(entry: Entry, content: Bytes): Promise<void> {
  const sum = (await createCRC32()).init();
  for (let at = 0; at < content.size; at += AT_ONCE) {
    sum.update(copy(content, at, Math.min(AT_ONCE, content.size - at)));
  }
  const expected = entry.crc32.toString(16).padStart(8, "0");
  if (sum.digest() !== expected) throw new Error(`a wrong checksum of ${entry.fileName}`);
}
