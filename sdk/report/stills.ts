import type { Figure } from "./panels.js";

/** What `smallMultiples` leaves in a figure of several pages. */
interface Paged {
  readonly updatemenus: readonly [
    { readonly buttons: readonly { readonly args: readonly [{ readonly visible: readonly boolean[] }] }[] },
  ];
  readonly meta: { readonly pages: readonly Readonly<Record<string, unknown>>[] };
}

/** A figure as pictures that need no menu: one for each page that its menu offers, or the figure itself. */
export function stills(figure: Figure): readonly Figure[] {
  if (!figure.layout.updatemenus) return [figure];
  const { updatemenus, meta, ...layout } = figure.layout as Figure["layout"] & Paged;
  return updatemenus[0].buttons.map(({ args: [{ visible }] }, page) => ({
    data: figure.data.filter((_, i) => visible[i]).map((trace) => ({ ...trace, visible: true })),
    layout: { ...layout, ...meta.pages[page] },
  }));
}
