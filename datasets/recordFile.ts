import { readSync } from "node:fs";
import { open } from "node:fs/promises";
import { type Checksum, checksums } from "../sdk/model/savedModel/checksum.js";
import { badFile } from "./badFile.js";

/** A record of a TFRecord file: eight bytes of length, their checksum of four, the data, its checksum of four. */
const HEAD = 12;
const FOOT = 4;

const HINT = "Copy the file again; records must not be compressed.";

/**
 * The bytes at which the records of a TFRecord file begin. Only lengths are read, and their checksums compared; those of the
 * data are when a record is read.
 *
 * @throws AutoqnnError `bad-file` naming the byte, for a file that cannot be read, a wrong checksum and an end within a record.
 */
export async function recordOffsets(path: string): Promise<bigint[]> {
  const file = await open(path).catch((cause: unknown) => {
    throw badFile(path, 0, "a readable TFRecord file", "none", "Check the path and its permissions.", cause);
  });
  try {
    const { size } = await file.stat();
    return walk(path, size, file.fd, await checksums());
  } finally {
    await file.close();
  }
}

/** Without waiting between the records: a file of ImageNet has 1252, which together take milliseconds. */
function walk(path: string, size: number, descriptor: number, checksum: () => Checksum): bigint[] {
  const offsets: bigint[] = [];
  const head = Buffer.alloc(HEAD);
  for (let offset = 0; offset < size; ) {
    const read = readSync(descriptor, head, 0, HEAD, offset);
    const length = head.readBigUInt64LE(0);
    if (read === HEAD && checksum().add(head.subarray(0, 8)).masked() !== head.readUInt32LE(8)) {
      throw badFile(path, offset, "the length of a record and its checksum", head.toString("hex"), HINT);
    }
    const end = BigInt(offset + HEAD + FOOT) + length;
    if (read < HEAD || end > BigInt(size)) {
      const expected = read < HEAD ? `${HEAD} bytes before a record` : `a record of ${length} bytes`;
      throw badFile(path, offset, expected, `the end of the file at ${size}`, HINT);
    }
    offsets.push(BigInt(offset));
    offset = Number(end);
  }
  return offsets;
}
