import { createRequire } from "node:module";
import { join } from "node:path";
import { AutoqnnError } from "../../errors.js";

/** The library of data frames, danfojs-node, loaded when first used. */
export const dfd: typeof import("danfojs-node") = new Proxy({} as typeof import("danfojs-node"), {
  get: (_, name) => Reflect.get(danfo(), name),
  has: (_, name) => Reflect.has(danfo(), name),
  ownKeys: () => Reflect.ownKeys(danfo()),
  getOwnPropertyDescriptor: (_, name) => {
    const found = Reflect.getOwnPropertyDescriptor(danfo(), name);
    return found && { ...found, configurable: true };
  },
});

let loaded: typeof import("danfojs-node") | undefined;

function danfo(): typeof import("danfojs-node") {
  loaded ??= findDanfo();
  return loaded;
}

/** The notebook's own, or the one beside this package. */
function findDanfo(): typeof import("danfojs-node") {
  for (const place of [join(process.cwd(), "notebook.js"), import.meta.url]) {
    const require = createRequire(place);
    try {
      require.resolve("danfojs-node");
    } catch {
      continue;
    }
    return require("danfojs-node");
  }
  throw new AutoqnnError(
    "bad-option",
    "Expected danfojs-node for data frames, which is not installed.",
    "Run `npm install danfojs-node` in the notebook's folder.",
  );
}
