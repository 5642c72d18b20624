import { inspect } from "node:util";
import { DISPLAY, type Displayable, type MimeBundle } from "../../display.js";

/** What knows how values show themselves that have no method for it. */
export type Renderer = (value: unknown) => MimeBundle | Promise<MimeBundle>;

let renderer: Renderer | undefined;

/** Says who renders values that do not show themselves. */
export function renderWith(render: Renderer): void {
  renderer = render;
}

/** A value in the forms that a front end may choose from. */
export async function show(value: unknown): Promise<MimeBundle> {
  return isDisplayable(value) ? value[DISPLAY]() : render(value);
}

/** What is shown of a value that does not show itself. */
export async function render(value: unknown): Promise<MimeBundle> {
  if (renderer && value !== null && typeof value === "object") return renderer(value);
  return { "text/plain": inspect(value, { maxArrayLength: 20, maxStringLength: 10_000 }) };
}

function isDisplayable(value: unknown): value is Displayable {
  const has = (typeof value === "object" || typeof value === "function") && value !== null;
  return has && typeof (value as Partial<Displayable>)[DISPLAY] === "function";
}
