import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AutoqnnError } from "../errors.js";
import type { HostTensor } from "./snapshot.js";

/** Everything needed to go on: named tensors and a small JSON value. */
export interface Checkpoint {
  readonly tensors: Readonly<Record<string, HostTensor>>;
  readonly meta: Readonly<Record<string, unknown>>;
}

const DTYPES = { float32: "F32", int32: "I32", bool: "BOOL" } as const;
const ARRAYS = { F32: Float32Array, I32: Int32Array, BOOL: Uint8Array } as const;

interface Entry {
  readonly dtype: keyof typeof ARRAYS;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

/**
 * Writes a checkpoint in the safetensors format (an 8-byte length, a JSON header, raw little-endian data), so that other
 * tools read it too. A reader sees the old file or the new one, never half of one.
 */
export async function writeCheckpoint(
  directory: string,
  name: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { autoqnn: JSON.stringify(checkpoint.meta) } };
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [key, { shape, dtype, data }] of Object.entries(checkpoint.tensors)) {
    header[key] = { dtype: DTYPES[dtype], shape, data_offsets: [offset, offset + data.byteLength] };
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  // The format aligns the data to 8 bytes by spaces after the JSON.
  const json = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const body = Buffer.concat([length, json, ...chunks]);
  const temporary = join(directory, `.${name}.${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(directory, { recursive: true });
    const file = await open(temporary, "w");
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(directory, name));
  } catch (cause) {
    // Whatever went wrong above is what the caller must hear, not that there is nothing to clean up.
    await rm(temporary, { force: true }).catch(() => {});
    throw new AutoqnnError(
      "bad-file",
      `Expected to write the checkpoint ${join(directory, name)}, received ${(cause as Error).message}.`,
      "Give a directory that can be written and has room.",
      { cause },
    );
  }
}

/** Reads a checkpoint, or gives `undefined` where there is none. A damaged file is an AutoqnnError `bad-file`. */
export async function readCheckpoint(directory: string, name: string): Promise<Checkpoint | undefined> {
  const path = join(directory, name);
  let body: Buffer;
  try {
    body = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw damaged(path, (cause as Error).message);
  }
  const length = body.length >= 8 ? Number(body.readBigUInt64LE(0)) : Number.NaN;
  if (!(length <= body.length - 8))
    throw damaged(path, `a header of ${length} bytes in a file of ${body.length}`);
  let header: Record<string, Entry> & { __metadata__?: { autoqnn?: string } };
  try {
    header = JSON.parse(body.toString("utf8", 8, 8 + length));
  } catch {
    throw damaged(path, "a header that is not JSON");
  }
  const { __metadata__: metadata, ...entries } = header;
  const tensors: Record<string, HostTensor> = {};
  for (const [key, { dtype, shape, data_offsets: range }] of Object.entries(entries)) {
    const [start, end] = range.map((position) => position + 8 + length) as [number, number];
    if (end > body.length) throw damaged(path, `tensor "${key}" ending at byte ${end} of ${body.length}`);
    const bytes = Uint8Array.prototype.slice.call(body, start, end);
    tensors[key] = {
      shape,
      dtype: dtype === "F32" ? "float32" : dtype === "I32" ? "int32" : "bool",
      data: new ARRAYS[dtype](bytes.buffer),
    };
  }
  return { tensors, meta: JSON.parse(metadata?.autoqnn ?? "{}") };
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

function damaged(path: string, what: string): AutoqnnError {
  return new AutoqnnError(
    "bad-file",
    `Expected a checkpoint in ${path}, received ${what}.`,
    "Delete the file: the stage then starts anew.",
  );
}
