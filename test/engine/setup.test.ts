import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { device, hasDriver, place } from "../../sdk/engine/native/place.mjs";
import { addonReady, buildAddon } from "../../sdk/engine/native/setup/addon.mjs";
import { buildDist, distReady } from "../../sdk/engine/native/setup/dist.mjs";
import {
  checkSpace,
  installLibrary,
  libraryReady,
  linkLibraries,
  linksReady,
} from "../../sdk/engine/native/setup/library.mjs";
import { withLock } from "../../sdk/engine/native/setup/lock.mjs";
import { packagesReady } from "../../sdk/engine/native/setup/packages.mjs";
import { Trouble } from "../../sdk/engine/native/setup/trouble.mjs";
import { unzip } from "../../sdk/engine/native/setup/unzip.mjs";
import { WHEELS } from "../../sdk/engine/native/setup/wheels.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const environment = { ...process.env };
const said: string[] = [];
const say = (line: string) => said.push(line);
let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autoqnn-setup-"));
  said.length = 0;
});

afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function trouble(work: () => unknown): Promise<Trouble> {
  const error = await Promise.resolve()
    .then(work)
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Trouble);
  return error as Trouble;
}

/** A program of the path, which is otherwise empty. */
function install(name: string, script: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, name), `#!${process.execPath}\n${script}`);
  chmodSync(join(bin, name), 0o755);
  return bin;
}

function emptyPath(): void {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  process.env.PATH = bin;
  process.env.HOME = folder;
  process.env.XDG_CONFIG_HOME = join(folder, "config");
  for (const name of ["PIP_INDEX_URL", "PIP_CONFIG_FILE", "CXX"]) delete process.env[name];
}

const library = Buffer.from("a shared library ".repeat(1000));
const archive = zipSync({
  "tensorflow/libtensorflow_cc.so.2": library,
  "tensorflow/include/tensorflow/c/c_api.h": [Buffer.from("// a header"), { level: 0 }],
  "tensorflow/python/module.py": Buffer.from("unwanted"),
  "nvidia/cudnn/lib/libcudnn.so.9": Buffer.from("cudnn"),
});
const wheel = {
  name: "tensorflow-cpu",
  version: "2.21.0",
  file: "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl",
  sha256: createHash("sha256").update(archive).digest("hex"),
};

