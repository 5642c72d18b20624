import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The version of this package. From the sources and from `dist` alike, package.json is found by name. */
export const VERSION: string = (require("autoqnn/package.json") as { version: string }).version;
