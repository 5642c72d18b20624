// @ts-check
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { reason, Trouble } from "./trouble.mjs";

/** @typedef {import("./wheels.mjs").Wheel} Wheel */

/**
 * @param {string} file
 * @returns {Promise<string>}
 */
async function sha256(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** @returns {string | undefined} a Python that has pip */
function findPython() {
  return ["python3", "python"].find((python) => spawnSync(python, ["-m", "pip", "--version"]).status === 0);
}

/** @returns {string | undefined} the package index of the user's pip settings, for where there is no pip */
function findIndex() {
  if (process.env.PIP_INDEX_URL) return process.env.PIP_INDEX_URL;
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config");
  const files = [
    process.env.PIP_CONFIG_FILE,
    join(config, "pip", "pip.conf"),
    join(homedir(), ".pip", "pip.conf"),
    "/etc/pip.conf",
  ];
  for (const file of files) {
    if (!file || !existsSync(file)) continue;
    const url = /^\s*index-url\s*[=:]\s*(\S+)/m.exec(readFileSync(file, "utf8"))?.[1];
    if (url) return url;
  }
  return undefined;
}

/**
 * @param {string} python
 * @param {Wheel} wheel
 * @param {string} folder
 */
function downloadByPip(python, { name, version, file }, folder) {
  const platforms = (
    file
      .replace(/\.whl$/, "")
      .split("-")
      .at(-1) ?? ""
  ).split(".");
  const command = [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--only-binary=:all:",
  ];
  // The wheel of the table, whatever Python runs pip.
  command.push("--implementation", "cp", "--abi", "cp311", "--python-version", "3.11");
  command.push(
    ...platforms.flatMap((platform) => ["--platform", platform]),
    "--dest",
    folder,
    `${name}==${version}`,
  );
  const { status, stderr } = spawnSync(python, command, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (status === 0) return;
  throw new Trouble(
    `pip could not download ${name} ${version}: ${reason(stderr)}.`,
    `${python} -m pip download --no-deps --only-binary=:all: --python-version 3.11 ${name}==${version}   (check the network and pip's index)`,
  );
}

/**
 * The address of a wheel in a package index: JSON, or a page of links, whichever the index answers.
 *
 * @param {string} index
 * @param {Wheel} wheel
 */
async function addressOf(index, { name, file }) {
  const page = new URL(`${name}/`, index.endsWith("/") ? index : `${index}/`);
  const answer = await fetch(page, {
    headers: { accept: "application/vnd.pypi.simple.v1+json, text/html;q=0.1" },
  });
  if (!answer.ok) throw new Error(`${page} answers ${answer.status}`);
  const text = await answer.text();
  const link = answer.headers.get("content-type")?.includes("json")
    ? JSON.parse(text).files?.find((/** @type {{ filename: string }} */ entry) => entry.filename === file)
        ?.url
    : new RegExp(`href="([^"]*${file.replaceAll(".", "\\.")}[^"]*)"`)
        .exec(text)?.[1]
        ?.replaceAll("&amp;", "&");
  if (!link) throw new Error(`${page} does not list ${file}`);
  return new URL(link, page);
}

/**
 * @param {string} index
 * @param {Wheel} wheel
 * @param {string} path
 */
async function downloadFrom(index, wheel, path) {
  try {
    const answer = await fetch(await addressOf(index, wheel));
    if (!answer.ok || !answer.body) throw new Error(`${answer.url} answers ${answer.status}`);
    await pipeline(
      Readable.fromWeb(/** @type {import("node:stream/web").ReadableStream} */ (answer.body)),
      createWriteStream(path),
    );
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new Trouble(
      `${wheel.file} could not be downloaded: ${reason(cause)}.`,
      "Check the network, or install Python 3 with pip.",
    );
  }
}

/**
 * Downloads a wheel with the user's pip, or without one from the index that pip's settings name, and checks its hash.
 *
 * @param {Wheel} wheel
 * @param {string} folder
 * @returns {Promise<string>} the file
 */
export async function download(wheel, folder) {
  const path = join(folder, wheel.file);
  const python = findPython();
  const index = python === undefined ? findIndex() : undefined;
  if (python !== undefined) downloadByPip(python, wheel, folder);
  else if (index !== undefined) await downloadFrom(index, wheel, path);
  else {
    throw new Trouble(
      `Python 3 with pip is needed once, to download ${wheel.file}, and was not found.`,
      "apt-get install python3-pip   (or set PIP_INDEX_URL to your package index)",
    );
  }
  const found = existsSync(path) ? await sha256(path) : "no file";
  if (found === wheel.sha256) return path;
  rmSync(path, { force: true });
  throw new Trouble(
    `Expected ${wheel.file} with sha256 ${wheel.sha256}, received ${found}.`,
    "Check the package index of pip's settings (pip config list), then run npm run setup again.",
  );
}
