// @ts-check
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { download } from "./download.mjs";
import { reason, Trouble } from "./trouble.mjs";
import { unzip } from "./unzip.mjs";

/** @typedef {import("./wheels.mjs").Wheel} Wheel */

const STAMP = "complete.json";
/** Room for the wheels and what is in them. */
const BYTES = { cpu: 3e9, gpu: 12e9 };

/**
 * TensorFlow registers a GPU only where libtensorflow_framework can load cuSOLVER, and its run path names the folders of all
 * other libraries but that one.
 */
const SOLVER = "libcusolver.so.11";

/** @param {string} folder */
const solver = (folder) => ({
  file: join(folder, "nvidia/cusolver/lib", SOLVER),
  link: join(folder, "nvidia/cusparse/lib", SOLVER),
});

/** @param {string} name */
function wanted(name) {
  return (
    /^tensorflow\/(libtensorflow_\w+\.so|include\/)/.test(name) ||
    /^nvidia\/.*(\.so(\.|$)|\/bin\/ptxas$|\.bc$)/.test(name)
  );
}

/**
 * Whether the folder holds the libraries of these wheels, whole.
 *
 * @param {string} folder
 * @param {readonly Wheel[]} wheels
 */
export function libraryReady(folder, wheels) {
  const stamp = join(folder, STAMP);
  if (!existsSync(stamp)) return false;
  const { hashes, libraries } = JSON.parse(readFileSync(stamp, "utf8"));
  return (
    hashes.join() === wheels.map(({ sha256 }) => sha256).join() &&
    libraries.every((/** @type {{ name: string, size: number }} */ { name, size }) => {
      return statSync(join(folder, name), { throwIfNoEntry: false })?.size === size;
    })
  );
}

/**
 * @param {string} folder an existing one
 * @param {number} bytes
 */
export function checkSpace(folder, bytes) {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new Trouble(
    `${bytes / 1e9} GB of disk space are needed in ${folder}, and ${(free / 1e9).toFixed(1)} GB are free.`,
    `Free some space (df -h ${folder}), or set XDG_CACHE_HOME to a folder on a larger disk.`,
  );
}

/**
 * Downloads and unpacks the wheels beside `folder`, and puts the result in its place at the end.
 *
 * @param {string} folder
 * @param {readonly Wheel[]} wheels
 * @param {"cpu" | "gpu"} flavour
 * @param {(line: string) => void} say
 */
export async function installLibrary(folder, wheels, flavour, say) {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  checkSpace(partial, BYTES[flavour]);
  const files = [];
  for (const wheel of wheels) {
    say(`downloading ${wheel.file}`);
    const archive = await download(wheel, partial);
    say(`unpacking ${wheel.file}`);
    try {
      files.push(...(await unzip(archive, partial, wanted)));
    } catch (error) {
      throw new Trouble(
        `${wheel.file} could not be unpacked: ${reason(error)}.`,
        `df -h ${partial}   (then run npm run setup again)`,
      );
    }
    rmSync(archive);
  }
  const libraries = files.filter(({ name }) => !name.includes("/include/"));
  writeFileSync(
    join(partial, STAMP),
    JSON.stringify({ hashes: wheels.map(({ sha256 }) => sha256), libraries }),
  );
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
}

/**
 * Whether TensorFlow finds every NVIDIA library of the folder, if it holds any.
 *
 * @param {string} folder
 */
export function linksReady(folder) {
  const { file, link } = solver(folder);
  return !existsSync(file) || existsSync(link);
}

/** @param {string} folder */
export function linkLibraries(folder) {
  const { file, link } = solver(folder);
  rmSync(link, { force: true });
  symlinkSync(relative(dirname(link), file), link);
}
