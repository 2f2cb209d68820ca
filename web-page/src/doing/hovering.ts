// A hovering click shows its mask before it is made: one question at a time, always for where the pointer is now.

import * as state from "../state";
import type { MarkRound } from "../wire";

const REST = 45; // milliseconds for which a pointer has to stay

let wanted: MarkRound | null = null;
let isAsking = false;
let timer = 0;

export function hoverAt(point: [number, number], isObject: boolean): void {
  const { server, canWrite, chosen, project, speed } = state;
  if (server.value === null || !canWrite.value || chosen.value?.locked || speed.value !== 0) return;
  const newId = 1 + Math.max(0, ...(project.value?.objects ?? []).map((each) => each.id));
  wanted = {
    kind: "mark",
    frame: state.frame.value,
    object: chosen.value?.id ?? newId,
    lines: [[point]],
    box: null,
    is_object: isObject,
  };
  window.clearTimeout(timer);
  timer = window.setTimeout(askNext, REST);
}

export function hoverNowhere(): void {
  window.clearTimeout(timer);
  wanted = null;
  state.hover.value = null;
}

async function askNext(): Promise<void> {
  const server = state.server.value;
  const round = wanted;
  if (server === null || round === null || isAsking) return;
  isAsking = true;
  wanted = null;
  try {
    const view = await server.preview(round);
    if (view !== null && view.frame === state.frame.value) {
      state.hover.value = { view, point: round.lines[0]![0]! };
    }
  } catch {
    state.hover.value = null; // a glance that fails is not worth a word: the click itself tells
  } finally {
    isAsking = false;
    if (wanted !== null) void askNext();
  }
}
