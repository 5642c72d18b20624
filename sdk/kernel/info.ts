import { createRequire } from "node:module";
import type { Json } from "./wire.js";

const require = createRequire(import.meta.url);

const { version: VERSION } = require("autoqnn/package.json") as { version: string };

/** What the kernel says of itself and its language. */
export function kernelInfo(): Json {
  const { version } = require("typescript/package.json") as { version: string };
  return {
    status: "ok",
    protocol_version: "5.3",
    implementation: "autoqnn",
    implementation_version: VERSION,
    banner: `AutoQNN ${VERSION}, TypeScript ${version}, Node ${process.versions.node}`,
    language_info: {
      name: "typescript",
      version,
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      // The classic notebook reads `name` and `typescript`, JupyterLab `mode`.
      codemirror_mode: { name: "javascript", typescript: true, mode: "typescript" },
      nbconvert_exporter: "script",
    },
    help_links: [],
    debugger: false,
  };
}
