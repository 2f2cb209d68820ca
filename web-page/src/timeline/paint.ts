// What is painted on the timeline's canvas.

import * as state from "../state";
import type { Strips } from "../strips";
import type { ObjectOfProject, State } from "../wire";
import type { Thumbnails } from "./thumbnails";

export const LABELS = 120; // CSS pixels before the first frame
const RULER = 22;
const PICTURES = 44;
const ROW = 22;
const RIGHT = 10;
const GRIP = 9;

export interface Drawn {
  project: State;
  strips: Strips | null;
  thumbnails: Thumbnails;
  width: number;
  height: number;
  style: CSSStyleDeclaration;
}

export function timelineHeight(numObjects: number): number {
  return RULER + PICTURES + Math.max(1, numObjects) * ROW + 6;
}

/** Left border of a frame. */
function xOf(frame: number, width: number, numFrames: number): number {
  return LABELS + (frame / numFrames) * (width - LABELS - RIGHT);
}

export function frameAt(x: number, width: number, numFrames: number): number {
  const place = ((x - LABELS) / (width - LABELS - RIGHT)) * numFrames;
  return Math.max(0, Math.min(numFrames - 1, Math.floor(place)));
}

/** Which object's row. */
export function rowAt(y: number): number | null {
  return y < RULER + PICTURES ? null : Math.floor((y - RULER - PICTURES) / ROW);
}

/** Which end of the range is near, in the ruler. */
export function handleAt(x: number, y: number, width: number, project: State): "start" | "stop" | null {
  if (y > RULER) return null;
  const { num_frames } = project.clip;
  if (Math.abs(x - xOf(project.range.start, width, num_frames)) <= GRIP) return "start";
  return Math.abs(x - xOf(project.range.stop, width, num_frames)) <= GRIP ? "stop" : null;
}

export function paintTimeline(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { project, width, height } = drawn;
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.font = `12px ${drawn.style.fontFamily}`;
  paintRuler(context, drawn);
  paintPictures(context, drawn);
  project.objects.forEach((object, row) => paintRow(context, drawn, object, RULER + PICTURES + row * ROW));
  if (project.objects.length === 0) {
    context.fillStyle = colour(drawn, "--faint");
    context.fillText("Mark an object in the frame: its strip comes here.", LABELS, RULER + PICTURES + ROW / 2);
  }
  paintOutside(context, drawn);
  paintHere(context, drawn);
}

function colour(drawn: Drawn, name: string): string {
  return drawn.style.getPropertyValue(name).trim();
}

function paintRuler(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { project, width } = drawn;
  const { num_frames } = project.clip;
  const frameWidth = (width - LABELS - RIGHT) / num_frames;
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((each) => each * frameWidth >= 56) ?? 10000;
  context.fillStyle = colour(drawn, "--faint");
  context.textAlign = "left";
  for (let frame = 0; frame < num_frames; frame += step) {
    const x = xOf(frame, width, num_frames);
    context.fillRect(x, RULER - 5, 1, 5);
    context.fillText(String(frame), x + 3, RULER / 2);
  }
}

function paintPictures(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { project, width, thumbnails } = drawn;
  const { num_frames, view_width, view_height, thumbnail_step } = project.clip;
  const each = Math.max(24, (PICTURES * view_width) / view_height);
  context.save();
  context.beginPath();
  context.rect(LABELS, RULER, width - LABELS - RIGHT, PICTURES);
  context.clip();
  context.fillStyle = colour(drawn, "--sunken");
  context.fillRect(LABELS, RULER, width, PICTURES);
  for (let x = LABELS; x < width - RIGHT; x += each) {
    const frame = frameAt(x + each / 2, width, num_frames);
    const image = thumbnails.get(frame - (frame % thumbnail_step), state.thumbnailsDone.value);
    if (image !== null) context.drawImage(image, x, RULER, each, PICTURES);
  }
  context.restore();
}

function paintRow(context: CanvasRenderingContext2D, drawn: Drawn, object: ObjectOfProject, top: number): void {
  const { project, width } = drawn;
  const { num_frames } = project.clip;
  const isChosen = object.id === state.chosenId.value;
  if (isChosen) {
    context.fillStyle = colour(drawn, "--raised");
    context.fillRect(0, top, width, ROW);
  }
  context.fillStyle = object.colour;
  context.fillRect(6, top + 6, 10, 10);
  context.fillStyle = colour(drawn, isChosen ? "--text" : "--faint");
  context.textAlign = "left";
  context.fillText(shortened(context, object.name, LABELS - 28), 22, top + ROW / 2);
  paintStrip(context, drawn, object, top + 4, ROW - 8);
  for (const { spans } of project.approved.filter((each) => each.object === object.id)) {
    context.fillStyle = colour(drawn, "--good");
    for (const [first, last] of spans) {
      const x = xOf(first, width, num_frames);
      context.fillRect(x, top + ROW - 4, Math.max(2, xOf(last + 1, width, num_frames) - x - 0.5), 3);
    }
  }
  paintMarks(context, drawn, object, top);
}

