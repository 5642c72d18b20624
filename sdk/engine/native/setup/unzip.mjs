// @ts-check
// A reader of zip files: Node has the inflation but not the container, and nothing is installed yet.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_SIZE = 22;
const LONGEST_COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {number} method
 * @property {number} compressed bytes in the archive
 * @property {number} size bytes on disk
 * @property {number} offset of its local header
 * @property {number} mode permissions, where the archive was made on a Unix
 */

/**
 * @param {import("node:fs/promises").FileHandle} handle
 * @param {number} position
 * @param {number} length
 */
async function read(handle, position, length) {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw new Error("the archive ends too early");
  return buffer;
}

/**
 * @param {import("node:fs/promises").FileHandle} handle
 * @returns {Promise<Entry[]>}
 */
async function directory(handle) {
  const { size } = await handle.stat();
  const tail = await read(
    handle,
    Math.max(0, size - END_SIZE - LONGEST_COMMENT),
    Math.min(size, END_SIZE + LONGEST_COMMENT),
  );
  let end = tail.length - END_SIZE;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error("the archive has no directory");
  const bytes = await read(handle, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const entries = [];
  for (let at = 0; at + 46 <= bytes.length && bytes.readUInt32LE(at) === ENTRY; ) {
    const nameLength = bytes.readUInt16LE(at + 28);
    entries.push({
      name: bytes.toString("utf8", at + 46, at + 46 + nameLength),
      method: bytes.readUInt16LE(at + 10),
      compressed: bytes.readUInt32LE(at + 20),
      size: bytes.readUInt32LE(at + 24),
      offset: bytes.readUInt32LE(at + 42),
      mode: (bytes.readUInt32LE(at + 38) >>> 16) & 0o777,
    });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  if (entries.length !== tail.readUInt16LE(end + 10)) throw new Error("the archive's directory is damaged");
  return entries;
}

/**
 * Unpacks the wanted files of a zip archive of at most 4 GB.
 *
 * @param {string} archive
 * @param {string} destination a folder
 * @param {(name: string) => boolean} wanted
 * @returns {Promise<{ name: string, size: number }[]>} the files written
 */
export async function unzip(archive, destination, wanted) {
  const handle = await open(archive);
  try {
    const entries = (await directory(handle)).filter(({ name }) => !name.endsWith("/") && wanted(name));
    for (const { name, method, compressed, size, offset, mode } of entries) {
      if (normalize(name).startsWith("..") || name.startsWith("/"))
        throw new Error(`"${name}" leaves the folder`);
      const local = await read(handle, offset, 30);
      if (local.readUInt32LE(0) !== LOCAL) throw new Error(`"${name}" is not where the directory says`);
      if (method !== STORED && method !== DEFLATED)
        throw new Error(`"${name}" is packed by an unknown method`);
      const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
      const path = join(destination, name);
      await mkdir(dirname(path), { recursive: true });
      const target = createWriteStream(path, { mode: mode || 0o644 });
      if (compressed > 0) {
        const source = createReadStream(archive, { start, end: start + compressed - 1 });
        await pipeline(source, method === DEFLATED ? createInflateRaw() : new PassThrough(), target);
      } else {
        target.end();
      }
      if (target.bytesWritten !== size && compressed > 0) throw new Error(`"${name}" has the wrong size`);
    }
    return entries.map(({ name, size }) => ({ name, size }));
  } finally {
    await handle.close();
  }
}
