import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EnvironmentName, PYTHON, pythonOf } from "../speed/environments.js";
import type { Launch } from "../speed/protocol.js";

/** A line of the table: who makes batches, and what is done beside windows of random size and flips. */
export interface Row {
  readonly id: string;
  readonly work: keyof typeof WORK;
  readonly title: string;
  readonly worker: keyof typeof WORKERS;
  /** What the worker calls it. */
  readonly method: string;
  /** Whether it is a peer that ours is held against; others only tell where the time goes. */
  readonly peer?: boolean;
}

/** What is asked of everybody. */
export interface Task {
  readonly folder: string;
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
}

/** What the rows that are held against each other all do. */
export const WORK = {
  crop: "windows and flips",
  jitter: "and colour jitter",
  randaugment: "and RandAugment",
} as const;

const WORKERS: Record<
  "ours" | "tensorflow" | "torchvision",
  { script: string; environment?: EnvironmentName; variables: Readonly<Record<string, string>> }
> = {
  ours: { script: "ours.ts", variables: { AUTOQNN_DEVICE: "cpu" } },
  tensorflow: {
    environment: "tensorflow",
    script: join("peers", "tensorflow_worker.py"),
    variables: { TF_CPP_MIN_LOG_LEVEL: "3", CUDA_VISIBLE_DEVICES: "-1" },
  },
  torchvision: {
    environment: "pytorch",
    script: join("peers", "torchvision_worker.py"),
    variables: { CUDA_VISIBLE_DEVICES: "-1" },
  },
};

const rowsOf = (work: Row["work"]): Row[] => [
  { id: `ours-${work}`, work, title: "ours", worker: "ours", method: work },
  {
    id: `torchvision-${work}`,
    work,
    title: "torchvision, Pillow",
    worker: "torchvision",
    method: work,
    peer: true,
  },
  {
    id: `torchvision-tensors-${work}`,
    work,
    title: "torchvision, tensors",
    worker: "torchvision",
    method: `${work}-tensors`,
    peer: true,
  },
];

// TensorFlow's Python has neither colour jitter in random order nor RandAugment.
export const ROWS: readonly Row[] = [
  ...rowsOf("crop"),
  {
    id: "tensorflow",
    work: "crop",
    title: "tf.data",
    worker: "tensorflow",
    method: "crop",
    peer: true,
  },
  {
    id: "tensorflow-antialiased",
    work: "crop",
    title: "tf.data, anti-aliased",
    worker: "tensorflow",
    method: "antialiased",
  },
  ...rowsOf("jitter"),
  ...rowsOf("randaugment"),
];

/** How the worker of a row is started; its environment is made where it is not there yet. */
export async function launchOf(
  { worker, method }: Row,
  task: Task,
  say: (line: string) => void,
): Promise<Launch> {
  const { environment, script, variables } = WORKERS[worker];
  const path = fileURLToPath(new URL(script, import.meta.url));
  const interpreter = environment
    ? [await pythonOf(environment, say), path]
    : [process.execPath, "--import", "tsx", path];
  const [command, ...first] = interpreter as [string, ...string[]];
  const threads = worker === "ours" ? { AUTOQNN_THREADS: String(task.threads) } : {};
  return {
    command,
    arguments: [
      ...first,
      ...["--method", method],
      ...Object.entries(task).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ],
    environment: { ...variables, ...threads, ...PYTHON },
  };
}
