// @ts-check
// Makes this machine ready: the locked npm packages, libtensorflow, the native engine, dist/. What is there already is kept;
// what is missing on the machine is told in a sentence with the command that mends it.
import { dirname, join } from "node:path";
import { device, place, root, VERSION } from "./place.mjs";
import { addonReady, buildAddon } from "./setup/addon.mjs";
import { buildDist, distReady } from "./setup/dist.mjs";
import { installLibrary, libraryReady, linkLibraries, linksReady } from "./setup/library.mjs";
import { withLock } from "./setup/lock.mjs";
import { installPackages, packagesReady } from "./setup/packages.mjs";
import { reason, Trouble } from "./setup/trouble.mjs";
import { WHEELS } from "./setup/wheels.mjs";

/** @param {string} line */
function say(line) {
  console.log(`set-up: ${line}`);
}

function checkNode() {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major >= 20) return;
  throw new Trouble(
    `Node 20 or newer is needed, and this is Node ${process.versions.node}.`,
    "nvm install 20",
  );
}

async function main() {
  checkNode();
  const flavour = device();
  if (flavour === undefined) {
    throw new Trouble(
      `AUTOQNN_DEVICE must be cpu or gpu, and is "${process.env.AUTOQNN_DEVICE}".`,
      "unset AUTOQNN_DEVICE",
    );
  }
  const platform = `${process.platform}-${process.arch}`;
  const wheels = WHEELS[platform]?.[flavour];
  if (wheels === undefined) {
    throw new Trouble(
      `There is no libtensorflow ${VERSION} for ${platform} with a ${flavour}.`,
      "AUTOQNN_ENGINE=reference runs without it, slowly.",
    );
  }
  const parts = place(flavour);
  const unpacked = dirname(parts.library);
  const steps = [
    { ready: () => packagesReady(root), make: () => installPackages(root, say) },
    {
      ready: () => libraryReady(unpacked, wheels),
      make: () => installLibrary(unpacked, wheels, flavour, say),
    },
    { ready: () => linksReady(unpacked), make: () => linkLibraries(unpacked) },
    { ready: () => addonReady(parts), make: () => buildAddon(parts, say) },
    { ready: () => distReady(root), make: () => buildDist(root, say) },
  ];
  if (!steps.every(({ ready }) => ready())) {
    await withLock(join(dirname(parts.folder), "setup.lock"), say, async () => {
      for (const { ready, make } of steps) if (!ready()) await make();
    });
  }
  say(`ready: Node ${process.versions.node}, libtensorflow ${VERSION} (${flavour})`);
}

try {
  await main();
} catch (error) {
  console.error(
    error instanceof Trouble ? `${error.message}\n  ${error.mend}` : `Set-up failed: ${reason(error)}.`,
  );
  process.exit(1);
}