async function serve(listener: RequestListener): Promise<void> {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  process.env.PIP_INDEX_URL = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/simple`;
}

/** A package index with the wheel; `page` is what it answers for the package. */
function index(page: string, type: string, body: Uint8Array = archive): Promise<void> {
  return serve((request, response) => {
    if (request.url === "/simple/tensorflow-cpu/") response.setHeader("content-type", type).end(page);
    else if (request.url === `/files/${wheel.file}`) response.end(body);
    else response.writeHead(404).end();
  });
}

const json = JSON.stringify({ files: [{ filename: wheel.file, url: `../../files/${wheel.file}` }] });
const html = `<a href="/files/${wheel.file}#sha256=${wheel.sha256}">${wheel.file}</a>`;

describe("libtensorflow", () => {
  it.each([
    ["JSON", json, "application/vnd.pypi.simple.v1+json"],
    ["links", html, "text/html"],
  ])("comes from an index of %s where there is no pip", async (_, page, type) => {
    emptyPath();
    await index(page, type);
    const target = join(folder, "lib");
    mkdirSync(`${target}.partial/tensorflow`, { recursive: true });
    writeFileSync(`${target}.partial/tensorflow/half`, "of an earlier download");
    expect(libraryReady(target, [wheel])).toBe(false);
    await installLibrary(target, [wheel], "cpu", say);
    expect(libraryReady(target, [wheel])).toBe(true);
    expect(readFileSync(join(target, "tensorflow/libtensorflow_cc.so.2")).equals(library)).toBe(true);
    expect(readFileSync(join(target, "tensorflow/include/tensorflow/c/c_api.h"), "utf8")).toBe("// a header");
    expect(readdirSync(join(target, "tensorflow")).sort()).toEqual(["include", "libtensorflow_cc.so.2"]);
    expect(existsSync(join(target, "nvidia/cudnn/lib/libcudnn.so.9"))).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["bin", "lib"]);
    expect(said).toEqual([`downloading ${wheel.file}`, `unpacking ${wheel.file}`]);
  });

  it("comes from the index of pip's configuration file", async () => {
    emptyPath();
    await index(json, "application/vnd.pypi.simple.v1+json");
    mkdirSync(join(folder, "config", "pip"), { recursive: true });
    writeFileSync(
      join(folder, "config/pip/pip.conf"),
      `[global]\nindex-url = ${process.env.PIP_INDEX_URL}\n`,
    );
    delete process.env.PIP_INDEX_URL;
    await installLibrary(join(folder, "lib"), [wheel], "cpu", say);
    expect(libraryReady(join(folder, "lib"), [wheel])).toBe(true);
  });

  it("comes by pip where there is one, for one platform and one Python", async () => {
    emptyPath();
    writeFileSync(join(folder, "source.whl"), archive);
    install(
      "python3",
      `const { copyFileSync, writeFileSync } = require("node:fs");
       const words = process.argv.slice(2);
       if (words[2] !== "download") process.exit(0);
       writeFileSync(${JSON.stringify(join(folder, "words"))}, words.join(" "));
       copyFileSync(${JSON.stringify(join(folder, "source.whl"))}, words[words.indexOf("--dest") + 1] + "/${wheel.file}");`,
    );
    await installLibrary(join(folder, "lib"), [wheel], "cpu", say);
    expect(libraryReady(join(folder, "lib"), [wheel])).toBe(true);
    const words = readFileSync(join(folder, "words"), "utf8");
    expect(words).toContain("--no-deps --only-binary=:all:");
    expect(words).toContain("--abi cp311 --python-version 3.11 --platform manylinux_2_27_x86_64");
    expect(words.endsWith("tensorflow-cpu==2.21.0")).toBe(true);
  });

  it("is noticed when a file is cut, missing, or of other wheels", async () => {
    emptyPath();
    await index(json, "application/vnd.pypi.simple.v1+json");
    const target = join(folder, "lib");
    await installLibrary(target, [wheel], "cpu", say);
    expect(libraryReady(target, [{ ...wheel, sha256: "0" }])).toBe(false);
    truncateSync(join(target, "tensorflow/libtensorflow_cc.so.2"), 100);
    expect(libraryReady(target, [wheel])).toBe(false);
    await installLibrary(target, [wheel], "cpu", say);
    expect(libraryReady(target, [wheel])).toBe(true);
    rmSync(join(target, "tensorflow/libtensorflow_cc.so.2"));
    expect(libraryReady(target, [wheel])).toBe(false);
  });

  it("has cuSOLVER linked where TensorFlow looks for it, on a GPU alone", () => {
    expect(linksReady(folder)).toBe(true);
    for (const name of ["cusolver", "cusparse"]) {
      mkdirSync(join(folder, `nvidia/${name}/lib`), { recursive: true });
      writeFileSync(join(folder, `nvidia/${name}/lib/lib${name}.so.${name === "cusolver" ? 11 : 12}`), name);
    }
    expect(linksReady(folder)).toBe(false);
    linkLibraries(folder);
    expect(linksReady(folder)).toBe(true);
    expect(readFileSync(join(folder, "nvidia/cusparse/lib/libcusolver.so.11"), "utf8")).toBe("cusolver");
  });

  it("is not put in place when the download is another file, or ends early", async () => {
    emptyPath();
    const target = join(folder, "lib");
    await index(json, "application/vnd.pypi.simple.v1+json", archive.subarray(0, 500));
    const other = await trouble(() => installLibrary(target, [wheel], "cpu", say));
    expect(other.message).toContain(`Expected ${wheel.file} with sha256 ${wheel.sha256}, received `);
    server!.close();
    await serve((request, response) => {
      if (request.url?.startsWith("/simple"))
        response.setHeader("content-type", "application/json").end(json);
      else {
        response.writeHead(200, { "content-length": archive.length });
        response.write(archive.subarray(0, 500), () => response.destroy());
      }
    });
    const early = await trouble(() => installLibrary(target, [wheel], "cpu", say));
    expect(early.message).toContain(`${wheel.file} could not be downloaded`);
    expect(existsSync(target)).toBe(false);
  });

  it("needs pip or an index, a network, and space: each is told with what mends it", async () => {
    emptyPath();
    const target = join(folder, "lib");
    const none = await trouble(() => installLibrary(target, [wheel], "cpu", say));
    expect(none.message).toContain("Python 3 with pip is needed once");
    expect(none.mend).toContain("apt-get install python3-pip");
    process.env.PIP_INDEX_URL = "http://127.0.0.1:9/simple";
    const offline = await trouble(() => installLibrary(target, [wheel], "cpu", say));
    expect(offline.message).toContain("could not be downloaded");
    expect(offline.mend).toContain("network");
    install(
      "python3",
      `if (process.argv[4] === "download") { console.error("ERROR: no route to host"); process.exit(1); }`,
    );
    const pip = await trouble(() => installLibrary(target, [wheel], "cpu", say));
    expect(pip.message).toBe("pip could not download tensorflow-cpu 2.21.0: ERROR: no route to host.");
    expect(pip.mend).toContain("pip download");
    const full = await trouble(() => checkSpace(folder, 1e18));
    expect(full.message).toMatch(/^1000000000 GB of disk space are needed in .* and [\d.]+ GB are free\.$/);
    expect(full.mend).toContain("XDG_CACHE_HOME");
  });

  it("is pinned by name, version and hash for every platform and flavour", () => {
    const wheels = Object.values(WHEELS).flatMap((flavours) => Object.values(flavours).flat());
    expect(wheels.length).toBeGreaterThan(10);
    for (const { name, version, file, sha256 } of wheels) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(file.startsWith(`${name.replaceAll("-", "_")}-${version}-`)).toBe(true);
    }
    expect(new Set(wheels.map(({ sha256 }) => sha256)).size).toBe(wheels.length);
  });
});

describe("unzip", () => {
  it("refuses damaged archives and names that leave the folder", async () => {
    const path = join(folder, "archive.zip");
    const refusal = async (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      return unzip(path, join(folder, "out"), () => true).then(
        () => "unpacked",
        (error: Error) => error.message,
      );
    };
    expect(await refusal(archive)).toBe("unpacked");
    expect(await refusal(archive.subarray(0, archive.length - 30))).toContain("no directory");
    expect(await refusal(Buffer.concat([archive.subarray(20), Buffer.alloc(0)]))).not.toBe("unpacked");
    expect(await refusal(zipSync({ "../escape": Buffer.from("x") }))).toContain(
      '"../escape" leaves the folder',
    );
    expect(existsSync(join(folder, "escape"))).toBe(false);
    const broken = Buffer.from(archive);
    broken.fill(0xff, 60, 90);
    expect(await refusal(broken)).not.toBe("unpacked");
  });
});

describe("the addon", () => {
  const parts = () => ({
    folder,
    library: join(folder, "lib"),
    nvrtc: join(folder, "nvrtc"),
    addon: { file: join(folder, "a.node"), sources: [join(folder, "a.cc")] },
    loader: { file: join(folder, "l.node"), sources: [join(folder, "l.cc")] },
  });

  it("needs a compiler that compiles", async () => {
    emptyPath();
    const none = await trouble(() => buildAddon(parts(), say));
    expect(none.message).toContain("A C++17 compiler is needed");
    expect(none.mend).toBe("apt-get install g++");
    process.env.CXX = "icc";
    expect((await trouble(() => buildAddon(parts(), say))).message).toContain('"icc" (CXX) was found');
    delete process.env.CXX;
    install(
      "g++",
      `if (process.argv.includes("--version")) process.exit(0);
       console.error("In file errors.h:\\na.cc:1:1: error: expected a declaration\\nmore");
       process.exit(1);`,
    );
    const failed = await trouble(() => buildAddon(parts(), say));
    expect(failed.message).toBe(
      "g++ could not compile the native engine: a.cc:1:1: error: expected a declaration.",
    );
    expect(addonReady(parts())).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith("build-"))).toEqual([]);
  });

  it("is not put in place when it does not load", async () => {
    emptyPath();
    install(
      "g++",
      `const { argv } = process;
       if (!argv.includes("--version")) require("node:fs").writeFileSync(argv[argv.indexOf("-o") + 1], "no library");`,
    );
    const failed = await trouble(() => buildAddon(parts(), say));
    expect(failed.message).toContain("was built and does not load");
    expect(existsSync(parts().loader.file)).toBe(false);
  });
});

describe("the lock", () => {
  it("makes the second wait for the first", async () => {
    const order: string[] = [];
    let finish: () => void = () => {};
    const first = withLock(join(folder, "lock"), say, async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      order.push("first");
    });
    const second = withLock(join(folder, "lock"), say, async () => void order.push("second"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(said.length).toBe(1);
    finish();
    await Promise.all([first, second]);
    expect(order).toEqual(["first", "second"]);
    expect(existsSync(join(folder, "lock"))).toBe(false);
  });

  it("is taken over from a process that died, and removed when the work fails", async () => {
    const dead = spawnSync(
      process.execPath,
      ["-e", "console.log(process.pid, require('node:os').hostname())"],
      { encoding: "utf8" },
    );
    const [pid, host] = dead.stdout.trim().split(" ");
    writeFileSync(join(folder, "lock"), JSON.stringify({ host, pid: Number(pid) }));
    const failing = withLock(join(folder, "lock"), say, async () => {
      throw new Error("of the work");
    });
    await expect(failing).rejects.toThrow("of the work");
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("the npm packages", () => {
  it("are ready when npm's own record in node_modules agrees with the lock", () => {
    const locked = { "": { version: "1.0.0" }, "node_modules/a": { version: "1.0.0", integrity: "x" } };
    const optional = { "node_modules/b": { version: "1.0.0", integrity: "y", optional: true } };
    const write = (path: string, packages: object) =>
      writeFileSync(join(folder, path), JSON.stringify({ packages }));
    expect(packagesReady(folder)).toBe(true);
    write("package-lock.json", { ...locked, ...optional });
    expect(packagesReady(folder)).toBe(false);
    mkdirSync(join(folder, "node_modules/a"), { recursive: true });
    expect(packagesReady(folder)).toBe(false);
    write("node_modules/.package-lock.json", { "node_modules/a": locked["node_modules/a"] });
    expect(packagesReady(folder)).toBe(true);
    write("node_modules/.package-lock.json", { "node_modules/a": { version: "1.0.1", integrity: "z" } });
    expect(packagesReady(folder)).toBe(false);
    write("node_modules/.package-lock.json", { "node_modules/a": locked["node_modules/a"] });
    rmSync(join(folder, "node_modules/a"), { recursive: true });
    expect(packagesReady(folder)).toBe(false);
  });
});

describe("npm run setup", () => {
  /** Runs the set-up of a copy of the package without its parts. */
  function setUp(env: NodeJS.ProcessEnv) {
    const copy = join(folder, "copy");
    cpSync(join(root, "sdk/engine/native"), join(copy, "sdk/engine/native"), { recursive: true });
    cpSync(join(root, "package.json"), join(copy, "package.json"));
    if (!existsSync(join(copy, "node_modules")))
      symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    return spawnSync(process.execPath, [join(copy, "sdk/engine/native/setup.mjs")], {
      encoding: "utf8",
      env,
    });
  }

  it("says what is missing in a sentence with the command, without a stack trace, and ends with 1", () => {
    emptyPath();
    const { AUTOQNN_DEVICE: _, ...env } = process.env;
    const bare = setUp({ ...env, XDG_CACHE_HOME: join(folder, "cache") });
    expect(bare.status).toBe(1);
    expect(bare.stderr.split("\n")[0]).toContain("Python 3 with pip is needed once");
    expect(bare.stderr).toContain("apt-get install python3-pip");
    expect(bare.stderr).not.toContain("    at ");
    expect(readdirSync(join(folder, "cache/autoqnn"))).not.toContain("setup.lock");
    const device = setUp({ ...env, AUTOQNN_DEVICE: "tpu" });
    expect(device.status).toBe(1);
    expect(device.stderr).toContain(
      'AUTOQNN_DEVICE must be cpu or gpu, and is "tpu".\n  unset AUTOQNN_DEVICE',
    );
  });

  it("has nothing to do the second time", () => {
    const again = setUp(process.env);
    expect(again.stderr).toBe("");
    expect(again.stdout).toBe(
      `set-up: ready: Node ${process.versions.node}, libtensorflow 2.21.0 (${device()})\n`,
    );
    expect(again.status).toBe(0);
  });
});

describe("dist", () => {
  it("is built when the sources have changed, and not when they do not compile", async () => {
    mkdirSync(join(folder, "sdk"));
    mkdirSync(join(folder, "datasets"));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    for (const file of ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]) {
      cpSync(join(root, file), join(folder, file));
    }
    writeFileSync(join(folder, "sdk/one.ts"), "export const one: number = 1;");
    expect(distReady(folder)).toBe(false);
    buildDist(folder, say);
    expect(distReady(folder)).toBe(true);
    expect(readFileSync(join(folder, "dist/sdk/one.js"), "utf8")).toContain("one = 1");
    writeFileSync(join(folder, "sdk/one.ts"), 'export const one: number = "1";');
    expect(distReady(folder)).toBe(false);
    const error = await trouble(() => buildDist(folder, say));
    expect(error.message).toMatch(/^dist\/ could not be built: sdk\/one\.ts\(1,14\): error TS2322: /);
    expect(error.mend).toBe("npm run build");
    expect(distReady(folder)).toBe(false);
    rmSync(join(folder, "tsconfig.build.json"));
    expect(distReady(folder)).toBe(true);
  });
});

describe("inspectEngine", () => {
  it("reports the engine, or what keeps it from running", () => {
    const script = `import { inspectEngine } from "./sdk/engine/doctor.ts"; console.log(JSON.stringify(await inspectEngine()));`;
    const inspect = (env: NodeJS.ProcessEnv) => {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        ["--import", "tsx", "--input-type=module", "-e", script],
        {
          encoding: "utf8",
          cwd: root,
          env: { ...process.env, ...env },
        },
      );
      expect(stderr).toBe("");
      return JSON.parse(stdout);
    };
    expect(inspect({})).toMatchObject({
      node: process.versions.node,
      tensorflow: "2.21.0",
      device: device(),
      problems: [],
    });
    mkdirSync(join(folder, "without-gpu/autoqnn"), { recursive: true });
    symlinkSync(place("cpu").folder, join(folder, "without-gpu/autoqnn/2.21.0-gpu"));
    if (!hasDriver()) {
      const gpu = inspect({ XDG_CACHE_HOME: join(folder, "without-gpu"), AUTOQNN_DEVICE: "gpu" });
      expect(gpu.problems).toEqual([
        {
          what: "Expected a GPU, TensorFlow found none it can use.",
          mend: "Update the NVIDIA driver, or set AUTOQNN_DEVICE=cpu.",
        },
      ]);
    }
    const missing = inspect({ XDG_CACHE_HOME: folder });
    expect(missing.tensorflow).toBeUndefined();
    expect(missing.problems).toEqual([
      {
        what: expect.stringMatching(/^Expected the native engine at ".*", found nothing\.$/),
        mend: "Run npm run setup.",
      },
    ]);
  });
});
