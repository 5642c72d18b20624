import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** The bytes of a file, read where they are asked for, so that a large file is never in memory as a whole. */
export interface Bytes {
  readonly size: number;
  /** Fills `target` from `offset` on. The caller keeps within `size`. */
  into(target: Uint8Array, offset: number): void;
  close(): void;
}

/** Bytes that are in memory already. */
export function inMemory(content: Uint8Array): Bytes {
  return {
    size: content.length,
    into: (target, offset) => target.set(content.subarray(offset, offset + target.length)),
    close: () => {},
  };
}

/**
 * An open file on disk.
 *
 * @throws Error of Node's when it cannot be opened, or is no regular file.
 */
export function onDisk(path: string): Bytes {
  // A pipe would otherwise wait for its writer.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const entry = fstatSync(file);
  if (!entry.isFile()) {
    closeSync(file);
    throw new Error(`${path} is not a regular file`);
  }
  return {
    size: entry.size,
    into: (target, offset) => fill(file, target, offset),
    close: () => closeSync(file),
  };
}

/** One call of the system reads less than 2 GiB. */
const MOST_AT_ONCE = 2 ** 30;

function fill(file: number, target: Uint8Array, offset: number): void {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(target.length - done, MOST_AT_ONCE);
    const read = readSync(file, target, done, length, offset + done);
    if (read === 0) throw new Error("the file became shorter while it was read");
    done += read;
  }
}

/** `size` bytes of a file from `offset` on, as a file of its own; the whole one is closed by its owner. */
export function part(bytes: Bytes, offset: number, size: number): Bytes {
  return { size, into: (target, at) => bytes.into(target, offset + at), close: () => {} };
}

/** Files one behind the other, as one. */
export function joined(parts: readonly Bytes[]): Bytes {
  let size = 0;
  const placed = parts.map((bytes) => {
    const start = size;
    size += bytes.size;
    return { bytes, start };
  });
  const into = (target: Uint8Array, offset: number): void => {
    for (const { bytes, start } of placed) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + target.length, start + bytes.size);
      if (from < to) bytes.into(target.subarray(from - offset, to - offset), from - start);
    }
  };
  const close = (): void => {
    for (const bytes of parts) bytes.close();
  };
  return { size, into, close };
}

/** A copy of `length` bytes from `offset` on. The caller keeps within `size`. */
export function copy(bytes: Bytes, offset = 0, length = bytes.size - offset): Uint8Array {
  const target = new Uint8Array(length);
  bytes.into(target, offset);
  return target;
}
