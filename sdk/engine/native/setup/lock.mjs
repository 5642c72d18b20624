// @ts-check
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";

/**
 * @param {string} file
 * @returns {boolean} whether the process that made the lock has died without removing it
 */
function abandoned(file) {
  try {
    const { host, pid } = JSON.parse(readFileSync(file, "utf8"));
    if (host !== hostname()) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH" || error instanceof SyntaxError;
  }
}

/**
 * Runs `body` while no other process of this user does, and takes over the lock of a process that was killed.
 *
 * @template T
 * @param {string} file
 * @param {(line: string) => void} say
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withLock(file, say, body) {
  mkdirSync(dirname(file), { recursive: true });
  for (let waited = false; ; ) {
    try {
      writeFileSync(file, JSON.stringify({ host: hostname(), pid: process.pid }), { flag: "wx" });
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
    if (abandoned(file)) {
      const stale = `${file}.${process.pid}`;
      renameSync(file, stale);
      rmSync(stale);
      continue;
    }
    if (!waited) say(`waiting for another set-up (if there is none, remove ${file})`);
    waited = true;
    await setTimeout(200);
  }
  try {
    return await body();
  } finally {
    rmSync(file, { force: true });
  }
}
