import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { installed, python } from "../notebooks/kernel.js";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where Chromium lies: `AUTOQNN_CHROMIUM`, or where distributions put it; undefined where there is none. */
export const chromium = [process.env.AUTOQNN_CHROMIUM ?? "", ...PLACES].find((path) => existsSync(path));

/** JupyterLab's own settings: every cell stands in the page, and nothing pops up. */
const SETTINGS = {
  "notebook-extension/tracker": { windowingMode: "none" },
  "apputils-extension/notification": { fetchNews: "false", checkForUpdates: false, doNotDisturbMode: true },
};

/** A running JupyterLab, on this machine alone, behind a token. */
export interface Lab {
  /** Its notebooks' folder. */
  readonly folder: string;
  /** The address at which a notebook of the folder opens. */
  address(notebook: string): string;
  close(): Promise<void>;
}

/** Starts JupyterLab on an empty folder of its own. */
export async function startLab(): Promise<Lab> {
  const { folder, env } = installed();
  const notebooks = join(folder, "notebooks");
  mkdirSync(notebooks);
  for (const [name, settings] of Object.entries(SETTINGS)) {
    const file = join(folder, "settings", "@jupyterlab", `${name}.jupyterlab-settings`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(settings));
  }
  const [port, token] = [await freePort(), randomBytes(16).toString("hex")];
  const server = spawn(
    python,
    [
      ...["-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"],
      ...["--ServerApp.ip=127.0.0.1", `--ServerApp.port=${port}`, "--ServerApp.port_retries=0"],
      ...[`--IdentityProvider.token=${token}`, `--ServerApp.root_dir=${notebooks}`],
    ],
    { env: { ...env, JUPYTERLAB_SETTINGS_DIR: join(folder, "settings") }, stdio: "ignore" },
  );
  const address = (path: string) => `http://127.0.0.1:${port}/${path}?token=${token}`;
  await answered(address("api/status"), server);
  return {
    folder: notebooks,
    address: (notebook) => address(`lab/tree/${notebook}`),
    close: async () => {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const found = server.address();
      server.close(() => resolve(typeof found === "object" && found ? found.port : 0));
    });
  });
}

async function answered(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 240; tries++) {
    if (server.exitCode !== null) throw new Error(`JupyterLab ended with exit code ${server.exitCode}.`);
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("JupyterLab gave no answer within two minutes.");
}
