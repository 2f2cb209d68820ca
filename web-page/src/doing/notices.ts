// What a person is told in passing.

import { Refusal } from "../server";
import { notice } from "../state";

const SHOWN_FOR = 7000; // milliseconds
let timer = 0;

export function tell(text: string, isProblem = false): void {
  notice.value = { text, isProblem };
  window.clearTimeout(timer);
  timer = window.setTimeout(() => (notice.value = null), SHOWN_FOR);
}

export function tellProblem(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (!(error instanceof Refusal)) console.error(error);
  tell(error instanceof Error ? error.message : String(error), true);
}
