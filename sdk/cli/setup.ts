import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Runs the set-up script as it is run after a clone; it tells by itself what it does and what is missing. */
export async function setup(): Promise<void> {
  const script = fileURLToPath(new URL("../engine/native/setup.mjs", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: "inherit" });
  const code = await new Promise<number | null>((resolve, reject) =>
    child.on("exit", resolve).on("error", reject),
  );
  if (code !== 0) throw new Error(`Set-up failed (exit code ${code}); the reason stands above.`);
}
