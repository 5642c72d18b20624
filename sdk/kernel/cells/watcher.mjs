// @ts-check
// A thread beside the cells, which hears the kernel also while a cell computes. It passes interrupts on, stops JavaScript that
// does not return to its event loop, and ends the process when the kernel is gone.
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

/** @type {{ fd: number, shared: Int32Array }} */
const { fd, shared } = workerData;
/** Places in `shared`: the last interrupt heard, terminations asked for, whether work was given the signal, the last
 * that is done, modules that load. */
const [HEARD, TERMINATED, COOPERATES, DONE, LOADING] = [0, 1, 2, 3, 4];

/** Milliseconds between two looks at whether the interrupt was heard. */
const LOOK = 20;
/** Milliseconds that JavaScript has for returning to its event loop: more for work that listens to the signal. */
const [PATIENCE, MORE_PATIENCE] = [60, 2000];

/** Stops the JavaScript of the main thread. Connected for this alone: a process with a debugger waits for it at its end. */
function terminate() {
  const session = new Session();
  session.connectToMainThread();
  session.post("Runtime.terminateExecution", () => session.disconnect());
}

let interrupts = 0;
/** @type {NodeJS.Timeout | undefined} */
let looking;

/**
 * @param {number} cell
 * @param {boolean} again
 */
function interrupt(cell, again) {
  const number = ++interrupts;
  const since = Date.now();
  clearInterval(looking);
  parentPort?.postMessage({ number, cell });
  looking = setInterval(() => {
    if (Atomics.load(shared, DONE) >= number) return clearInterval(looking);
    const patience = Atomics.load(shared, COOPERATES) && !again ? MORE_PATIENCE : PATIENCE;
    const stuck = Atomics.load(shared, HEARD) < number && Date.now() - since >= patience;
    if (stuck && Atomics.load(shared, LOADING) === 0) {
      Atomics.add(shared, TERMINATED, 1);
      terminate();
    }
    parentPort?.postMessage({ number, cell });
  }, LOOK);
}

const kernel = new Socket({ fd, readable: true, writable: false });
kernel.on("data", (data) => {
  for (const cell of data) interrupt(cell, Atomics.load(shared, HEARD) < interrupts);
});
kernel.on("error", end);
kernel.on("close", end);

function end() {
  // The group, so that nothing started by a cell stays behind.
  process.kill(-process.pid, "SIGKILL");
}
