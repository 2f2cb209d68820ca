// One drawing gesture: from the pointer that goes down to the one that goes up, as a mark or as painted pixels.

import * as changes from "../doing/changes";
import { encodeRuns } from "../runs";
import * as state from "../state";
import { newLayer } from "./layers";
import { paintBox, paintLine } from "./scene";

export type Point = [number, number]; // 0..1 of the frame

const CLOSE = 4; // CSS pixels: a pointer that moved less has clicked
const SMALLEST_BOX = 0.004;

export class Gesture {
  readonly points: Point[];
  readonly tool = state.tool.value;
  private length = 0;

  constructor(
    point: Point,
    readonly isObject: boolean,
  ) {
    this.points = [point];
  }

  /** `distance`: CSS pixels since the last point. */
  moveTo(point: Point, distance: number): void {
    this.length += distance;
    this.points.push(point);
  }

  /** Carry it out. */
  async finish(size: [number, number]): Promise<void> {
    const hasMoved = this.length >= CLOSE;
    switch (this.tool) {
      case "click":
        return changes.mark({ lines: [[this.points[0]!]], is_object: this.isObject });
      case "box":
        return this.finishBox();
      case "stroke":
        return changes.mark({ lines: [hasMoved ? thinned(this.points) : [this.points[0]!]], is_object: this.isObject });
      case "brush":
      case "eraser": {
        const isErasing = this.tool === "eraser" || !this.isObject;
        return changes.paint(isErasing ? "erase" : "add", this.pixels(size));
      }
      case "lasso":
        if (hasMoved) return changes.paint(this.isObject ? "add" : "erase", this.pixels(size));
    }
  }

  private async finishBox(): Promise<void> {
    const [x0, y0, x1, y1] = this.box();
    if (x1 - x0 < SMALLEST_BOX || y1 - y0 < SMALLEST_BOX) return;
    return changes.mark({ lines: [], box: [x0, y0, x1, y1], is_object: true });
  }

  private box(): [number, number, number, number] {
    const [a, b] = [this.points[0]!, this.points.at(-1)!];
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  }

  /** The painted area at view size. */
  private pixels(size: [number, number]) {
    const [width, height] = size;
    const [, context] = newLayer(width, height);
    const points = this.points.map(([x, y]): Point => [x * width, y * height]);
    context.fillStyle = context.strokeStyle = "#fff";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = state.brushSize.value;
    context.beginPath();
    points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    if (this.tool === "lasso") context.fill();
    else {
      const [x, y] = points.at(-1)!;
      context.lineTo(x + 0.01, y); // a lone point is a dot
      context.stroke();
    }
    const { data } = context.getImageData(0, 0, width, height);
    const set = new Uint8Array(width * height);
    for (let place = 0; place < set.length; place++) set[place] = data[4 * place + 3]! >= 128 ? 1 : 0;
    return encodeRuns(set, height, width);
  }

  /** What is seen of it while it is made; the context stands at the picture's corner. */
  paint(context: CanvasRenderingContext2D, size: [number, number], scale: number, colour: string): void {
    const points = this.points.map(([x, y]): Point => [x * size[0] * scale, y * size[1] * scale]);
    const ink = this.isObject && this.tool !== "eraser" ? colour : "#d01f1f";
    if (this.tool === "box") {
      const [x0, y0, x1, y1] = this.box();
      paintBox(context, [x0 * size[0] * scale, y0 * size[1] * scale, x1 * size[0] * scale, y1 * size[1] * scale], ink);
    } else if (this.tool === "stroke") paintLine(context, points, ink, 4);
    else if (this.tool === "lasso") paintLine(context, [...points, points[0]!], ink, 2);
    else if (this.tool === "brush" || this.tool === "eraser") {
      context.globalAlpha = 0.6;
      paintLine(context, points.length > 1 ? points : [points[0]!, points[0]!], ink, state.brushSize.value * scale);
      context.globalAlpha = 1;
    }
  }
}

/** A line with fewer points: those that lie less than a thousandth of the frame from the last one are left out. */
function thinned(points: Point[]): Point[] {
  const kept = [points[0]!];
  for (const point of points) {
    const [x, y] = kept.at(-1)!;
    if (Math.hypot(point[0] - x, point[1] - y) >= 0.001) kept.push(point);
  }
  return kept;
}
