import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EnvironmentName, PYTHON, pythonOf } from "./environments.js";
import { argumentsOf, type Network } from "./networks.js";
import type { Launch } from "./protocol.js";

/** A column of the table: what trains the network, and how. */
export interface Method {
  readonly id: string;
  readonly title: string;
  readonly worker: keyof typeof WORKERS;
  /** What the worker calls it. */
  readonly method: string;
}

interface WorkerKind {
  readonly environment?: EnvironmentName;
  readonly script: string;
  /** Environment variables for `threads` threads. */
  variables(threads: number): Readonly<Record<string, string>>;
}

const WORKERS = {
  ours: {
    script: "ours.ts",
    variables: (threads) => ({ AUTOQNN_THREADS: String(threads), AUTOQNN_DEVICE: "cpu" }),
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
      CUDA_VISIBLE_DEVICES: "-1",
    }),
  },
  pytorch: {
    environment: "pytorch",
    script: join("peers", "torch_worker.py"),
    // Compiled anew by every process, so that the time it takes is seen.
    variables: (threads) => ({
      OMP_NUM_THREADS: String(threads),
      CUDA_VISIBLE_DEVICES: "-1",
      TORCHINDUCTOR_FORCE_DISABLE_CACHES: "1",
    }),
  },
} as const satisfies Record<string, WorkerKind>;

const ours = (method: string, title: string): Method => ({
  id: method,
  title: `ours, ${title}`,
  worker: "ours",
  method,
});

export const METHODS: readonly Method[] = [
  ours("fp32", "FP32"),
  ours("one-scheme", "W2A2, one scheme"),
  ours("qss", "QSS, 8 schemes"),
  ours("qpl", "QPL"),
  ours("schemes-bits", "schemes x bits"),
  { id: "tensorflow", title: "TensorFlow, tf.function, FP32", worker: "keras", method: "function" },
  { id: "torch", title: "PyTorch, eager, FP32", worker: "pytorch", method: "eager" },
  { id: "torch-compile", title: "PyTorch, torch.compile, FP32", worker: "pytorch", method: "compiled" },
  { id: "qkeras", title: "QKeras, W2A2", worker: "keras", method: "qkeras" },
  { id: "brevitas", title: "Brevitas, W2A2", worker: "pytorch", method: "brevitas" },
  { id: "torch-mixture", title: "PyTorch, mixture of 8", worker: "pytorch", method: "mixture" },
  {
    id: "torch-mixture-compile",
    title: "PyTorch, mixture of 8, compiled quantizers",
    worker: "pytorch",
    method: "compiled-mixture",
  },
];

/** The points of the curve over candidates, whose name says how many. */
export const candidateMethod = (count: number): Method =>
  ours(`candidates-${count}`, `${count} candidate${count > 1 ? "s" : ""}`);

/** How the worker of `method` on `network` is started; its environment is made where it is not there yet. */
export async function launchOf(
  { worker, method }: Method,
  network: Network,
  threads: number,
  say: (line: string) => void,
): Promise<Launch> {
  const kind: WorkerKind = WORKERS[worker];
  const script = fileURLToPath(new URL(kind.script, import.meta.url));
  const interpreter = kind.environment
    ? [await pythonOf(kind.environment, say), script]
    : [process.execPath, "--import", "tsx", script];
  const [command, ...first] = interpreter as [string, ...string[]];
  return {
    command,
    arguments: [...first, "--method", method, ...argumentsOf(network), "--threads", String(threads)],
    environment: { ...kind.variables(threads), ...PYTHON },
  };
}
