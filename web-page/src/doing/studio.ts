// What the server offers: its clips, its projects, its device.

import { openProject, showStudio, upload } from "../server";
import * as state from "../state";
import { tellProblem } from "./notices";
import { open } from "./opening";

const ASK_AGAIN = 1500; // milliseconds, while the networks are loaded
const FROM_HASH = /^#\/project\/([0-9a-f]{12})$/;
let timer = 0;

export async function refreshStudio(): Promise<void> {
  window.clearTimeout(timer);
  try {
    state.studio.value = await showStudio();
  } catch (error) {
    tellProblem(error);
  }
  const { value } = state.studio;
  if (value === null || (value.device === "loading" && value.problem === null)) {
    timer = window.setTimeout(() => void refreshStudio(), ASK_AGAIN);
  }
}

/** What is shown first: the project of the address, or the one that the command named. */
export async function openFirst(): Promise<void> {
  await refreshStudio();
  const id = FROM_HASH.exec(location.hash)?.[1] ?? state.studio.value?.open_project;
  if (id) await open(id);
}

export function followAddress(): void {
  const id = FROM_HASH.exec(location.hash)?.[1];
  if (id && id !== state.project.value?.project) void open(id);
}

export async function openClip(path: string): Promise<void> {
  try {
    await open((await openProject(path)).project);
  } catch (error) {
    tellProblem(error);
  }
}

export async function sendClip(file: File): Promise<void> {
  try {
    await openClip((await upload(file)).path);
  } catch (error) {
    tellProblem(error);
  }
}
