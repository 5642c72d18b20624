// @ts-check
import { createHash } from "node:crypto";
import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { place } from "../../sdk/engine/native/place.mjs";
import { pythonOf } from "../../sdk/engine/native/setup/environment.mjs";

/**
 * The Python with TensorFlow, Keras 3 and Keras 2 that tests ask what Keras computes; made first where it is not there
 * yet, in the user's cache (23 s and 0.4 GB beside the native engine, of whose wheel pip keeps a copy where its cache is on).
 *
 * @param {(line: string) => void} say
 * @throws {import("../../sdk/engine/native/setup/trouble.mjs").Trouble} in a sentence why it cannot be made
 */
export function kerasPython(say) {
  return pythonOf(
    {
      name: "keras",
      requirements: fileURLToPath(new URL("requirements.txt", import.meta.url)),
      imports: "tensorflow, keras, tf_keras, h5py",
      bytes: 2e9,
      trim,
    },
    say,
  );
}

/** @param {string} file */
const sha256 = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

/**
 * TensorFlow's headers are of no use here, and its libraries are mostly those of the native engine.
 *
 * @param {string} folder
 */
function trim(folder) {
  const [version = ""] = readdirSync(join(folder, "lib"));
  const tensorflow = join(folder, "lib", version, "site-packages", "tensorflow");
  rmSync(join(tensorflow, "include"), { recursive: true });
  for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]) {
    const [own, engines] = [join(tensorflow, name), join(place("cpu").library, name)];
    if (!existsSync(engines) || sha256(own) !== sha256(engines)) continue;
    linkSync(engines, `${own}.linked`);
    renameSync(`${own}.linked`, own);
  }
}