/** Presence as height, confidence as opacity; what is not known stays empty, what is out of date is paler. */
function paintStrip(
  context: CanvasRenderingContext2D,
  drawn: Drawn,
  object: ObjectOfProject,
  top: number,
  height: number,
): void {
  const { project, strips, width } = drawn;
  const { num_frames } = project.clip;
  context.fillStyle = colour(drawn, "--sunken");
  context.fillRect(LABELS, top, width - LABELS - RIGHT, height);
  const strip = strips?.byObject.get(object.id);
  if (strip === undefined || !state.begunIds.value.has(object.id)) return;
  const columns = Math.min(num_frames, Math.ceil(width - LABELS - RIGHT));
  for (let column = 0; column < columns; column++) {
    const frame = Math.floor((column * num_frames) / columns);
    const known = strip.states[frame];
    if (known === undefined || known === ".") continue;
    const x = xOf(frame, width, num_frames);
    const wide = Math.max(1, xOf(Math.floor(((column + 1) * num_frames) / columns), width, num_frames) - x);
    const confidence = (strip.confidence[frame] ?? 0) / 100;
    context.globalAlpha = (state.isStale(frame) ? 0.4 : 1) * (known === "t" ? 0.35 + 0.65 * confidence : 0.9);
    context.fillStyle = known === "t" ? object.colour : colour(drawn, known === "l" ? "--warn" : "--faint");
    const tall = known === "t" ? height : known === "l" ? height / 2 : 2;
    context.fillRect(x, top + height - tall, wide + 0.3, tall);
  }
  context.globalAlpha = 1;
}

function paintMarks(context: CanvasRenderingContext2D, drawn: Drawn, object: ObjectOfProject, top: number): void {
  const { project, width } = drawn;
  const { num_frames } = project.clip;
  for (const round of project.rounds) {
    if (round.object !== object.id || !["mark", "mask", "absence"].includes(round.kind)) continue;
    const x = (xOf(round.frame, width, num_frames) + xOf(round.frame + 1, width, num_frames)) / 2;
    context.fillStyle = colour(drawn, "--text");
    context.strokeStyle = colour(drawn, "--ground");
    context.lineWidth = 1.5;
    context.beginPath();
    if (round.kind === "absence") {
      context.rect(x - 3, top + ROW / 2 - 3, 6, 6);
    } else {
      context.arc(x, top + ROW / 2, 4, 0, 2 * Math.PI);
    }
    context.fill();
    context.stroke();
  }
}

/** Frames outside of the range are dimmed; its ends can be moved in the ruler. */
function paintOutside(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { project, width, height } = drawn;
  const { num_frames } = project.clip;
  const start = xOf(project.range.start, width, num_frames);
  const stop = xOf(project.range.stop, width, num_frames);
  context.fillStyle = colour(drawn, "--veil");
  context.fillRect(LABELS, RULER, start - LABELS, height - RULER);
  context.fillRect(stop, RULER, width - RIGHT - stop, height - RULER);
  context.fillStyle = colour(drawn, "--accent");
  for (const [x, way] of [[start, 1], [stop, -1]] as const) {
    context.beginPath();
    context.moveTo(x, 2);
    context.lineTo(x + way * 7, 2);
    context.lineTo(x, RULER);
    context.fill();
  }
}

function paintHere(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { project, width, height } = drawn;
  const { num_frames } = project.clip;
  const left = xOf(state.frame.value, width, num_frames);
  const wide = Math.max(2, xOf(state.frame.value + 1, width, num_frames) - left);
  context.fillStyle = colour(drawn, "--accent");
  context.globalAlpha = 0.25;
  context.fillRect(left, RULER, wide, height - RULER);
  context.globalAlpha = 1;
  context.fillRect(left + wide / 2 - 1, RULER - 6, 2, height - RULER + 6);
  const text = String(state.frame.value);
  const half = context.measureText(text).width / 2 + 5;
  const middle = Math.max(LABELS + half, Math.min(width - half, left + wide / 2));
  context.beginPath();
  context.roundRect(middle - half, 2, 2 * half, RULER - 6, 4);
  context.fill();
  context.fillStyle = colour(drawn, "--on-accent");
  context.textAlign = "center";
  context.fillText(text, middle, RULER / 2);
}

function shortened(context: CanvasRenderingContext2D, text: string, width: number): string {
  let short = text;
  while (short.length > 1 && context.measureText(short).width > width) short = `${short.slice(0, -2)}…`;
  return short;
}
