// What is painted on the canvas for one frame.

import type { Look } from "../state";
import type { EdgeSettings, FrameView, MarkRound, ObjectOfProject, State } from "../wire";
import { type Colours, coloursOf, maskLayer, newLayer } from "./layers";
import type { Place } from "./place";

export interface Scene {
  picture: ImageBitmap | undefined;
  view: FrameView | undefined;
  hover: FrameView | null;
  matte: OffscreenCanvas | undefined;
  ids: number[];
  chosenId: number | null;
  objects: ObjectOfProject[];
  look: Look;
  backdrop: string;
  isStale: boolean;
  marks: MarkRound[];
  size: [number, number]; // view pixels
  edges: EdgeSettings | null;
}

const CHECKER = 8; // CSS pixels
let maskKey: unknown[] = [];
let maskKept: OffscreenCanvas | null = null;

export function marksOf(project: State, frame: number, ids: number[]): MarkRound[] {
  return project.rounds.filter(
    (round): round is MarkRound =>
      round.kind === "mark" && round.frame === frame && (round.object === 0 || ids.includes(round.object)),
  );
}

export function paintScene(context: CanvasRenderingContext2D, scene: Scene, place: Place): void {
  const [width, height] = [scene.size[0] * place.scale, scene.size[1] * place.scale];
  context.save();
  context.translate(place.left, place.top);
  context.imageSmoothingEnabled = place.scale < 3;
  context.imageSmoothingQuality = "high";
  if (scene.look === "cutout" || scene.look === "matte") paintMatte(context, scene, width, height);
  else paintOverlay(context, scene, width, height);
  if (scene.look !== "matte" && scene.look !== "before") paintMarks(context, scene, width, height);
  context.restore();
}

function paintOverlay(context: CanvasRenderingContext2D, scene: Scene, width: number, height: number): void {
  if (scene.picture !== undefined) context.drawImage(scene.picture, 0, 0, width, height);
  if (scene.look === "before") return;
  const colours = coloursOf(scene.objects);
  const isOutline = scene.look === "outline";
  const masks = masksOf(scene, colours, isOutline);
  if (masks !== null) {
    context.globalAlpha = scene.isStale ? 0.45 : 1;
    context.drawImage(masks, 0, 0, width, height);
    context.globalAlpha = 1;
  }
  if (scene.hover !== null) paintHover(context, scene, scene.hover, colours, width, height);
}

function masksOf(scene: Scene, colours: Colours, isOutline: boolean): OffscreenCanvas | null {
  const { view, ids, chosenId } = scene;
  if (view === undefined) return null;
  const key = [view, ids.join(), chosenId, isOutline, [...colours.values()].join()];
  if (key.every((each, index) => each === maskKey[index])) return maskKept;
  maskKey = key;
  maskKept = maskLayer(view, ids, colours, (id) => ({
    fill: isOutline ? 0 : id === chosenId ? 0.5 : 0.38,
    edge: 1,
    edgeWidth: id === chosenId ? 2 : 1,
  }));
  return maskKept;
}

/** The mask that a click would make: lighter, with a white edge. */
function paintHover(
  context: CanvasRenderingContext2D,
  scene: Scene,
  hover: FrameView,
  colours: Colours,
  width: number,
  height: number,
): void {
  const object = hover.objects.find((each) => each.object === scene.chosenId) ?? hover.objects.at(-1);
  if (object === undefined) return;
  const white = new Map([[object.object, "#ffffff"]]);
  const edge = maskLayer(hover, [object.object], white, () => ({ fill: 0, edge: 0.95, edgeWidth: 2 }));
  const fill = maskLayer(hover, [object.object], colours, () => ({ fill: 0.28, edge: 0, edgeWidth: 0 }));
  if (fill !== null) context.drawImage(fill, 0, 0, width, height);
  if (edge !== null) context.drawImage(edge, 0, 0, width, height);
}

function paintMatte(context: CanvasRenderingContext2D, scene: Scene, width: number, height: number): void {
  if (scene.look === "matte") {
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    if (scene.matte !== undefined) context.drawImage(scene.matte, 0, 0, width, height);
    return;
  }
  paintBackdrop(context, scene.backdrop, width, height);
  if (scene.picture === undefined) return;
  const cut = cutOut(scene);
  if (cut !== null) context.drawImage(cut, 0, 0, width, height);
}

function paintBackdrop(context: CanvasRenderingContext2D, backdrop: string, width: number, height: number): void {
  context.fillStyle = backdrop === "checker" ? "#c8c8c8" : backdrop;
  context.fillRect(0, 0, width, height);
  if (backdrop !== "checker") return;
  context.fillStyle = "#8f8f8f";
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.beginPath();
  for (let y = 0; y < height; y += CHECKER) {
    for (let x = (y / CHECKER) % 2 === 0 ? 0 : CHECKER; x < width; x += 2 * CHECKER) context.rect(x, y, CHECKER, CHECKER);
  }
  context.fill();
  context.restore();
}

/** The picture where the objects are: with the matte of the server, until it is there with the masks. */
function cutOut(scene: Scene): OffscreenCanvas | null {
  const [canvas, context] = newLayer(...scene.size);
  const opaque = new Map(scene.ids.map((id) => [id, "#ffffff"]));
  const alpha =
    scene.matte ??
    (scene.view && maskLayer(scene.view, scene.ids, opaque, () => ({ fill: 1, edge: 0, edgeWidth: 0 })));
  if (!alpha || scene.picture === undefined) return null;
  context.drawImage(alpha, 0, 0, ...scene.size);
  context.globalCompositeOperation = "source-in";
  context.drawImage(scene.picture, 0, 0, ...scene.size);
  return canvas;
}

// ---- marks

function paintMarks(context: CanvasRenderingContext2D, scene: Scene, width: number, height: number): void {
  const colours = coloursOf(scene.objects);
  for (const round of scene.marks) {
    const colour = round.is_object ? (colours.get(round.object) ?? "#ffffff") : "#d01f1f";
    context.globalAlpha = round.object === scene.chosenId || scene.chosenId === null ? 1 : 0.5;
    if (round.box) {
      const [x0, y0, x1, y1] = round.box;
      paintBox(context, [x0 * width, y0 * height, x1 * width, y1 * height], colour);
    }
    for (const line of round.lines) {
      const points = line.map(([x, y]): [number, number] => [x * width, y * height]);
      if (points.length === 1) paintClick(context, points[0]!, colour, round.is_object);
      else paintLine(context, points, colour, 4);
    }
  }
  context.globalAlpha = 1;
}

export function paintBox(context: CanvasRenderingContext2D, box: number[], colour: string): void {
  const [x0, y0, x1, y1] = box as [number, number, number, number];
  for (const [style, width] of [["#000000b0", 4], [colour, 2]] as const) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

export function paintLine(
  context: CanvasRenderingContext2D,
  points: Array<[number, number]>,
  colour: string,
  lineWidth: number,
): void {
  context.lineCap = context.lineJoin = "round";
  for (const [style, width] of [["#000000b0", lineWidth + 2], [colour, lineWidth]] as const) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.stroke();
  }
}

function paintClick(
  context: CanvasRenderingContext2D,
  [x, y]: [number, number],
  colour: string,
  isObject: boolean,
): void {
  context.beginPath();
  context.arc(x, y, 7, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3.5, y);
  context.lineTo(x + 3.5, y);
  if (isObject) {
    context.moveTo(x, y - 3.5);
    context.lineTo(x, y + 3.5);
  }
  context.stroke();
}
