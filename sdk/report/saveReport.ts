import { access, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AutoqnnError } from "../errors.js";
import { asCsv, asLatex, asMarkdown } from "../table.js";
import { figuresOf, type Report, tablesOf } from "./contents.js";
import { htmlReport } from "./html.js";
import { pngOf, renderSvg } from "./render.js";
import { stills } from "./stills.js";

/** Where files lie until all of them are complete; a leftover of a killed run is removed by the next. */
const STAGING = ".report-partial";

/** What a report's directory holds. The page needs no other file, and is what tells a report, so it is put there first. */
const PARTS = ["report.html", "figures", "tables"] as const;

/**
 * Writes a report for reading, for print and for other programs: `report.html`, every figure as `figures/NAME.svg` and
 * `.png`, every table as `tables/NAME.csv`, `.md` and `.tex`. A figure of several pages gives a picture for each. The
 * directory is made if it does not exist, an older report in it is replaced, and other files beside it stay; nothing is put
 * there before all files are complete.
 *
 * Throws AutoqnnError `bad-option` for a directory that cannot be written, or that holds figures or tables of something else.
 *
 * @example
 * await saveReport({ title: "ResNet8", floating, quantized, model, runs: [searched, learned] }, "out/report");
 */
export async function saveReport(report: Report, directory: string): Promise<void> {
  await checkReportDirectory(directory);
  const staging = join(directory, STAGING);
  try {
    for (const part of ["figures", "tables"]) await mkdir(join(staging, part), { recursive: true });
    for (const { name, figure } of figuresOf(report)) {
      const pages = stills(figure);
      for (const [index, page] of pages.entries()) {
        const path = join(staging, "figures", pages.length > 1 ? `${name}-page-${index + 1}` : name);
        const svg = await renderSvg(page);
        await writeFile(`${path}.svg`, svg);
        await writeFile(`${path}.png`, await pngOf(svg));
      }
    }
    for (const [name, table] of Object.entries(tablesOf(report))) {
      const path = join(staging, "tables", name);
      await writeFile(`${path}.csv`, asCsv(table));
      await writeFile(`${path}.md`, `${asMarkdown(table)}\n`);
      await writeFile(`${path}.tex`, asLatex(table));
    }
    await writeFile(join(staging, "report.html"), htmlReport(report));
    for (const part of PARTS) {
      await rm(join(directory, part), { recursive: true, force: true });
      await rename(join(staging, part), join(directory, part));
    }
    await rm(staging, { recursive: true });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
}

/**
 * Makes sure, before any work is done, that a report can be saved in `directory`.
 *
 * @throws AutoqnnError `bad-option` when it cannot be made or written, or holds figures or tables without a report.
 */
export async function checkReportDirectory(directory: string): Promise<void> {
  const staging = join(directory, STAGING);
  try {
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true });
    await writeFile(join(staging, "probe"), "");
    await rm(staging, { recursive: true });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  const names = await readdir(directory);
  const older = await access(join(directory, "report.html")).then(
    () => true,
    () => false,
  );
  const others = names.filter((name) => name === "figures" || name === "tables");
  if (older || others.length === 0) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a directory without figures and tables, or with an older report, received ${directory} with ${others.join(" and ")} and no report.html.`,
    "Choose a new directory.",
  );
}

function unwritable(directory: string, cause: unknown): AutoqnnError {
  if (cause instanceof AutoqnnError) return cause;
  return new AutoqnnError(
    "bad-option",
    `Expected a directory for a report that can be written, received ${directory} (${cause instanceof Error ? cause.message : String(cause)}).`,
    "Choose another directory, or mend its permissions or make room.",
    { cause },
  );
}
