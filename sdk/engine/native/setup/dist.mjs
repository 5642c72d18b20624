// @ts-check
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reason, Trouble } from "./trouble.mjs";

const CONFIG = "tsconfig.build.json";
const STAMP = "dist/.sources";

/**
 * A hash of all that dist/ is made of.
 *
 * @param {string} root
 */
function sourcesHash(root) {
  const sources = ["sdk", "datasets"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(ts|mjs|json)$/.test(file))
      .map((file) => join(folder, file)),
  );
  const hash = createHash("sha256");
  for (const file of [...sources.sort(), "package.json", "package-lock.json", "tsconfig.json", CONFIG]) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/**
 * Whether dist/ is built from the sources as they are. A published package has a dist/ and no configuration to build it.
 *
 * @param {string} root
 */
export function distReady(root) {
  if (!existsSync(join(root, CONFIG))) return true;
  const stamp = join(root, STAMP);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === sourcesHash(root);
}

/**
 * @param {string} root
 * @param {(line: string) => void} say
 */
export function buildDist(root, say) {
  say("building dist/");
  const hash = sourcesHash(root);
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", CONFIG],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) {
    const line = stdout.split("\n").find((text) => /\berror TS/.test(text)) ?? reason(stderr || stdout);
    throw new Trouble(`dist/ could not be built: ${line.trim()}.`, "npm run build");
  }
  writeFileSync(join(root, STAMP), hash);
}
