import { basename, dirname, resolve } from "node:path";

/** The file of a shard's results, beside that of the whole. */
export const shardFile = (out: string, index: number | string, count: number): string =>
  `${out.replace(/\.sqlite$/, "")}.shard-${index}-of-${count}.sqlite`;

/**
 * A job script for Slurm: an array of `count` tasks, each of which does one shard of the study in `file`. Results are merged
 * afterwards, by the command in its last line.
 */
export function slurmScript(file: string, out: string, count: number): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const shard = shardFile(out, "", count).split("shard-");
  const own = `${quote(`${shard[0]}shard-`)}"$SLURM_ARRAY_TASK_ID"${quote(shard[1]!)}`;
  const name = basename(out).replace(/\.sqlite$/, "");
  return `#!/bin/bash
#SBATCH --job-name=${name.replace(/\W+/g, "-")}
#SBATCH --array=0-${count - 1}
#SBATCH --output=${name.replace(/[^\w.-]+/g, "-")}-%a.log
# Give time, memory, cores and GPU as the cluster asks for them: sbatch --time=... --cpus-per-task=... --gres=... SCRIPT
set -e
cd ${quote(dirname(resolve(file)))}
export AUTOQNN_THREADS="\${SLURM_CPUS_PER_TASK:-}"
npx autoqnn study ${quote(resolve(file))} --shard "$SLURM_ARRAY_TASK_ID/${count}" --out ${own}
# When all tasks have ended:
# npx autoqnn study merge ${quote(`${shard[0]}shard-`)}*${quote(shard[1]!)} --out ${quote(out)}
`;
}
