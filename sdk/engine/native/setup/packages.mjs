// @ts-check
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { reason, Trouble } from "./trouble.mjs";

/**
 * @typedef {object} Locked
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {boolean} [link]
 */

/**
 * @param {string} file
 * @returns {Record<string, Locked>}
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
}

/**
 * Whether node_modules is what package-lock.json says. npm leaves its own record in node_modules when, and only when,
 * an installation ended well.
 *
 * @param {string} root
 */
export function packagesReady(root) {
  const lock = join(root, "package-lock.json");
  const installed = join(root, "node_modules", ".package-lock.json");
  // An installed copy of this package has no lock: its packages are its parent's business.
  if (!existsSync(lock)) return true;
  if (!existsSync(installed)) return false;
  const present = packagesOf(installed);
  return Object.entries(packagesOf(lock)).every(([path, { version, integrity, optional }]) => {
    const found = present[path];
    if (path === "" || (found === undefined && optional)) return true;
    return found?.version === version && found?.integrity === integrity && existsSync(join(root, path));
  });
}

/**
 * @param {string} root
 * @param {(line: string) => void} say
 */
export function installPackages(root, say) {
  say("installing the locked npm packages");
  const options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  // Within `npm run` this is the npm that runs; it need not be on the path.
  const npm = process.env.npm_execpath;
  const { status, error, stderr } = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...options], { cwd: root, encoding: "utf8" })
    : spawnSync("npm", options, { cwd: root, encoding: "utf8" });
  if (error)
    throw new Trouble(
      "npm is needed to install the locked packages, and was not found.",
      "Install Node 20 or newer with npm.",
    );
  if (status !== 0) {
    throw new Trouble(
      `npm could not install the locked packages: ${reason(stderr)}.`,
      "npm ci --ignore-scripts",
    );
  }
}
