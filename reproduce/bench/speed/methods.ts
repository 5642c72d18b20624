import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EnvironmentName, PYTHON, pythonOf } from "./environments.js";
import type { Device } from "./machine.js";
import { argumentsOf, type Network } from "./networks.js";
import type { Launch } from "./protocol.js";

/** A column of the table: what trains the network, and how. */
export interface Method {
  readonly id: string;
  readonly title: string;
  readonly worker: keyof typeof WORKERS;
  /** What the worker calls it. */
  readonly method: string;
  /** Where it is timed only there. */
  readonly device?: Device;
  /** Environment variables besides the worker's. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** How the workers are started. */
export interface Setting {
  readonly device: Device;
  readonly threads: number;
  /** A Python that has the peers' libraries, instead of the environments that are made for a processor. */
  readonly python?: string;
}

interface WorkerKind {
  readonly environment?: EnvironmentName;
  readonly script: string;
  /** Environment variables. */
  variables(setting: Setting): Readonly<Record<string, string>>;
}

/** What hides graphics processors from a library that would take them. */
const HIDDEN = { CUDA_VISIBLE_DEVICES: "-1" } as const;

const WORKERS = {
  ours: {
    script: "ours.ts",
    variables: ({ threads, device }) => ({ AUTOQNN_THREADS: String(threads), AUTOQNN_DEVICE: device }),
  },
  keras: {
    environment: "tensorflow",
    script: join("peers", "keras_worker.py"),
    // QKeras needs Keras 2, whose batch normalisation is also the fused one. TensorFlow leaves oneDNN off on some
    // processors; ours switches it on.
    variables: () => ({
      TF_USE_LEGACY_KERAS: "1",
      TF_ENABLE_ONEDNN_OPTS: "1",
      TF_CPP_MIN_LOG_LEVEL: "3",
      ...HIDDEN,
    }),
  },
  pytorch: {
    environment: "pytorch",
    script: join("peers", "torch_worker.py"),
    // Compiled anew by every process, so that the time it takes is seen.
    variables: ({ threads, device }) => ({
      OMP_NUM_THREADS: String(threads),
      TORCHINDUCTOR_FORCE_DISABLE_CACHES: "1",
      ...(device === "cpu" && HIDDEN),
    }),
  },
} as const satisfies Record<string, WorkerKind>;

const ours = (method: string, title: string): Method => ({
  id: method,
  title: `ours, ${title}`,
  worker: "ours",
  method,
});

/** The same compiled by XLA, on a graphics processor. */
const byXla = (row: Method): Method => ({
  ...row,
  id: `${row.id}-xla`,
  title: `${row.title}, by XLA`,
  device: "gpu",
  variables: { AUTOQNN_XLA: "1" },
});

const FP32 = ours("fp32", "FP32");
const ONE_SCHEME = ours("one-scheme", "W2A2, one scheme");
const QSS = ours("qss", "QSS, 8 schemes");

/** Keras's are of a processor alone: the last TensorFlow that has them knows no graphics processor of today. */
export const METHODS: readonly Method[] = [
  FP32,
  byXla(FP32),
  ONE_SCHEME,
  byXla(ONE_SCHEME),
  QSS,
  byXla(QSS),
  ours("qpl", "QPL"),
  ours("schemes-bits", "schemes x bits"),
  {
    ...{ id: "tensorflow", title: "TensorFlow, tf.function, FP32", worker: "keras", method: "function" },
    device: "cpu",
  },
  { id: "torch", title: "PyTorch, eager, FP32", worker: "pytorch", method: "eager" },
  { id: "torch-compile", title: "PyTorch, torch.compile, FP32", worker: "pytorch", method: "compiled" },
  { id: "qkeras", title: "QKeras, W2A2", worker: "keras", method: "qkeras", device: "cpu" },
  { id: "brevitas", title: "Brevitas, W2A2", worker: "pytorch", method: "brevitas" },
  { id: "torch-mixture", title: "PyTorch, mixture of 8", worker: "pytorch", method: "mixture" },
  {
    id: "torch-mixture-compile",
    title: "PyTorch, mixture of 8, compiled quantizers",
    worker: "pytorch",
    method: "compiled-mixture",
  },
];

/** Those that a device can run. */
export const methodsOn = (device: Device): Method[] =>
  METHODS.filter((method) => (method.device ?? device) === device);

/** The points of the curve over candidates, whose name says how many. */
export const candidateMethod = (count: number): Method =>
  ours(`candidates-${count}`, `${count} candidate${count > 1 ? "s" : ""}`);

/** How the worker of `method` on `network` is started; its environment is made where it is not there yet. */
export async function launchOf(
  { worker, method, variables }: Method,
  network: Network,
  setting: Setting,
  say: (line: string) => void,
): Promise<Launch> {
  const kind: WorkerKind = WORKERS[worker];
  const script = fileURLToPath(new URL(kind.script, import.meta.url));
  const interpreter = kind.environment
    ? [setting.python ?? (await pythonOf(kind.environment, say)), script]
    : [process.execPath, "--import", "tsx", script];
  const [command, ...first] = interpreter as [string, ...string[]];
  const own = ["--method", method, "--threads", String(setting.threads)];
  const device = kind.environment ? ["--device", setting.device === "gpu" ? "cuda" : "cpu"] : [];
  return {
    command,
    arguments: [...first, ...own, ...device, ...argumentsOf(network)],
    environment: { ...kind.variables(setting), ...variables, ...PYTHON },
  };
}
