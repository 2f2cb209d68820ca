// Masks as run lengths: row by row, unset first, at view size.

import type { Rle } from "./wire";

/** One byte a pixel, 1 where the mask is set. */
export function decodeRuns(mask: Rle): Uint8Array {
  const pixels = new Uint8Array(mask.height * mask.width);
  forEachRun(mask, (start, stop) => pixels.fill(1, start, stop));
  return pixels;
}

/** Call with the first pixel and the one after the last of each set run. */
export function forEachRun(mask: Rle, call: (start: number, stop: number) => void): void {
  let place = 0;
  mask.counts.forEach((count, index) => {
    if (index % 2 === 1 && count > 0) call(place, place + count);
    place += count;
  });
}

/** Run lengths of a mask with one byte a pixel. */
export function encodeRuns(pixels: Uint8Array, height: number, width: number): Rle {
  const counts: number[] = [];
  let value = 0;
  let start = 0;
  for (let place = 0; place < pixels.length; place++) {
    if (pixels[place] !== value) {
      counts.push(place - start);
      start = place;
      value = pixels[place]!;
    }
  }
  counts.push(pixels.length - start);
  return { height, width, counts };
}
