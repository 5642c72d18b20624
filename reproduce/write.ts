import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { page } from "../sdk/report/page.js";
import { renderSvg } from "../sdk/report/render.js";
import { asCsv, asHtml, asMarkdown, escapeHtml } from "../sdk/table.js";
import type { Experiment, Extent, Found } from "./experiment.js";

/**
 * Writes one experiment into a directory: `table-N-NAME.md`, `.html` and `.csv` (one for each of its tables), and its figures
 * as `figures/NAME.svg`.
 *
 * @returns the path of the Markdown file
 */
export async function write(
  experiment: Experiment,
  scale: Extent,
  found: Found,
  directory: string,
): Promise<string> {
  const title = experiment.title(scale);
  const { tables, notes, figures } = experiment.render(scale, found);
  const base = `table-${experiment.number}-${experiment.name}`;
  mkdirSync(join(directory, "figures"), { recursive: true });
  for (const { name, figure } of figures) {
    const path = join(directory, "figures", name);
    const svg = await renderSvg(figure);
    writeFileSync(`${path}.svg`, svg);
  }
  for (const [index, { table }] of tables.entries()) {
    const part = tables.length > 1 ? `-${index + 1}` : "";
    writeFileSync(join(directory, `${base}${part}.csv`), asCsv(table));
  }
  const markdown = [
    `# ${title}`,
    notes.map((note) => `- ${note}`).join("\n"),
    ...tables.map(({ caption, table }) => `## ${caption}\n\n${asMarkdown(table)}`),
    ...figures.map(({ name, caption }) => `![${caption}](figures/${name}.svg)\n\n${caption}`),
  ];
  const file = join(directory, `${base}.md`);
  writeFileSync(file, `${markdown.filter((part) => part !== "").join("\n\n")}\n`);
  const body = [
    ...tables.map(
      ({ caption, table }) => `<section><h2>${escapeHtml(caption)}</h2>${asHtml(table)}</section>`,
    ),
    ...figures.map(
      ({ name, caption }) =>
        `<section><img src="figures/${name}.svg" alt=""><p>${escapeHtml(caption)}</p></section>`,
    ),
  ];
  writeFileSync(join(directory, `${base}.html`), page(title, notes, body.join("\n")));
  return file;
}
