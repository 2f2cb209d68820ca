// Where the picture lies on the canvas: zoom and pan. All lengths in CSS pixels.

export interface Place {
  scale: number; // CSS pixels a view pixel
  left: number;
  top: number;
}

const CLOSEST = 32;
const MARGIN = 12;

export function fitted(view: [number, number], canvas: [number, number]): Place {
  const scale = Math.max(
    0.01,
    Math.min((canvas[0] - 2 * MARGIN) / view[0], (canvas[1] - 2 * MARGIN) / view[1]),
  );
  return { scale, left: (canvas[0] - scale * view[0]) / 2, top: (canvas[1] - scale * view[1]) / 2 };
}

/** Nearer or farther by a factor, with the point at x, y staying where it is. */
export function zoomed(place: Place, factor: number, x: number, y: number, smallest: number): Place {
  const scale = Math.max(smallest / 2, Math.min(CLOSEST, place.scale * factor));
  const change = scale / place.scale;
  return { scale, left: x - (x - place.left) * change, top: y - (y - place.top) * change };
}

/** A point of the canvas in 0..1 of the frame; outside of it, at its border. */
export function pointAt(place: Place, view: [number, number], x: number, y: number): [number, number] {
  const clamp = (value: number) => Math.max(0, Math.min(1, value));
  return [
    clamp((x - place.left) / (place.scale * view[0])),
    clamp((y - place.top) / (place.scale * view[1])),
  ];
}

export function isInside(place: Place, view: [number, number], x: number, y: number): boolean {
  const right = place.left + place.scale * view[0];
  const bottom = place.top + place.scale * view[1];
  return x >= place.left && x < right && y >= place.top && y < bottom;
}
