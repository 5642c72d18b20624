/**
 * How values show themselves in a notebook, and where long work draws while it runs. A leaf: it knows neither the values nor
 * the kernel, so that both may use it.
 */

/** One value in several forms, by media type: JSON types hold objects, all others text (binary ones in base64). */
export type MimeBundle = Readonly<Record<string, unknown>>;

/**
 * The method by which an object shows itself, as kernels for JavaScript agree on it: it returns a bundle with at least
 * `text/plain`, or a promise of one.
 */
export const DISPLAY: unique symbol = Symbol.for("Jupyter.display") as never;

/** A value that shows itself. */
export interface Displayable {
  [DISPLAY](): MimeBundle | Promise<MimeBundle>;
}

let bundles: ((value: unknown) => Promise<MimeBundle>) | undefined;

/**
 * Says what makes the bundles of the package's own values. Called once, by `report/display.ts` when it is loaded: it holds
 * the one table of what shows how.
 */
export function showWith(bundleOf: (value: unknown) => Promise<MimeBundle>): void {
  bundles = bundleOf;
}

/** `value`, which now shows itself. The method is not enumerable: the value stays plain data. */
export function showsItself<T extends object>(value: T): T {
  return Object.defineProperty(value, DISPLAY, { value: shown });
}

/** Whether `value` brings a way of showing itself that is not the one which `showsItself` gives. */
export function showsOtherwise(value: object): value is Displayable {
  const method = (value as Partial<Displayable>)[DISPLAY];
  return typeof method === "function" && method !== shown;
}

async function shown(this: object): Promise<MimeBundle> {
  return bundles ? bundles(this) : { "text/plain": String(this) };
}

/** What a notebook's kernel offers to the code that runs in one of its cells. */
export interface Notebook {
  /** Shows a bundle under the cell; what is shown under an id can be replaced. */
  display(bundle: MimeBundle, id?: string): void;
  /** Replaces, in place, what was shown under the id. */
  update(bundle: MimeBundle, id: string): void;
  /** Aborted when the user interrupts the running cell. A new one for every cell. */
  readonly signal: AbortSignal;
}

const NOTEBOOK = Symbol.for("autoqnn.notebook");

/** The notebook that this process serves, or undefined in a script. */
export function notebook(): Notebook | undefined {
  return (globalThis as { [NOTEBOOK]?: Notebook })[NOTEBOOK];
}

/** Says that this process serves a notebook. Called once, by the kernel. */
export function serveNotebook(served: Notebook): void {
  (globalThis as { [NOTEBOOK]?: Notebook })[NOTEBOOK] = served;
}
