import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { AutoqnnError } from "../errors.js";

/**
 * Takes the file at `path` for this process alone until the returned function is called. What a killed process of this
 * machine has left is taken over. Throws AutoqnnError `bad-file` while another process has it.
 */
export async function lock(path: string): Promise<() => Promise<void>> {
  const name = `${path}.lock`;
  const own = JSON.stringify({ process: process.pid, host: hostname() });
  for (let attempt = 0; ; attempt++) {
    try {
      const file = await open(name, "wx");
      await file.writeFile(own);
      await file.close();
      return () => rm(name, { force: true });
    } catch (cause) {
      const error = cause as NodeJS.ErrnoException;
      if (error.code !== "EEXIST") {
        throw new AutoqnnError(
          "bad-file",
          `Expected to write beside ${path}, received ${error.message}.`,
          "Give a file in a directory that exists and can be written.",
          { cause },
        );
      }
    }
    const holder = await readHolder(name);
    if (attempt > 0 || (holder && (holder.host !== hostname() || alive(holder.process)))) {
      throw new AutoqnnError(
        "bad-file",
        `Expected ${path} for this process alone, received one that process ${holder?.process ?? "?"} on ${holder?.host ?? "?"} writes.`,
        `Wait for it, or give another file. If that process is no more, delete ${name}.`,
      );
    }
    await rm(name, { force: true });
  }
}

async function readHolder(name: string): Promise<{ process: number; host: string } | undefined> {
  try {
    return JSON.parse(await readFile(name, "utf8"));
  } catch {
    return undefined;
  }
}

function alive(id: number): boolean {
  if (id === process.pid) return true;
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
