// Everything the page knows, as signals: components read them, `doing/` changes them.

import { computed, signal } from "@preact/signals";
import type { ProjectServer } from "./server";
import type { EdgeSettings, FrameView, ObjectOfProject, State, Studio, SuggestionView } from "./wire";

export type Tool = "click" | "box" | "stroke" | "brush" | "eraser" | "lasso";
export type Look = "overlay" | "cutout" | "matte" | "outline" | "before";
export type Dialog = "help" | "export" | null;
export type Theme = "dark" | "light";
export type Notice = { text: string; isProblem: boolean } | null;

// ---- what the server has
export const studio = signal<Studio | null>(null);
export const server = signal<ProjectServer | null>(null);
export const project = signal<State | null>(null);
export const isLinked = signal(true);
export const thumbnailsDone = signal(0);

// ---- where one is, and how one looks
export const frame = signal(0);
export const chosenId = signal<number | null>(null);
export const soloId = signal<number | null>(null);
export const look = signal<Look>("overlay");
export const backdrop = signal("checker"); // or a colour
export const edges = signal<EdgeSettings | null>(null); // while a slider is moved
export const speed = signal(0); // of playing; negative: backwards
export const dialog = signal<Dialog>(null);
export const notice = signal<Notice>(null);
export const suggestion = signal<SuggestionView | null>(null);
export const isSuggesting = signal(false);
export const isBusy = signal(false); // a mark is being carried out

export const theme = signal<Theme>("dark");

// ---- tools
export const tool = signal<Tool>("click");
export const isRemoving = signal(false); // minus instead of plus
export const brushSize = signal(24); // diameter in view pixels
export const hover = signal<{ view: FrameView; point: [number, number] } | null>(null);

// ---- bumped when something that is not a signal changed
export const viewsChanged = signal(0);
export const picturesChanged = signal(0);
export const stripsChanged = signal(0);

export const numFrames = computed(() => project.value?.clip.num_frames ?? 0);
export const objects = computed<ObjectOfProject[]>(() => project.value?.objects ?? []);
export const chosen = computed(() => objects.value.find((each) => each.id === chosenId.value) ?? null);
export const canWrite = computed(() => (project.value?.is_writer ?? false) && (project.value?.clip.is_there ?? false));
export const edgesNow = computed(() => edges.value ?? project.value?.export.edges ?? null);
export const propagation = computed(() => project.value?.jobs.find((job) => job.kind === "propagation") ?? null);
export const isPropagating = computed(() => ["queued", "running"].includes(propagation.value?.state ?? ""));

/** Ids of the objects of which something was marked: masks of others are of rounds that were taken back. */
export const begunIds = computed(() => {
  const marked = new Set<number>();
  for (const round of project.value?.rounds ?? []) {
    if (round.kind === "mark" || round.kind === "mask") marked.add(round.object);
  }
  return marked;
});

/** Ids of the objects whose masks are shown. */
export const shownIds = computed(() => {
  const isSolo = objects.value.some((each) => each.id === soloId.value);
  const shown = objects.value.filter((each) => (isSolo ? each.id === soloId.value : !each.hidden));
  return shown.map((each) => each.id).filter((id) => begunIds.value.has(id));
});

/** Whether a frame is approved for all objects there are. */
export function isApproved(index: number, objectId?: number): boolean {
  const state = project.value;
  if (state === null || state.objects.length === 0) return false;
  const ids = objectId === undefined ? state.objects.map((each) => each.id) : [objectId];
  return ids.every((id) =>
    state.approved.some((each) => each.object === id && each.spans.some(([first, last]) => first <= index && index <= last)),
  );
}

export function isStale(index: number): boolean {
  return project.value?.stale.some(([first, last]) => first <= index && index <= last) ?? false;
}
