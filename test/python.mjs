// @ts-check
// `node test/python.mjs NAME`: makes the Python environment of that name where it is not there yet. A process of its own,
// so that several are made at once, beside checks that need none.
import { reason } from "../sdk/engine/native/setup/trouble.mjs";
import { kerasPython } from "./keras/environment.mjs";
import { jupyterPython } from "./notebooks/environment.mjs";

const make = { keras: kerasPython, jupyter: jupyterPython }[process.argv[2] ?? ""];
if (!make) throw new Error(`Expected keras or jupyter, received "${process.argv[2]}".`);
try {
  await make((line) => console.log(`set-up: ${line}`));
} catch (error) {
  process.stderr.write(reason(error));
  process.exitCode = 1;
}
