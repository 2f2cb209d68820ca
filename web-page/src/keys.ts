// The keyboard. One table: what help shows is what is done.

import * as changes from "./doing/changes";
import { goTo } from "./doing/opening";
import { play, shuttle, togglePlay } from "./doing/playing";
import * as state from "./state";
import { type Tool } from "./state";

export interface Key {
  keys: string[]; // as shown
  does: string;
  matches: (event: KeyboardEvent) => boolean;
  run: (event: KeyboardEvent) => unknown;
}

const plain = (event: KeyboardEvent) => !event.ctrlKey && !event.metaKey && !event.altKey;
const letter = (name: string) => (event: KeyboardEvent) => plain(event) && event.key.toLowerCase() === name;
const command = (event: KeyboardEvent) => event.ctrlKey || event.metaKey;

function toolKey(name: string, tool: Tool, does: string): Key {
  return { keys: [name], does, matches: letter(name.toLowerCase()), run: () => (state.tool.value = tool) };
}

export const KEYS: Key[] = [
  {
    keys: ["1", "…", "9"],
    does: "choose an object",
    matches: (event) => plain(event) && /^[1-9]$/.test(event.key),
    run: (event) => {
      const found = state.objects.value[Number(event.key) - 1];
      if (found !== undefined) state.chosenId.value = found.id;
    },
  },
  {
    keys: ["←", "→"],
    does: "a frame back, forward (with Shift: 10)",
    matches: (event) => plain(event) && (event.key === "ArrowLeft" || event.key === "ArrowRight"),
    run: (event) => {
      play(0);
      goTo(state.frame.value + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
    },
  },
  {
    keys: ["Home", "End"],
    does: "the first, last frame of the range",
    matches: (event) => plain(event) && (event.key === "Home" || event.key === "End"),
    run: (event) => {
      const range = state.project.value?.range;
      if (range) goTo(event.key === "Home" ? range.start : range.stop - 1);
    },
  },
  { keys: ["Space"], does: "play, pause", matches: letter(" "), run: togglePlay },
  { keys: ["J"], does: "play backwards, again: faster", matches: letter("j"), run: () => shuttle(-1) },
  { keys: ["K"], does: "stop playing", matches: letter("k"), run: () => play(0) },
  { keys: ["L"], does: "play forwards, again: faster", matches: letter("l"), run: () => shuttle(1) },
  {
    keys: ["Enter"],
    does: "propagate both ways; stop where it runs",
    matches: letter("enter"),
    run: () => changes.propagate("both"),
  },
  { keys: ["B"], does: "propagate backwards", matches: letter("b"), run: () => changes.propagate("backward") },
  { keys: ["F"], does: "propagate forwards", matches: letter("f"), run: () => changes.propagate("forward") },
  { keys: ["C"], does: "approve the frame, or take that back", matches: letter("c"), run: changes.toggleApproval },
  { keys: ["N"], does: "what next? go where a correction helps most", matches: letter("n"), run: changes.whatNext },
  {
    keys: ["["],
    does: "the range starts here",
    matches: (event) => !command(event) && event.key === "[",
    run: () => changes.setRange(state.frame.value, state.project.value?.range.stop ?? 0),
  },
  {
    keys: ["]"],
    does: "the range ends here",
    matches: (event) => !command(event) && event.key === "]",
    run: () => changes.setRange(state.project.value?.range.start ?? 0, state.frame.value + 1),
  },
  {
    keys: ["Ctrl+Z"],
    does: "undo",
    matches: (event) => command(event) && !event.shiftKey && event.key.toLowerCase() === "z",
    run: changes.undo,
  },
  {
    keys: ["Ctrl+Shift+Z"],
    does: "redo",
    matches: (event) =>
      command(event) && ((event.shiftKey && event.key.toLowerCase() === "z") || event.key.toLowerCase() === "y"),
    run: changes.redo,
  },
  toolKey("V", "click", "tool: click"),
  toolKey("X", "box", "tool: box"),
  toolKey("S", "stroke", "tool: stroke"),
  toolKey("D", "brush", "tool: brush"),
  toolKey("E", "eraser", "tool: eraser"),
  toolKey("O", "lasso", "tool: lasso"),
  {
    keys: ["M"],
    does: "switch between object (+) and not the object (−); holding Alt does it for one mark",
    matches: letter("m"),
    run: () => (state.isRemoving.value = !state.isRemoving.value),
  },
  { keys: ["A"], does: "one more object", matches: letter("a"), run: () => changes.addObject() },
  {
    keys: ["?"],
    does: "these keys",
    matches: (event) => !command(event) && event.key === "?",
    run: () => (state.dialog.value = "help"),
  },
];

const TYPED_INTO = "input:not([type=range],[type=checkbox],[type=color]), textarea, select";

/** Keys work everywhere but where something is typed, and where a button or a slider has a use of its own for them. */
export function onKey(event: KeyboardEvent): void {
  const target = event.target instanceof Element ? event.target : document.body;
  if (state.project.value === null || state.dialog.value !== null || target.closest(TYPED_INTO)) return;
  const isControl = target.closest("button, a, input, summary") !== null;
  if (isControl && ["Enter", " "].includes(event.key)) return;
  if (target.matches("input[type=range]") && /^Arrow|Home|End/.test(event.key)) return;
  const found = KEYS.find((key) => key.matches(event));
  if (found === undefined) return;
  event.preventDefault();
  void found.run(event);
}
