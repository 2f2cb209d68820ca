// Masks as pixels: what is laid over, or cut out of, the picture of a frame.

import { forEachRun } from "../runs";
import type { FrameView, ObjectOfProject, Rle } from "../wire";

export type Colours = Map<number, string>;

/** RGBA as the little-endian word that ImageData holds. */
export function word(colour: string, alpha: number): number {
  const value = Number.parseInt(colour.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((Math.round(255 * alpha) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

export function coloursOf(objects: ObjectOfProject[]): Colours {
  return new Map(objects.map((each) => [each.id, each.colour]));
}

export interface MaskStyle {
  fill: number; // opacity inside
  edge: number; // opacity of the outline
  edgeWidth: number; // view pixels
}

export function newLayer(width: number, height: number): [OffscreenCanvas, OffscreenCanvasRenderingContext2D] {
  const canvas = new OffscreenCanvas(width, height);
  return [canvas, canvas.getContext("2d", { willReadFrequently: true })!];
}

/** The masks of a frame in the colours of their objects, transparent elsewhere. */
export function maskLayer(
  view: FrameView,
  ids: number[],
  colours: Colours,
  styleOf: (id: number) => MaskStyle,
): OffscreenCanvas | null {
  const shown = view.objects.filter((each) => each.mask !== null && ids.includes(each.object));
  const first = shown[0]?.mask;
  if (!first) return null;
  const [canvas, context] = newLayer(first.width, first.height);
  const image = context.createImageData(first.width, first.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (const each of shown) {
    const colour = colours.get(each.object) ?? "#ffffff";
    const style = styleOf(each.object);
    const inside = word(colour, style.fill);
    forEachRun(each.mask!, (start, stop) => pixels.fill(inside, start, stop));
    if (style.edge > 0) drawEdge(pixels, each.mask!, word(colour, style.edge), style.edgeWidth);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Colour those pixels of a mask that lie next to its outside. */
function drawEdge(pixels: Uint32Array, mask: Rle, colour: number, edgeWidth: number): void {
  const { width, height } = mask;
  const set = new Uint8Array(width * height);
  forEachRun(mask, (start, stop) => set.fill(1, start, stop));
  const reach = Math.max(1, Math.round(edgeWidth));
  forEachRun(mask, (start, stop) => {
    for (let place = start; place < stop; place++) {
      if (isNearOutside(set, place, width, height, reach)) pixels[place] = colour;
    }
  });
}

function isNearOutside(set: Uint8Array, place: number, width: number, height: number, reach: number): boolean {
  const x = place % width;
  const y = (place - x) / width;
  return (
    (x >= reach && set[place - reach] === 0) ||
    (x < width - reach && set[place + reach] === 0) ||
    (y >= reach && set[place - reach * width] === 0) ||
    (y < height - reach && set[place + reach * width] === 0)
  );
}

/** A grey picture of opacity as a layer whose alpha it is. */
export function alphaLayer(matte: ImageBitmap): OffscreenCanvas {
  const [canvas, context] = newLayer(matte.width, matte.height);
  context.drawImage(matte, 0, 0);
  const image = context.getImageData(0, 0, matte.width, matte.height);
  const { data } = image;
  for (let place = 0; place < data.length; place += 4) {
    data[place + 3] = data[place]!;
    data[place] = data[place + 1] = data[place + 2] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
