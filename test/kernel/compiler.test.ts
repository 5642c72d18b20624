import { afterEach, expect, test } from "vitest";
import { runCell } from "../../sdk/kernel/cellRun.js";
import type { Cells } from "../../sdk/kernel/cells.js";
import { Compiler } from "../../sdk/kernel/compiler.js";

// The compiler is a process of its own, which runs the sources too.
process.execArgv.push("--import", "tsx");

let compiler: Compiler;

afterEach(() => compiler.stop());

/** Cells that define these names when they run, and do `work` besides. */
const cellsDefining = (defined: readonly string[], work = (): void => {}): Cells =>
  ({
    prepare: async () => ({ kind: "ready" }),
    run: async () => {
      work();
      return { kind: "ended", defined };
    },
  }) as unknown as Cells;

const run = (cells: Cells, name: string, code: string) =>
  runCell({ compiler, cells }, { name, code, allowInput: false }, new AbortController().signal);

test("a cell ends while the compiler is busy, and the next one knows what it defined", async () => {
  compiler = new Compiler();
  const order: string[] = [];
  let question: Promise<unknown> = Promise.resolve();
  const cells = cellsDefining(["first"], () => {
    // Reads the types of the SDK, for a second or so.
    question = compiler.call("complete", "tf.", 3).then(() => order.push("completed"));
  });
  expect(await run(cells, "In[1]", "const first = 1;")).toEqual({ ok: true });
  order.push("ended");
  const next = await run(cellsDefining(["second"]), "In[2]", "const second: number = first;");
  await question;
  expect(order).toEqual(["ended", "completed"]);
  expect(next).toEqual({ ok: true });
  const wrong = await run(cellsDefining([]), "In[3]", "const third: string = second;");
  expect(wrong).toMatchObject({ ok: false, failure: { evalue: expect.stringContaining("number") } });
});

test("what fails after a cell has ended is said by the next one", async () => {
  compiler = new Compiler();
  await compiler.call("complete", "1", 1);
  compiler.tell("compile", "In[1]", undefined as never);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await expect(compiler.call("complete", "1", 1)).rejects.toMatchObject({ code: "engine" });
  await expect(compiler.call("complete", "1", 1)).resolves.toBeDefined();
});
