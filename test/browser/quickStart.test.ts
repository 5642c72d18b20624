import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium as browsers, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../sdk/engine/native/place.mjs";
import { missing as noJupyter } from "../notebooks/kernel.js";
import { chromium, type Lab, startLab } from "./lab.js";

const NOTEBOOK = "02-quick-start.ipynb";
const SOURCE = fileURLToPath(new URL(`../../notebooks/${NOTEBOOK}`, import.meta.url));
const PICTURES = join(root, "out", "browser");
const MINUTES = 60_000;

const missing = noJupyter || (chromium ? "" : "Chromium was not found; set AUTOQNN_CHROMIUM");
if (missing && process.env.CI) throw new Error(missing);

/** JupyterLab's application, which it gives to the page when asked to. */
declare const jupyterapp: {
  readonly commands: { execute(name: string): Promise<unknown> };
  readonly shell: { readonly currentWidget: OpenNotebook | null };
};

interface OpenNotebook {
  readonly context: { readonly path: string };
  readonly sessionContext?: {
    readonly isReady: boolean;
    readonly session: {
      readonly kernel: { readonly status: string; readonly connectionStatus: string };
    } | null;
  };
}

/**
 * Whether the notebook that has the focus is `path`, its kernel started and its socket open. JupyterLab's indicator says
 * "idle" before, and what is run then is dropped without a word.
 */
function connected(path: string): boolean {
  const open = jupyterapp.shell.currentWidget;
  const kernel =
    open?.context.path === path && open.sessionContext?.isReady && open.sessionContext.session?.kernel;
  return kernel ? kernel.status === "idle" && kernel.connectionStatus === "connected" : false;
}

/** These follow each other, as one does who sits before it. */
describe.skipIf(missing !== "")(`notebook 02 in JupyterLab${missing && ` (skipped: ${missing})`}`, () => {
  let lab: Lab;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    lab = await startLab();
    const notebook = JSON.parse(readFileSync(SOURCE, "utf8"));
    for (const cell of notebook.cells) if (cell.outputs) cell.outputs = [];
    writeFileSync(join(lab.folder, NOTEBOOK), JSON.stringify(notebook));
    browser = await browsers.launch({ executablePath: chromium!, args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
    await page.goto(lab.address(NOTEBOOK));
    // Commands act on the notebook that has the focus.
    await page
      .locator(".jp-NotebookPanel .jp-MarkdownCell")
      .first()
      .click({ timeout: 2 * MINUTES });
    await page.waitForFunction(connected, NOTEBOOK, { timeout: 2 * MINUTES });
  }, 4 * MINUTES);

  afterAll(async () => {
    await browser?.close();
    await lab?.close();
  }, MINUTES);

  const cell = (text: string): Locator => page.locator(".jp-CodeCell").filter({ hasText: text }).last();
  const outputs = (of: Locator): Locator => of.locator(".jp-OutputArea-output");
  const picture = (name: string) => page.screenshot({ path: join(PICTURES, `${name}.png`) });

  const command = (name: string) =>
    page.evaluate(async (asked) => {
      await jupyterapp.commands.execute(asked);
    }, `notebook:${name}`);

  /** Starts a command that ends with the cells, without waiting for them. */
  const start = (name: string) =>
    page.evaluate((asked) => {
      jupyterapp.commands.execute(asked);
    }, `notebook:${name}`);

  /** Adds a cell below the selected one, the last, and starts it. */
  async function run(source: string): Promise<void> {
    await command("insert-cell-below");
    await command("enter-edit-mode");
    await page.keyboard.insertText(source);
    await start("run-cell");
  }

  /** What a locator shows, each time that it shows something else, until `count` were seen. */
  async function seen(of: Locator, count: number): Promise<string[]> {
    const texts = new Set<string>();
    const look = async () => texts.add((await of.textContent()) ?? "").size;
    await expect.poll(look, { timeout: 2 * MINUTES, interval: 100 }).toBeGreaterThanOrEqual(count);
    return [...texts];
  }

  test(
    "draws one live panel that moves while the plan runs",
    async () => {
      await start("run-all-cells");
      const panel = outputs(cell("plan.generate()")).first();
      await panel.waitFor({ timeout: 3 * MINUTES });
      await panel.scrollIntoViewIfNeeded();
      const texts = await seen(panel, 5);
      await picture("1-panel");
      expect(texts.some((text) => /step/.test(text))).toBe(true);
      expect(await outputs(cell("plan.generate()")).count()).toBe(1);
    },
    6 * MINUTES,
  );

  test(
    "runs to the end without an error, and draws plotly's figure",
    async () => {
      const figure = cell("figures.staircases");
      await figure
        .locator(".js-plotly-plot svg.main-svg")
        .first()
        .waitFor({ timeout: 4 * MINUTES });
      expect(await figure.locator(".js-plotly-plot path.js-line").count()).toBeGreaterThanOrEqual(7);
      const errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]');
      expect(await errors.allInnerTexts()).toEqual([]);
      expect(await outputs(cell("quantized.evaluate")).textContent()).toMatch(/quantized: +\d\d\.\d %/);
      await figure.scrollIntoViewIfNeeded();
      await picture("2-figure");
    },
    6 * MINUTES,
  );

  test(
    "ends a running search at the press of Interrupt",
    async () => {
      await run(
        "const long = await autoqnn(model, { data, seed: 8 }).searchSchemes({ steps: 50000 }).run();",
      );
      const below = outputs(cell("steps: 50000"));
      await below.first().waitFor({ timeout: MINUTES });
      await seen(below.first(), 3);
      await page.locator('[data-command="notebook:interrupt-kernel"]').first().click();
      const last = () => below.last().textContent();
      await expect.poll(last, { timeout: MINUTES }).toMatch(/interrupt|abort|stopped/i);
      await picture("3-interrupted");
    },
    4 * MINUTES,
  );

  test(
    "runs the next cell as if nothing had been",
    async () => {
      await run('const { count } = await score(model, data.test.take(500));\n"images scored: " + count');
      const last = () => outputs(cell("images scored")).last().textContent();
      await expect.poll(last, { timeout: MINUTES }).toContain("images scored: 500");
      await picture("4-next");
    },
    2 * MINUTES,
  );
});
