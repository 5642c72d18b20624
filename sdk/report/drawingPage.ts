import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type DOMWindow, JSDOM, VirtualConsole } from "jsdom";
import { type Box, boxOf, lineWidth, placedBox } from "./boxes.js";
import { recordingCanvas } from "./canvas.js";

/** What of plotly draws still pictures. */
export interface Plotly {
  toImage(
    figure: unknown,
    options: { format: "svg"; width: number; height: number; imageDataOnly: true },
  ): Promise<string>;
}

/** A page without a browser, plotly loaded on it. */
export interface DrawingPage {
  readonly plotly: Plotly;
  /** Starts the page's random numbers anew: plotly names parts of a drawing by them. */
  reseed(): void;
}

/** Opens a page; plotly's bundle is read and run once for each. */
export function openDrawingPage(): DrawingPage {
  // What the page lacks and no still picture needs would be told to the console otherwise.
  const { window } = new JSDOM("<!doctype html><body></body>", {
    runScripts: "outside-only",
    pretendToBeVisual: true,
    virtualConsole: new VirtualConsole(),
  });
  supply(window);
  const reseed = seeded(window);
  const bundle = createRequire(import.meta.url).resolve("plotly.js-dist-min/plotly.min.js");
  window.eval(readFileSync(bundle, "utf8"));
  return { plotly: (window as unknown as { Plotly: Plotly }).Plotly, reseed };
}

/** Adds what jsdom leaves out and plotly asks for: sizes of drawn things, and a canvas. */
function supply(window: DOMWindow): void {
  Object.assign(window, {
    TextDecoder,
    TextEncoder,
    // Asked whether it draws images in large pixels: then plotly would leave it to the viewer to scale heat maps.
    CSS: { supports: () => false },
    matchMedia: () => ({ matches: false, addListener() {}, addEventListener() {} }),
  });
  Object.assign(window.URL, { createObjectURL: () => "blob:none", revokeObjectURL() {} });

  const { prototype: svg } = window.SVGElement;
  const { prototype: canvas } = window.HTMLCanvasElement;
  const { prototype: any } = window.Element;
  const ofHtml = any.getBoundingClientRect;
  Object.assign(svg, {
    getBBox(this: Element) {
      return rectangle(boxOf(this));
    },
    getComputedTextLength(this: Element) {
      return lineWidth(this);
    },
  });
  any.getBoundingClientRect = function (this: Element) {
    return this instanceof window.SVGElement ? (rectangle(placedBox(this)) as DOMRect) : ofHtml.call(this);
  };
  const recorded = new WeakMap<HTMLCanvasElement, ReturnType<typeof recordingCanvas>>();
  Object.assign(canvas, {
    getContext(this: HTMLCanvasElement, kind: string) {
      if (kind !== "2d") return null;
      const recording = recorded.get(this) ?? recordingCanvas(this);
      recorded.set(this, recording);
      return recording.context;
    },
    toDataURL(this: HTMLCanvasElement) {
      return recorded.get(this)?.toDataURL() ?? "";
    },
  });
}

function rectangle(box: Box = { left: 0, top: 0, right: 0, bottom: 0 }) {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  return { ...box, x: box.left, y: box.top, width, height };
}

/** Puts a linear congruential generator in the place of the page's Math.random. */
function seeded(window: DOMWindow): () => void {
  let state = 1;
  (window as unknown as { Math: Math }).Math.random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => {
    state = 1;
  };
}
