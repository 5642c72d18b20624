// @ts-check
import { fileURLToPath } from "node:url";
import { pythonOf } from "../sdk/engine/native/setup/environment.mjs";

/**
 * The Python that runs JupyterLab and nbclient, made first where it is not there yet (half a minute and 0.25 GB). It holds
 * no Python kernel: the notebooks are TypeScript.
 *
 * @param {(line: string) => void} say
 * @param {string} [parent] the folder it is made in; the user's cache if not given
 * @returns {Promise<string>}
 * @throws {import("../sdk/engine/native/setup/trouble.mjs").Trouble} in a sentence why it cannot be made
 */
export function jupyterPython(say, parent) {
  return pythonOf(
    {
      name: "jupyter",
      requirements: fileURLToPath(new URL("requirements.txt", import.meta.url)),
      imports: "jupyterlab.labapp, nbclient, nbformat, jupyter_kernel_test",
      bytes: 5e8,
      ...(parent && { parent }),
    },
    say,
  );
}
