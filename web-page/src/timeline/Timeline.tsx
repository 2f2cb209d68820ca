// All frames at a glance: thumbnails, per object what is known, marks, approvals, the range.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { play } from "../doing/playing";
import { setRange } from "../doing/changes";
import { goTo, strips } from "../doing/opening";
import * as state from "../state";
import { frameAt, handleAt, LABELS, paintTimeline, rowAt, timelineHeight } from "./paint";
import { Thumbnails } from "./thumbnails";

export function Timeline() {
  const element = useRef<HTMLCanvasElement>(null);
  const server = state.server.value;

  useEffect(() => {
    if (server === null || element.current === null) return;
    const canvas = element.current;
    const thumbnails = new Thumbnails(server, () => state.stripsChanged.value++);
    let painting = 0;
    const paint = () => {
      const project = state.project.value;
      if (project === null) return;
      const ratio = window.devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, timelineHeight(project.objects.length)];
      canvas.style.height = `${height}px`;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
      }
      const context = canvas.getContext("2d")!;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      paintTimeline(context, { project, strips, thumbnails, width, height, style: getComputedStyle(canvas) });
    };
    const soon = () => {
      cancelAnimationFrame(painting);
      painting = requestAnimationFrame(paint);
    };
    const stopWatching = effect(() => {
      [state.project, state.frame, state.chosenId, state.stripsChanged, state.thumbnailsDone, state.theme].forEach(
        (each) => each.value,
      );
      soon();
    });
    const resizing = new ResizeObserver(soon);
    resizing.observe(canvas);
    return () => {
      stopWatching();
      resizing.disconnect();
      cancelAnimationFrame(painting);
    };
  }, [server]);

  const last = Math.max(0, state.numFrames.value - 1);
  return (
    <div class="timeline">
      <canvas
        ref={element}
        tabIndex={0}
        role="slider"
        aria-label="Timeline"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={state.frame.value}
        aria-valuetext={`Frame ${state.frame.value}; the last is ${last}`}
        onPointerDown={grab}
      />
    </div>
  );
}

function grab(event: PointerEvent): void {
  const canvas = event.currentTarget as HTMLCanvasElement;
  const project = state.project.value;
  if (project === null) return;
  canvas.setPointerCapture(event.pointerId);
  canvas.focus({ preventScroll: true });
  play(0);
  const box = canvas.getBoundingClientRect();
  const at = (each: PointerEvent) => frameAt(each.clientX - box.left, canvas.clientWidth, project.clip.num_frames);
  const row = rowAt(event.clientY - box.top);
  if (row !== null && project.objects[row] !== undefined) state.chosenId.value = project.objects[row].id;
  if (event.clientX - box.left < LABELS) return;
  const handle = state.canWrite.value ? handleAt(event.clientX - box.left, event.clientY - box.top, canvas.clientWidth, project) : null;
  goTo(at(event));
  const leaving = new AbortController();
  canvas.addEventListener("pointermove", (each) => goTo(at(each)), { signal: leaving.signal });
  for (const name of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(
      name,
      (each) => {
        leaving.abort();
        if (handle === null || name === "pointercancel") return;
        const { start, stop } = project.range;
        void (handle === "start" ? setRange(at(each), stop) : setRange(start, at(each) + 1));
      },
      { signal: leaving.signal },
    );
  }
}
