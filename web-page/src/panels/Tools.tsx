// The tools, and whether they say "this is the object" or "this is not".

import * as state from "../state";
import type { Tool } from "../state";
import { Icon } from "./Icon";

const TOOLS: Array<[Tool, string, string]> = [
  ["click", "Click", "V"],
  ["box", "Box", "X"],
  ["stroke", "Stroke", "S"],
  ["brush", "Brush", "D"],
  ["eraser", "Eraser", "E"],
  ["lasso", "Lasso", "O"],
];

export function Tools() {
  const isRemoving = state.isRemoving.value;
  return (
    <nav class="tools" aria-label="Tools">
      {TOOLS.map(([tool, label, key]) => (
        <button
          key={tool}
          class="tool"
          aria-pressed={state.tool.value === tool}
          aria-keyshortcuts={key}
          title={`${label} (${key})`}
          onClick={() => (state.tool.value = tool)}
        >
          <Icon name={tool} />
          <span>{label}</span>
        </button>
      ))}
      <div class="sign" role="group" aria-label="What a mark says">
        <button aria-pressed={!isRemoving} title="This is the object (M)" onClick={() => (state.isRemoving.value = false)}>
          <Icon name="add" />
          <span class="unseen">This is the object</span>
        </button>
        <button
          class="minus"
          aria-pressed={isRemoving}
          title="This is not the object (M, or hold Alt)"
          onClick={() => (state.isRemoving.value = true)}
        >
          <Icon name="minus" />
          <span class="unseen">This is not the object</span>
        </button>
      </div>
      {["brush", "eraser"].includes(state.tool.value) && (
        <label class="brush-size">
          <span>Size {state.brushSize.value}</span>
          <input
            type="range"
            min={2}
            max={200}
            value={state.brushSize.value}
            onInput={(event) => (state.brushSize.value = Number(event.currentTarget.value))}
          />
        </label>
      )}
    </nav>
  );
}
