// Undo, redo, how the frame is looked at, what next, export.

import { redo, undo, whatNext } from "../doing/changes";
import { close } from "../doing/opening";
import * as state from "../state";
import type { Look } from "../state";
import { setTheme } from "../theme";
import { refreshStudio } from "../doing/studio";
import { Icon } from "./Icon";

const LOOKS: Array<[Look, string, string]> = [
  ["overlay", "Overlay", "Masks laid over the picture"],
  ["outline", "Outline", "Only the edges of masks"],
  ["cutout", "Cut-out", "The objects before another ground"],
  ["matte", "Matte", "Opacity as grey"],
  ["before", "Before", "The picture as it is"],
];
const BACKDROPS: Array<[string, string]> = [
  ["checker", "Checkerboard"],
  ["#000000", "Black"],
  ["#ffffff", "White"],
  ["#00b140", "Green"],
];

export function TopBar() {
  const project = state.project.value;
  if (project === null) return null;
  return (
    <header class="top">
      <button
        class="plain"
        title="All projects"
        onClick={() => {
          close();
          location.hash = "";
          void refreshStudio();
        }}
      >
        <Icon name="film" />
        <span class="title">{project.name}</span>
      </button>
      <div class="group">
        <button class="plain" disabled={!project.undo || !state.canWrite.value} title={project.undo ? `Undo: ${project.undo} (Ctrl+Z)` : "Nothing to undo"} onClick={() => void undo()}>
          <Icon name="undo" />
          <span class="unseen">Undo</span>
        </button>
        <button class="plain" disabled={!project.redo || !state.canWrite.value} title={project.redo ? `Redo: ${project.redo} (Ctrl+Shift+Z)` : "Nothing to redo"} onClick={() => void redo()}>
          <Icon name="redo" />
          <span class="unseen">Redo</span>
        </button>
      </div>
      <Looks />
      <span class="spring" />
      <button title="Go where a correction helps most (N)" onClick={() => void whatNext()}>
        <Icon name={state.isSuggesting.value ? "close" : "next"} /> {state.isSuggesting.value ? "Stop looking" : "What next?"}
      </button>
      <button class="main" onClick={() => (state.dialog.value = "export")}>
        Export
      </button>
      <button class="plain" title="Dark or light" onClick={() => setTheme(state.theme.value === "dark" ? "light" : "dark")}>
        <Icon name={state.theme.value === "dark" ? "sun" : "moon"} />
        <span class="unseen">Dark or light</span>
      </button>
      <button class="plain" title="Keys (?)" onClick={() => (state.dialog.value = "help")}>
        <Icon name="help" />
        <span class="unseen">Keys</span>
      </button>
    </header>
  );
}

function Looks() {
  const isOther = !BACKDROPS.some(([value]) => value === state.backdrop.value);
  return (
    <div class="looks">
      <div class="segments" role="group" aria-label="View">
        {LOOKS.map(([look, label, title]) => (
          <button key={look} title={title} aria-pressed={state.look.value === look} onClick={() => (state.look.value = look)}>
            {label}
          </button>
        ))}
      </div>
      {state.look.value === "cutout" && (
        <>
          <label>
            <span class="unseen">Ground of the cut-out</span>
            <select
              value={isOther ? "other" : state.backdrop.value}
              onChange={(event) => {
                const { value } = event.currentTarget;
                state.backdrop.value = value === "other" ? "#4060c0" : value;
              }}
            >
              {BACKDROPS.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
              <option value="other">A colour</option>
            </select>
          </label>
          {isOther && (
            <input
              type="color"
              aria-label="Colour of the ground"
              value={state.backdrop.value}
              onInput={(event) => (state.backdrop.value = event.currentTarget.value)}
            />
          )}
        </>
      )}
    </div>
  );
}
