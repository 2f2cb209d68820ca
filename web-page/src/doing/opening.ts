// Open a project, keep up with what the server tells of it, and close it.

import { batch } from "@preact/signals";
import { listen } from "../live";
import { Pictures } from "../pictures";
import { ProjectServer } from "../server";
import * as state from "../state";
import { Strips } from "../strips";
import type { Event, FrameView, Job, State } from "../wire";
import { tell, tellProblem } from "./notices";

const MOST_VIEWS = 400;

/** What belongs to the open project and is too large for signals. */
export let pictures: Pictures | null = null;
export let strips: Strips | null = null;
const views = new Map<number, FrameView>();
let hangUp: (() => void) | null = null;
let viewAsked = -1;

export async function open(id: string): Promise<void> {
  close();
  const server = new ProjectServer(id);
  try {
    const project = await server.state();
    location.hash = `#/project/${id}`;
    begin(server, project);
  } catch (error) {
    location.hash = "";
    tellProblem(error);
  }
}

function begin(server: ProjectServer, project: State): void {
  const { clip } = project;
  pictures = new Pictures(
    server,
    clip.num_frames,
    clip.view_width * clip.view_height,
    () => state.picturesChanged.value++,
    (error) => clip.is_there && tellProblem(error),
  );
  strips = new Strips(clip.num_frames);
  batch(() => {
    state.server.value = server;
    state.project.value = project;
    state.chosenId.value = project.objects[0]?.id ?? null;
    state.frame.value = firstFrame(project);
  });
  document.title = `${project.name}: Shibori studio`;
  hangUp = listen(server.liveUrl(), onEvent, onLink);
  void refreshTimeline();
  look();
}

function firstFrame(project: State): number {
  const marked = project.rounds.find((round) => round.kind === "mark" || round.kind === "mask");
  return marked?.frame ?? project.range.start;
}

export function close(): void {
  hangUp?.();
  pictures?.close();
  hangUp = pictures = strips = null;
  views.clear();
  batch(() => {
    state.server.value = null;
    state.project.value = null;
    state.hover.value = null;
    state.soloId.value = null;
    state.suggestion.value = null;
    state.edges.value = null;
    state.speed.value = 0;
    state.look.value = "overlay";
  });
  document.title = "Shibori studio";
}

function onLink(isUp: boolean): void {
  const wasUp = state.isLinked.value;
  state.isLinked.value = isUp;
  if (isUp && !wasUp) {
    void refreshTimeline();
    void refreshView(state.frame.value);
  }
}

function onEvent(event: Event): void {
  switch (event.kind) {
    case "state":
      return take(event.state);
    case "frame":
      return takeView(event.view);
    case "job":
      return takeJob(event.job);
    case "thumbnails":
      state.thumbnailsDone.value = event.done;
      return;
    case "problem":
      return tell(event.sentence, true);
  }
}

/** The project is this now. */
export function take(next: State): void {
  const before = state.project.value;
  if (before === null || next.project !== before.project || next.version < before.version) return;
  const hasNewRounds = next.version !== before.version && JSON.stringify(next.rounds) !== JSON.stringify(before.rounds);
  batch(() => {
    state.project.value = next;
    if (!next.objects.some((each) => each.id === state.chosenId.value)) {
      state.chosenId.value = next.objects.at(-1)?.id ?? null;
    }
  });
  if (!before.clip.is_there && next.clip.is_there) look();
  if (hasNewRounds || next.objects.length !== before.objects.length) {
    const shown = views.get(state.frame.value);
    views.clear();
    if (shown !== undefined) views.set(shown.frame, shown);
    void refreshView(state.frame.value);
    void refreshTimeline();
  }
}

export function takeView(view: FrameView): void {
  views.delete(view.frame);
  views.set(view.frame, view);
  for (const oldest of views.keys()) {
    if (views.size <= MOST_VIEWS) break;
    views.delete(oldest);
  }
  strips?.add(view);
  batch(() => {
    state.viewsChanged.value++;
    state.stripsChanged.value++;
  });
}

export function takeJob(job: Job): void {
  const project = state.project.value;
  if (project === null) return;
  const isKnown = project.jobs.some((each) => each.id === job.id);
  const others = project.jobs.filter((each) => job.kind !== "propagation" || each.kind !== "propagation");
  const jobs = isKnown ? project.jobs.map((each) => (each.id === job.id ? job : each)) : [...others, job];
  state.project.value = { ...project, jobs };
  if (job.state === "failed" && job.sentence) tell(job.sentence, true);
}

/** The masks of a frame, as far as the page has them. */
export function viewOf(frame: number): FrameView | undefined {
  return views.get(frame);
}

/** Go to a frame. */
export function goTo(frame: number): void {
  const last = state.numFrames.value - 1;
  const next = Math.max(0, Math.min(last, Math.round(frame)));
  const direction = next < state.frame.value ? -1 : 1;
  batch(() => {
    state.frame.value = next;
    state.hover.value = null;
  });
  look(direction);
}

/** Fetch what the frame one is at needs. */
export function look(direction = 1): void {
  const frame = state.frame.value;
  if (state.project.value?.clip.is_there) pictures?.want(frame, direction);
  if (!views.has(frame)) void refreshView(frame);
}

/** Ask for the masks of a frame anew; where something was said of it they are worked out if they are not known. */
export async function refreshView(frame: number): Promise<void> {
  const server = state.server.value;
  if (server === null || (viewAsked === frame && state.speed.value !== 0)) return;
  viewAsked = frame;
  try {
    let view = await server.masks(frame, false);
    const isSaid = state.project.value?.rounds.some(
      (round) => round.frame === frame && (round.kind === "mark" || round.kind === "mask"),
    );
    if (isSaid && (!view.is_fresh || view.objects.length === 0)) {
      state.isBusy.value = true;
      view = await server.masks(frame, true);
    }
    if (server === state.server.value) takeView(view);
  } catch (error) {
    tellProblem(error);
  } finally {
    state.isBusy.value = false;
    viewAsked = -1;
  }
}

async function refreshTimeline(): Promise<void> {
  const server = state.server.value;
  if (server === null) return;
  try {
    const timeline = await server.timeline();
    if (server !== state.server.value) return;
    strips?.replace(timeline);
    batch(() => {
      state.thumbnailsDone.value = timeline.thumbnails_done;
      state.stripsChanged.value++;
    });
  } catch (error) {
    tellProblem(error);
  }
}
