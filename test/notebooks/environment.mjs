// @ts-check
import { jupyterPython as made } from "../../notebooks/environment.mjs";

/**
 * The Python with JupyterLab, nbclient and jupyter_kernel_test that tests drive the kernel from; made first, in the user's
 * cache, where it is not there yet. Checkouts share it, so no kernel is installed into it: tests point `JUPYTER_PATH` at one.
 *
 * @param {(line: string) => void} say
 * @throws {import("../../sdk/engine/native/setup/trouble.mjs").Trouble} in a sentence why it cannot be made
 */
export const jupyterPython = (say) => made(say);
