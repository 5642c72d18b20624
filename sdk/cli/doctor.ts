/** Tells what the engine runs on. Ends with an error where it does not run, after the commands that mend it. */
export async function doctor({ json }: { json?: true }): Promise<void> {
  const { inspectEngine } = await import("../index.js");
  const report = await inspectEngine();
  const { problems, ...facts } = report;
  if (json) console.log(JSON.stringify(report, undefined, 2));
  else {
    for (const [name, value] of Object.entries(facts)) console.log(`${name.padEnd(12)}${value}`);
    for (const { what, mend } of problems) console.log(`\n${what}\n  ${mend}`);
  }
  if (problems.length > 0) throw new Error("The native engine does not run on this machine.");
}
