/**
 * The part of a canvas that plotly draws heat maps with: it fills rectangles, or sets pixels, and asks for the picture as a
 * data URL. The picture is an SVG of the same rectangles, which stays sharp at any size.
 */
export function recordingCanvas(size: { readonly width: number; readonly height: number }) {
  /** Of each colour the rectangles, as parts of one path. */
  const filled = new Map<string, string[]>();
  const fill = (colour: string, x: number, y: number, width: number, height: number): void => {
    const own = filled.get(colour) ?? [];
    filled.set(colour, own);
    // Mirrored axes give negative sizes.
    own.push(
      `M${Math.min(x, x + width)} ${Math.min(y, y + height)}h${Math.abs(width)}v${Math.abs(height)}h${-Math.abs(width)}z`,
    );
  };
  const context = {
    fillStyle: "#000000",
    fillRect(x: number, y: number, width: number, height: number): void {
      fill(this.fillStyle, x, y, width, height);
    },
    createImageData: (width: number, height: number) => ({
      ...{ width, height },
      data: new Uint8ClampedArray(4 * width * height),
    }),
    putImageData({ width, data }: { readonly width: number; readonly data: Uint8ClampedArray }): void {
      for (let pixel = 0; pixel < data.length / 4; pixel++) {
        const [red, green, blue, alpha] = data.subarray(4 * pixel, 4 * pixel + 4);
        if (alpha === 0) continue;
        fill(`rgba(${red},${green},${blue},${alpha! / 255})`, pixel % width, Math.floor(pixel / width), 1, 1);
      }
    },
  };
  const svg = (): string => {
    const paths = [...filled].map(([colour, parts]) => `<path fill="${colour}" d="${parts.join("")}"/>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" preserveAspectRatio="none" shape-rendering="crispEdges">${paths.join("")}</svg>`;
  };
  return {
    context,
    toDataURL: (): string => `data:image/svg+xml;base64,${Buffer.from(svg()).toString("base64")}`,
  };
}
