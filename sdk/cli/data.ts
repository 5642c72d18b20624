import { readdir } from "node:fs/promises";
import type { datasets as Datasets } from "../index.js";

type Readers = typeof Datasets;
type Dataset = Awaited<ReturnType<Readers["fashionMnist"]>>;

/** The shape of the model's input [n, height, width, channels]: images of other sizes are stretched to it. */
type Shape = readonly (number | null)[];

interface Form {
  /** What some entry of the directory is called. */
  readonly marks: RegExp;
  readonly read: (readers: Readers, path: string, shape: Shape) => Promise<Dataset>;
}

/** What a directory may hold, in the order in which its entries are looked through. */
const FORMS: readonly Form[] = [
  { marks: /(idx\d|ubyte)(\.gz)?$/, read: (readers, path) => readers.idx(path) },
  { marks: /^(data_batch_\d|test_batch|train|test)\.bin$/, read: (readers, path) => readers.cifar(path) },
  {
    marks: /\/$/,
    read: (readers, path, [, height, width, channels]) =>
      readers.imageFolder(path, {
        ...(height && width && { size: [height, width] }),
        ...((channels === 1 || channels === 3) && { channels }),
      }),
  },
];

/** The data set of a name, or the one in a directory. Throws AutoqnnError for what is neither. */
export async function readData(name: string, shape: Shape): Promise<Dataset> {
  const { AutoqnnError, datasets } = await import("../index.js");
  if (name === "fashion-mnist") return datasets.fashionMnist();
  const found = await readdir(name, { withFileTypes: true }).catch((cause: unknown) => {
    throw new AutoqnnError(
      "bad-option",
      `Expected the name of a data set or a directory, received "${name}" at --data.`,
      "Give fashion-mnist, or the path of a directory that can be read.",
      { cause },
    );
  });
  const entries = found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
  const form = FORMS.find(({ marks }) => entries.some((entry) => marks.test(entry)));
  if (form) return form.read(datasets, name, shape);
  throw new AutoqnnError(
    "bad-file",
    `Expected IDX files, CIFAR's .bin files or folders of images in ${name}, received ${entries.slice(0, 5).join(", ") || "nothing"}.`,
    "Give the directory in which the files of the data set lie.",
  );
}
