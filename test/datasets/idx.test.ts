import { gzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { datasets, type Split } from "../../datasets/index.js";
import { directory, idxFile, idxFiles } from "./files.js";

const refusal = (...parts: string[]): unknown =>
  expect.objectContaining({
    code: "bad-file",
    message: expect.stringMatching(
      new RegExp(parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")),
    ),
  });

async function read(split: Split): Promise<{ first: number[]; labels: number[] }> {
  const labels: number[] = [];
  let first: number[] = [];
  for await (const { x, y } of split) {
    if (labels.length === 0)
      first = Array.from(x.dataSync().slice(0, 12), (value) => Math.round(value * 255));
    labels.push(...y.dataSync());
    tf.dispose([x, y]);
  }
  return { first, labels };
}

describe("datasets.idx", () => {
  test("reads plain and gzipped files of either naming", async () => {
    const plain = idxFiles();
    const data = await datasets.idx(
      directory({
        "train-images.idx3-ubyte": plain["train-images"],
        "train-labels-idx1-ubyte.gz": gzipSync(plain["train-labels"]),
        "emnist-test-images-idx3-ubyte.gz": gzipSync(plain["t10k-images"]),
        "emnist-test-labels-idx1-ubyte": plain["t10k-labels"],
        "readme.txt": Buffer.from("hello"),
      }),
      { validation: 4 },
    );
    expect([data.train.size, data.validation.size, data.test.size]).toEqual([16, 4, 6]);
    expect([data.train.shape, data.train.classes]).toEqual([[3, 4, 1], 5]);
    const ramp = Array.from({ length: 12 }, (_, i) => i);
    expect(await read(data.test)).toEqual({ first: ramp, labels: [0, 1, 2, 3, 4, 0] });
    const rest = [...(await read(data.train)).labels, ...(await read(data.validation)).labels];
    expect(rest.sort()).toEqual(Array.from({ length: 20 }, (_, i) => Math.floor(i / 4)));
  });

  test("sets a tenth aside for validation, and takes colour images of rank 4", async () => {
    const files = idxFiles();
    const colour = (count: number): Buffer => idxFile([count, 2, 2, 3], new Array(count * 12).fill(7));
    const data = await datasets.idx(
      directory({ ...files, "train-images": colour(20), "t10k-images": colour(6) }),
    );
    expect([data.validation.size, data.train.shape]).toEqual([2, [2, 2, 3]]);
  });

  test.each([-1, 20, 2.5])("refuses %d validation images", async (validation) => {
    const wrong = expect.objectContaining({ code: "bad-option" });
    await expect(datasets.idx(directory({ ...idxFiles() }), { validation })).rejects.toEqual(wrong);
  });

  const labels = (values: number[]): Buffer => idxFile([values.length], values);
  const images = idxFiles()["train-images"];
  const changed = (at: number, byte: number): Buffer => {
    const copy = Buffer.from(images);
    copy[at] = byte;
    return copy;
  };
  const absurd = changed(4, 0xff);
  const packed = gzipSync(images);
  const noise = gzipSync(
    idxFile(
      [20, 30, 30],
      Array.from({ length: 18000 }, (_, i) => (i * i * 7919) >> 5),
    ),
  );

  test.each<[string, Record<string, Uint8Array>, string[]]>([
    [
      "a wrong magic number",
      { "train-images": changed(0, 1) },
      ["00 00 08 03", "01000803", "byte 0", "train-images"],
    ],
    ["values of another type", { "train-images": changed(2, 0x0d) }, ["00000d03", "byte 0"]],
    ["labels in the images' place", { "train-images": labels([1]) }, ["00000801", "byte 0", "train-images"]],
    ["an empty file", { "train-labels": Buffer.alloc(0) }, ["nothing", "byte 0", "train-labels"]],
    ["a cut header", { "train-images": images.subarray(0, 9) }, ["3 dimensions", "byte 9", "train-images"]],
    [
      "a cut file",
      { "train-images": images.subarray(0, 100) },
      ["256 bytes (20 x 3 x 4)", "end of the file", "byte 100"],
    ],
    [
      "a file too long",
      { "train-images": Buffer.concat([images, images]) },
      ["256 bytes", "512 bytes", "byte 256"],
    ],
    ["a dimension of 0", { "train-images": changed(11, 0) }, ["1 or more", "byte 8"]],
    ["absurd dimensions", { "train-images": absurd }, ["bytes (4278190100 x 3 x 4)", "byte 256"]],
    ["absurd dimensions, packed", { "train-images": gzipSync(absurd) }, ["packed bytes can hold", "byte 4"]],
    [
      "a packed file too long",
      { "train-images": gzipSync(Buffer.concat([images, images])) },
      ["end of 256 bytes", "byte 256"],
    ],
    [
      "a packed file cut",
      { "train-images": packed.subarray(0, packed.length - 12) },
      ["undamaged", "unexpected end"],
    ],
    [
      "a packed file cut in its header",
      { "train-images": packed.subarray(0, 3) },
      ["byte 0", "train-images"],
    ],
    [
      "a packed file with zeros behind",
      { "train-images": Buffer.concat([noise, Buffer.alloc(4)]) },
      ["end of the gzip file", `byte ${noise.length}`],
    ],
    ["a packed file with a flipped bit", { "train-images": flipped(packed) }, ["undamaged gzip file"]],
    [
      "fewer labels than images",
      { "train-labels": labels([0, 1]) },
      ["2 images", "20", "byte 4", "train-images"],
    ],
    [
      "a test label that training lacks",
      { "t10k-labels": labels([0, 1, 2, 3, 9, 0]) },
      ["0 to 4", "9", "byte 12", "t10k-labels"],
    ],
    [
      "test images of another size",
      { "t10k-images": idxFile([6, 2, 2], new Array(24).fill(0)) },
      ["3 x 4 x 1", "2 x 2 x 1"],
    ],
    [
      "two files for one role",
      { "train-images.gz": packed },
      ["exactly one", "train-images, train-images.gz"],
    ],
  ])("refuses %s", async (_, files, parts) => {
    await expect(datasets.idx(directory({ ...idxFiles(), ...files }))).rejects.toEqual(refusal(...parts));
  });

  test("refuses a label beyond the classes given", async () => {
    const given = datasets.idx(directory({ ...idxFiles() }), { classes: 4 });
    await expect(given).rejects.toEqual(refusal("0 to 3", "received 4 at byte 12", "train-labels"));
  });

  test("refuses a directory that is empty or not there", async () => {
    await expect(datasets.idx(directory())).rejects.toEqual(refusal("training labels", "none"));
    await expect(datasets.idx("/nowhere/at/all")).rejects.toEqual(
      refusal("readable directory", "/nowhere/at/all"),
    );
  });
});

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const last = copy.length - 6;
  copy[last] = copy[last]! ^ 1;
  return copy;
}
