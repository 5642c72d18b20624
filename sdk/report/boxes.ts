import { ASCENT, DESCENT, type TextStyle, textWidth } from "./textSize.js";

/** A rectangle in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** x' = a x + c y + e, y' = b x + d y + f. */
type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** The box of an SVG element in its own coordinates: of text, of rectangles, and of groups of these. */
export function boxOf(element: Element): Box | undefined {
  if (element.getAttribute("display") === "none") return undefined;
  switch (element.tagName) {
    case "text":
      return textBox(element);
    case "rect": {
      const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => number(element, name));
      return { left: x!, top: y!, right: x! + width!, bottom: y! + height! };
    }
    case "path":
      return pathBox(element.getAttribute("d") ?? "");
    case "g":
    case "svg":
      return union([...element.children].map(placedBox));
    default:
      return undefined;
  }
}

/** The same after the element's own transformation. */
export function placedBox(element: Element): Box | undefined {
  const box = boxOf(element);
  return box && transformed(box, matrixOf(element.getAttribute("transform") ?? ""));
}

/** The width of the text in an element, in pixels: of all its runs in one line. */
export function lineWidth(element: Element): number {
  return runs(element).reduce((sum, { text, style }) => sum + textWidth(text, style), 0);
}

/**
 * Plotly sets text in lines, each a tspan of the class "line" that moves down by its "dy"; text without such is one line.
 */
function textBox(element: Element): Box | undefined {
  if (element.textContent === "") return undefined;
  const broken = [...element.children].filter((child) => child.classList.contains("line"));
  const { size } = styleOf(element);
  const [x, y] = [number(element, "x"), number(element, "y")];
  const lines = (broken.length > 0 ? broken : [element]).map((line) => ({
    width: lineWidth(line),
    base: y + length(line.getAttribute("dy"), size),
    size: Math.max(size, ...runs(line).map(({ style }) => style.size)),
  }));
  const anchor = inherited(element, "text-anchor") ?? "start";
  const before = { start: 0, middle: 0.5, end: 1 }[anchor] ?? 0;
  return union(
    lines.map(({ width, base, size }) => ({
      left: x - before * width,
      right: x + (1 - before) * width,
      top: base - ASCENT * size,
      bottom: base + DESCENT * size,
    })),
  );
}

/** The text of an element in runs of one style. */
function runs(element: Element): { readonly text: string; readonly style: TextStyle }[] {
  return [...element.childNodes].flatMap((node) => {
    if (node.nodeType === node.TEXT_NODE) return [{ text: node.textContent ?? "", style: styleOf(element) }];
    return node.nodeType === node.ELEMENT_NODE ? runs(node as Element) : [];
  });
}

function styleOf(element: Element): TextStyle {
  const weight = inherited(element, "font-weight") ?? "normal";
  return {
    size: fontSize(element),
    bold: weight === "bold" || Number(weight) >= 600,
    italic: inherited(element, "font-style") === "italic",
  };
}

/** In pixels; a share, as of a superscript, is one of what surrounds it. */
function fontSize(element: Element): number {
  const own = stated(element, "font-size");
  if (own === undefined) return element.parentElement ? fontSize(element.parentElement) : 12;
  const value = Number.parseFloat(own);
  if (!own.endsWith("%")) return value;
  return (value / 100) * (element.parentElement ? fontSize(element.parentElement) : 12);
}

function inherited(element: Element, property: string): string | undefined {
  return (
    stated(element, property) ??
    (element.parentElement ? inherited(element.parentElement, property) : undefined)
  );
}

function stated(element: Element, property: string): string | undefined {
  const style = (element as Partial<ElementCSSInlineStyle>).style?.getPropertyValue(property);
  return style || element.getAttribute(property) || undefined;
}

function number(element: Element, name: string): number {
  return Number.parseFloat(element.getAttribute(name) ?? "0") || 0;
}

/** A length in pixels or in heights of the font. */
function length(text: string | null, size: number): number {
  const value = Number.parseFloat(text ?? "0") || 0;
  return text?.endsWith("em") ? value * size : value;
}

/** The box of the points a path names: of its curves the ends, which for marks as plotly draws them is close enough. */
function pathBox(d: string): Box | undefined {
  const boxes: Box[] = [];
  let [x, y] = [0, 0];
  for (const [, command, rest] of d.matchAll(/([A-Za-z])([^A-Za-z]*)/g)) {
    const values = (rest!.match(/-?\d*\.?\d+(?:e-?\d+)?/g) ?? []).map(Number);
    const name = command!.toUpperCase();
    const relative = command !== name;
    const width = { M: 2, L: 2, T: 2, H: 1, V: 1, C: 6, S: 4, Q: 4, A: 7 }[name];
    if (width === undefined) continue;
    for (let at = 0; at + width <= values.length; at += width) {
      const [first, second] = values.slice(at, at + width).slice(-2);
      const [dx, dy] = [relative ? x : 0, relative ? y : 0];
      if (name === "H") x = first! + dx;
      else if (name === "V") y = first! + dy;
      else [x, y] = [first! + dx, second! + dy];
      boxes.push({ left: x, top: y, right: x, bottom: y });
    }
  }
  return union(boxes);
}

function union(boxes: readonly (Box | undefined)[]): Box | undefined {
  const real = boxes.filter((box) => box !== undefined);
  if (real.length === 0) return undefined;
  return real.reduce((all, box) => ({
    left: Math.min(all.left, box.left),
    top: Math.min(all.top, box.top),
    right: Math.max(all.right, box.right),
    bottom: Math.max(all.bottom, box.bottom),
  }));
}

function transformed(box: Box, [a, b, c, d, e, f]: Matrix): Box {
  const corners = [box.left, box.right].flatMap((x) => [box.top, box.bottom].map((y) => [x, y] as const));
  return union(
    corners.map(([x, y]) => {
      const [left, top] = [a * x + c * y + e, b * x + d * y + f];
      return { left, top, right: left, bottom: top };
    }),
  )!;
}

/** Of an attribute "transform": the moves, turns and scalings that plotly writes. */
function matrixOf(text: string): Matrix {
  let matrix: Matrix = [1, 0, 0, 1, 0, 0];
  for (const [, name, list] of text.matchAll(/(\w+)\s*\(([^)]*)\)/g)) {
    const [first = 0, second, third = 0] = list!.split(/[\s,]+/).map(Number);
    if (name === "translate") matrix = product(matrix, [1, 0, 0, 1, first, second ?? 0]);
    else if (name === "scale") matrix = product(matrix, [first, 0, 0, second ?? first, 0, 0]);
    else if (name === "rotate") {
      const [cos, sin] = [Math.cos((first * Math.PI) / 180), Math.sin((first * Math.PI) / 180)];
      const [x, y] = [second ?? 0, third];
      matrix = product(matrix, [cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y]);
    }
  }
  return matrix;
}

function product([a, b, c, d, e, f]: Matrix, [A, B, C, D, E, F]: Matrix): Matrix {
  return [a * A + c * B, b * A + d * B, a * C + c * D, b * C + d * D, a * E + c * F + e, b * E + d * F + f];
}
