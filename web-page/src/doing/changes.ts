// What a person changes of the project. Each answers when the change is on the server's disk.

import { type Action } from "../server";
import * as state from "../state";
import type { EdgeSettings, ExportSettings, MarkRound, Paint, Rle, SuggestionView } from "../wire";
import { tell, tellProblem } from "./notices";
import { goTo, take, takeJob } from "./opening";

let inTurn: Promise<unknown> = Promise.resolve();

/** One change after the other, in the order in which they were made. */
function queued(work: () => Promise<void>): Promise<void> {
  const next = inTurn.then(work).catch(tellProblem);
  inTurn = next;
  return next;
}

export function act(action: Action): Promise<void> {
  return queued(async () => {
    const server = state.server.value;
    if (server !== null) take(await server.act(action));
  });
}

export const undo = () => queued(async () => retrace("undo"));
export const redo = () => queued(async () => retrace("redo"));

async function retrace(way: "undo" | "redo"): Promise<void> {
  const server = state.server.value;
  const name = state.project.value?.[way];
  if (server === null || !name) return;
  take(await server[way]());
  tell(way === "undo" ? `Taken back: ${name}` : `Done again: ${name}`);
}

// ---- objects

export async function addObject(name: string | null = null): Promise<number | null> {
  await act({ kind: "add_object", name });
  const added = state.objects.value.at(-1)?.id ?? null;
  state.chosenId.value = added;
  return added;
}

/** The chosen object, or a first one. Null where it is locked. */
async function objectForMark(): Promise<number | null> {
  if (state.chosen.value?.locked) {
    tell(`${state.chosen.value.name} is locked: unlock it to change it`, true);
    return null;
  }
  return state.chosen.value?.id ?? (await addObject());
}

// ---- what is said of frames

export async function mark(what: Pick<MarkRound, "lines" | "is_object"> & { box?: MarkRound["box"] }): Promise<void> {
  const object = await objectForMark();
  if (object === null) return;
  await act({ kind: "say", round: { kind: "mark", frame: state.frame.value, object, box: null, ...what } });
}

export async function paint(mode: Paint["mode"], area: Rle): Promise<void> {
  const object = await objectForMark();
  if (object === null) return;
  await act({ kind: "paint", frame: state.frame.value, object, mode, area });
}

export async function sayAbsent(isForTheRest: boolean): Promise<void> {
  const object = await objectForMark();
  if (object === null) return;
  const last = isForTheRest ? state.numFrames.value - 1 : null;
  await act({ kind: "say", round: { kind: "absence", frame: state.frame.value, object, last } });
}

/** Approve the frame for all objects, or take that back. */
export function toggleApproval(): Promise<void> {
  const frame = state.frame.value;
  if (state.isApproved(frame)) return act({ kind: "unapprove", object: 0, frame, last: frame });
  return act({ kind: "say", round: { kind: "approval", frame, object: 0, last: null } });
}

// ---- range, edges

export function setRange(start: number, stop: number): Promise<void> {
  if (start >= stop) {
    tell("The range would be empty: its start is before its end", true);
    return Promise.resolve();
  }
  return act({ kind: "set_range", start, stop });
}

export async function setEdges(edges: EdgeSettings): Promise<void> {
  const settings = state.project.value?.export;
  if (settings === undefined) return;
  await act({ kind: "set_export", export: { ...settings, edges } });
  if (state.edges.value === edges) state.edges.value = null;
}

// ---- work that takes a while

export async function propagate(direction: "both" | "forward" | "backward"): Promise<void> {
  if (state.isPropagating.value) return stop();
  const server = state.server.value;
  if (server === null || !state.canWrite.value) return;
  if (!state.project.value?.rounds.some((round) => round.kind === "mark" || round.kind === "mask")) {
    tell("Mark an object in a frame first: it is followed from there", true);
    return;
  }
  await queued(async () => takeJob(await server.propagate({ direction, frame: state.frame.value })));
}

export async function stop(): Promise<void> {
  const server = state.server.value;
  try {
    if (server !== null) take(await server.stop());
  } catch (error) {
    tellProblem(error);
  }
}

/** Go where a correction helps most; asked again while it is looked for: look no further. */
export async function whatNext(): Promise<void> {
  const server = state.server.value;
  if (server === null) return;
  if (state.isSuggesting.value) {
    state.isSuggesting.value = false;
    return server.stopSuggesting().catch(tellProblem);
  }
  state.isSuggesting.value = true;
  try {
    const found = await server.suggestion();
    if (server === state.server.value && state.isSuggesting.value) goToSuggested(found);
  } catch (error) {
    tellProblem(error);
  } finally {
    state.isSuggesting.value = false;
  }
}

function goToSuggested(found: SuggestionView | null): void {
  state.suggestion.value = found;
  if (found === null) {
    tell("There is nothing to suggest: mark something and propagate, or all is approved");
    return;
  }
  state.chosenId.value = found.object;
  goTo(found.frame);
  tell(`${found.reason}.`);
}

export async function startExport(settings: ExportSettings): Promise<void> {
  const server = state.server.value;
  if (server === null) return;
  if (state.canWrite.value) await act({ kind: "set_export", export: settings });
  await queued(async () => takeJob(await server.export(settings)));
}

export async function takePen(): Promise<void> {
  const server = state.server.value;
  try {
    if (server !== null) take(await server.takePen());
  } catch (error) {
    tellProblem(error);
  }
}
