// The frame one is at, with its masks; what is drawn on it with mouse, pen or finger.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { pictures, viewOf } from "../doing/opening";
import * as state from "../state";
import { Canvas } from "./Canvas";

export function Viewer() {
  const element = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const canvas = new Canvas(element.current!);
    const stopWatching = effect(() => {
      state.picturesChanged.value;
      state.viewsChanged.value;
      canvas.show(sceneNow());
    });
    return () => {
      stopWatching();
      canvas.close();
    };
  }, [state.server.value]);

  const clip = state.project.value?.clip;
  const name = clip ? `Frame ${state.frame.value} of ${clip.name}. ${told()}` : "";
  return (
    <div class="viewer">
      <canvas ref={element} tabIndex={0} aria-label={name} role="img" data-tool={state.tool.value} />
      {state.isBusy.value && <div class="viewer-busy" role="status">Working out the mask…</div>}
      {clip && !clip.is_there && <div class="viewer-problem">{clip.problem}</div>}
    </div>
  );
}

/** What the masks show, in words. */
function told(): string {
  state.viewsChanged.value;
  const shown = (viewOf(state.frame.value)?.objects ?? []).filter((each) => state.shownIds.value.includes(each.object));
  if (shown.length === 0) return "No masks are shown.";
  const names = new Map(state.objects.value.map((each) => [each.id, each.name]));
  return shown
    .map((each) => `${names.get(each.object) ?? each.object}: ${each.state}, ${Math.round(100 * each.area)} % of the frame`)
    .join("; ");
}

function sceneNow() {
  const project = state.project.value;
  const server = state.server.value;
  if (project === null || server === null) return null;
  const frame = state.frame.value;
  return {
    frame,
    server,
    project,
    picture: pictures?.get(frame),
    view: viewOf(frame),
    hover: state.hover.value?.view.frame === frame ? state.hover.value.view : null,
    ids: state.shownIds.value,
    chosenId: state.chosenId.value,
    look: state.look.value,
    backdrop: state.backdrop.value,
    edges: state.edgesNow.value,
    isStale: state.isStale(frame) && !(viewOf(frame)?.is_fresh ?? false),
    version: state.viewsChanged.value,
  };
}

export type Shown = NonNullable<ReturnType<typeof sceneNow>>;
