// The canvas element: what is painted on it, and pointers over it.

import { hoverAt, hoverNowhere } from "../doing/hovering";
import { tellProblem } from "../doing/notices";
import { play } from "../doing/playing";
import type { ProjectServer } from "../server";
import * as state from "../state";
import { Gesture } from "./gesture";
import { Mattes } from "./mattes";
import { fitted, isInside, type Place, pointAt, zoomed } from "./place";
import { marksOf, paintScene, type Scene } from "./scene";
import type { Shown } from "./Viewer";

const WHEEL_STEP = 0.0016;

export class Canvas {
  private context: CanvasRenderingContext2D;
  private shown: Shown | null = null;
  private place: Place = { scale: 1, left: 0, top: 0 };
  private isFitted = true;
  private gesture: Gesture | null = null;
  private pointers = new Map<number, [number, number]>();
  private panning: number | null = null;
  private cursor: [number, number] | null = null;
  private mattes: Mattes | null = null;
  private mattesOf: ProjectServer | null = null;
  private painting = 0;
  private resizing: ResizeObserver;
  private leaving = new AbortController();

  constructor(private element: HTMLCanvasElement) {
    this.context = element.getContext("2d", { alpha: false })!;
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(element);
    const on = <Name extends keyof HTMLElementEventMap>(name: Name, call: (event: HTMLElementEventMap[Name]) => void) =>
      element.addEventListener(name, call, { signal: this.leaving.signal, passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.drop(event));
    on("pointerleave", () => this.leave());
    on("wheel", (event) => this.wheel(event));
    on("contextmenu", (event) => event.preventDefault());
    document.addEventListener("shibori-zoom", (event) => this.zoomBy((event as CustomEvent<number>).detail), {
      signal: this.leaving.signal,
    });
  }

  close(): void {
    this.leaving.abort();
    this.resizing.disconnect();
    cancelAnimationFrame(this.painting);
    hoverNowhere();
  }

  show(shown: Shown | null): void {
    const isOtherClip = shown?.server !== this.shown?.server;
    this.shown = shown;
    if (isOtherClip) {
      this.isFitted = true;
      this.fit();
    }
    this.paintSoon();
  }

  // ---- painting

  private paintSoon(): void {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const { context, element } = this;
    const ratio = element.width / Math.max(1, element.clientWidth);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(element).backgroundColor;
    context.fillRect(0, 0, element.width, element.height);
    const scene = this.sceneNow();
    if (scene === null) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    paintScene(context, scene, this.place);
    element.dataset.shown = scene.picture === undefined ? "" : String(this.shown!.frame);
    const masks = scene.view?.objects.filter((each) => each.mask !== null && scene.ids.includes(each.object));
    element.dataset.masks = String(masks?.length ?? 0);
    element.dataset.hover = String(scene.hover?.objects.length ?? 0);
    this.paintGesture(scene);
  }

  private sceneNow(): Scene | null {
    const { shown } = this;
    if (shown === null) return null;
    const { project, frame } = shown;
    const scene: Scene = {
      ...shown,
      matte: this.matteNow(shown),
      objects: project.objects,
      marks: marksOf(project, frame, shown.ids),
      size: [project.clip.view_width, project.clip.view_height],
    };
    return scene;
  }

  private matteNow({ server, look, view, edges, ids, frame, version }: Shown): OffscreenCanvas | undefined {
    if (this.mattesOf !== server) {
      this.mattesOf = server;
      this.mattes = new Mattes(server, () => this.paintSoon());
    }
    const isWanted = (look === "cutout" || look === "matte") && view !== undefined && view.objects.length > 0;
    if (!isWanted || edges === null || state.speed.value !== 0) return undefined;
    return this.mattes?.get(frame, ids, edges, version);
  }

  private paintGesture({ size, objects, chosenId }: Scene): void {
    const { context, place } = this;
    const colour = objects.find((each) => each.id === chosenId)?.colour ?? "#ffffff";
    context.save();
    context.translate(place.left, place.top);
    this.gesture?.paint(context, size, place.scale, colour);
    context.restore();
    if (this.cursor !== null && ["brush", "eraser"].includes(state.tool.value)) this.paintBrush(this.cursor);
  }

  private paintBrush([x, y]: [number, number]): void {
    const radius = Math.max(1, (state.brushSize.value * this.place.scale) / 2);
    for (const [style, width] of [["#000", 3], ["#fff", 1.2]] as const) {
      this.context.strokeStyle = style;
      this.context.lineWidth = width;
      this.context.beginPath();
      this.context.arc(x, y, radius, 0, 2 * Math.PI);
      this.context.stroke();
    }
  }

  // ---- zoom and pan

  private get size(): [number, number] {
    const clip = this.shown?.project.clip;
    return clip === undefined ? [16, 9] : [clip.view_width, clip.view_height];
  }

  private fit(): void {
    this.place = fitted(this.size, [this.element.clientWidth, this.element.clientHeight]);
  }

  private resize(): void {
    const ratio = window.devicePixelRatio || 1;
    this.element.width = Math.max(1, Math.round(this.element.clientWidth * ratio));
    this.element.height = Math.max(1, Math.round(this.element.clientHeight * ratio));
    if (this.isFitted) this.fit();
    this.paint();
  }

  private zoom(factor: number, x: number, y: number): void {
    const smallest = fitted(this.size, [this.element.clientWidth, this.element.clientHeight]).scale;
    this.place = zoomed(this.place, factor, x, y, smallest);
    this.isFitted = false;
    this.paintSoon();
  }

  /** By a factor about the middle; 0: fit. */
  private zoomBy(factor: number): void {
    if (factor > 0) return this.zoom(factor, this.element.clientWidth / 2, this.element.clientHeight / 2);
    this.isFitted = true;
    this.fit();
    this.paintSoon();
  }

  private pan(dx: number, dy: number): void {
    this.place = { ...this.place, left: this.place.left + dx, top: this.place.top + dy };
    this.isFitted = false;
    this.paintSoon();
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const [x, y] = this.at(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.shiftKey) this.pan(-event.deltaY * lines - event.deltaX * lines, 0);
    else this.zoom(Math.exp(-event.deltaY * lines * WHEEL_STEP * (event.ctrlKey ? 4 : 1)), x, y);
  }

  // ---- pointers

  private at(event: MouseEvent): [number, number] {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private isPlus(event: MouseEvent): boolean {
    return state.isRemoving.value === (event.altKey || event.button === 2);
  }

  private down(event: PointerEvent): void {
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    const [x, y] = this.at(event);
    this.pointers.set(event.pointerId, [x, y]);
    play(0);
    if (event.button === 1 || event.ctrlKey || event.metaKey || this.pointers.size > 1) {
      this.gesture = null; // two fingers, or the middle button: zoom and pan
      this.panning = event.pointerId;
      return;
    }
    if (!state.canWrite.value || !isInside(this.place, this.size, x, y)) {
      this.panning = event.pointerId;
      return;
    }
    this.gesture = new Gesture(pointAt(this.place, this.size, x, y), this.isPlus(event));
    this.paintSoon();
  }

  private move(event: PointerEvent): void {
    const [x, y] = this.at(event);
    this.cursor = event.pointerType === "touch" ? null : [x, y];
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      this.hover(event, x, y);
    } else if (this.pointers.size > 1) {
      this.pinch(event.pointerId, before, [x, y]);
    } else if (this.panning !== null) {
      this.pan(x - before[0], y - before[1]);
    } else {
      this.draw(event);
    }
    if (before !== undefined) this.pointers.set(event.pointerId, [x, y]);
    this.paintSoon();
  }

  /** All points since the last event: a pen makes more than there are events. */
  private draw(event: PointerEvent): void {
    const events = event.getCoalescedEvents?.() ?? [];
    let last = this.pointers.get(event.pointerId)!;
    for (const each of events.length > 0 ? events : [event]) {
      const [x, y] = this.at(each);
      this.gesture?.moveTo(pointAt(this.place, this.size, x, y), Math.hypot(x - last[0], y - last[1]));
      last = [x, y];
    }
  }

  private pinch(id: number, before: [number, number], now: [number, number]): void {
    const other = [...this.pointers].find(([each]) => each !== id)?.[1];
    if (other === undefined) return;
    const apart = (point: [number, number]) => Math.hypot(point[0] - other[0], point[1] - other[1]);
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.zoom(apart(now) / Math.max(1, apart(before)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  private hover(event: PointerEvent, x: number, y: number): void {
    if (state.tool.value !== "click" || event.pointerType === "touch") return;
    if (isInside(this.place, this.size, x, y)) {
      hoverAt(pointAt(this.place, this.size, x, y), state.isRemoving.value === event.altKey);
    } else hoverNowhere();
  }

  private up(event: PointerEvent): void {
    const { gesture } = this;
    this.drop(event);
    if (gesture === null) return;
    const hovered = state.hover.value;
    gesture
      .finish(this.size)
      .catch(tellProblem)
      .finally(() => {
        if (state.hover.value === hovered) hoverNowhere();
      });
  }

  private drop(event: PointerEvent): void {
    this.pointers.delete(event.pointerId);
    this.gesture = null;
    if (this.pointers.size === 0) this.panning = null;
    this.paintSoon();
  }

  private leave(): void {
    this.cursor = null;
    hoverNowhere();
    this.paintSoon();
  }
}

export function zoomViewer(factor: number): void {
  document.dispatchEvent(new CustomEvent("shibori-zoom", { detail: factor }));
}
