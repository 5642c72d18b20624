import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AutoqnnError } from "../errors.js";
import type { HostTensor } from "./snapshot.js";

/** Everything needed to go on: named tensors and a small JSON value. */
export interface Checkpoint {
  readonly tensors: Readonly<Record<string, HostTensor>>;
  readonly meta: Readonly<Record<string, unknown>>;
}

const DTYPES = { float32: "F32", int32: "I32", bool: "BOOL" } as const;
const NAMES = { F32: "float32", I32: "int32", BOOL: "bool" } as const;
const ARRAYS = { F32: Float32Array, I32: Int32Array, BOOL: Uint8Array } as const;

interface Entry {
  readonly dtype: keyof typeof ARRAYS;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

const ABANDONED_MILLISECONDS = 600_000;

/**
 * Writes a checkpoint in the safetensors format (an 8-byte length, a JSON header, raw little-endian data), so that other
 * tools read it too. A reader sees the old file or the new one, never half of one, also after the machine has failed.
 *
 * @param before the name under which the file that stood there stays
 */
export async function writeCheckpoint(
  directory: string,
  name: string,
  { tensors, meta }: Checkpoint,
  before?: string,
): Promise<void> {
  const path = join(directory, name);
  const temporary = join(directory, `${partOf(name)}${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(directory, { recursive: true });
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(headerOf(tensors, meta));
      for (const { data } of Object.values(tensors)) await file.writeFile(bytesOf(data));
      await file.sync();
    } finally {
      await file.close();
    }
    if (before !== undefined) await rename(path, join(directory, before)).catch(unlessMissing);
    await rename(temporary, path);
    await sync(directory);
  } catch (cause) {
    // Whatever went wrong above is what the caller must hear, not that there is nothing to clean up.
    await rm(temporary, { force: true }).catch(() => {});
    throw new AutoqnnError(
      "bad-file",
      `Expected to write the checkpoint ${path}, received ${(cause as Error).message}.`,
      "Give a directory that can be written and has room.",
      { cause },
    );
  }
}

/**
 * Reads a checkpoint, or gives `undefined` where there is none. A file that is not, to the bit, what was written is an
 * AutoqnnError `bad-file`.
 */
export async function readCheckpoint(directory: string, name: string): Promise<Checkpoint | undefined> {
  const path = join(directory, name);
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    return await contents(file, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause instanceof AutoqnnError ? cause : damaged(path, (cause as Error).message);
  } finally {
    await file?.close();
  }
}

/** Removes what was being written under this name when its process was killed: nothing was added to it for a while. */
export async function removeAbandoned(directory: string, name: string): Promise<void> {
  const files = (await readdir(directory).catch(unlessMissing)) ?? [];
  for (const file of files.filter((found) => found.startsWith(partOf(name)))) {
    const path = join(directory, file);
    const found = await stat(path).catch(unlessMissing);
    if (found && Date.now() - found.mtimeMs > ABANDONED_MILLISECONDS) await rm(path, { force: true });
  }
}

/** A short name for anything JSON can hold or host tensors contain: equal values, equal names. */
export function fingerprint(...values: readonly unknown[]): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify(values, (_key, value) =>
      ArrayBuffer.isView(value)
        ? createHash("sha256")
            .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
            .digest("hex")
        : value,
    ),
  );
  return hash.digest("hex").slice(0, 16);
}

type Tensors = Checkpoint["tensors"];

function headerOf(tensors: Tensors, meta: Checkpoint["meta"]): Buffer {
  const entries: Record<string, Entry> = {};
  let offset = 0;
  for (const [key, { shape, dtype, data }] of Object.entries(tensors)) {
    const end = offset + data.byteLength;
    entries[key] = { dtype: DTYPES[dtype], shape: [...shape], data_offsets: [offset, end] };
    offset = end;
  }
  const autoqnn = JSON.stringify(meta);
  const metadata = { autoqnn, sha256: digest(tensors, autoqnn) };
  const text = Buffer.from(JSON.stringify({ __metadata__: metadata, ...entries }));
  // The format aligns the data to 8 bytes by spaces after the JSON.
  const json = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

async function contents(file: FileHandle, path: string): Promise<Checkpoint> {
  const { size } = await file.stat();
  const part = async (start: number, end: number): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(Math.max(0, end - start));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    if (end < start || bytesRead < bytes.length)
      throw damaged(path, `a file that ends at byte ${size}, where bytes ${start} to ${end} were expected`);
    return bytes;
  };
  const length = Number(Buffer.from(await part(0, 8)).readBigUInt64LE());
  if (length > size - 8) throw damaged(path, `a header of ${length} bytes in a file of ${size}`);
  const { __metadata__: metadata, ...entries } = headerIn(await part(8, 8 + length), path);
  const tensors: Record<string, HostTensor> = {};
  for (const [key, { dtype, shape, data_offsets: range }] of Object.entries(entries)) {
    const bytes = await part(8 + length + range[0], 8 + length + range[1]);
    tensors[key] = { shape, dtype: NAMES[dtype], data: new ARRAYS[dtype](bytes.buffer) };
  }
  if (metadata?.sha256 !== digest(tensors, metadata?.autoqnn ?? ""))
    throw damaged(path, "other contents than were written");
  return { tensors, meta: JSON.parse(metadata.autoqnn!) };
}

type Header = Record<string, Entry> & { __metadata__?: { autoqnn?: string; sha256?: string } };

function headerIn(bytes: Uint8Array, path: string): Header {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    throw damaged(path, "a header that is not JSON");
  }
}

/** Of everything that a checkpoint says. */
function digest(tensors: Tensors, meta: string): string {
  const hash = createHash("sha256").update(meta);
  for (const [key, { shape, dtype, data }] of Object.entries(tensors))
    hash.update(JSON.stringify([key, shape, dtype])).update(bytesOf(data));
  return hash.digest("hex");
}

const bytesOf = (data: HostTensor["data"]): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** How the names of files begin that are being written. */
const partOf = (name: string): string => `.${name}.`;

/** Makes the names in a directory last: Windows has no such call. */
async function sync(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function damaged(path: string, what: string): AutoqnnError {
  return new AutoqnnError(
    "bad-file",
    `Expected a checkpoint in ${path}, received ${what}.`,
    "Delete the file: the stage then goes on from the checkpoint before it, or anew where there is none.",
  );
}
