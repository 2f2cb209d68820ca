// The edge controls: what is done to every edge in exports, seen at once on the frame.

import { setEdges } from "../doing/changes";
import * as state from "../state";
import type { EdgeSettings } from "../wire";

const SLIDERS: Array<{ name: keyof EdgeSettings; label: string; min: number; max: number; step: number; title: string }> = [
  { name: "choke", label: "Choke", min: -20, max: 20, step: 0.5, title: "Shrink by so many pixels; negative grows" },
  { name: "feather", label: "Feather", min: 0, max: 30, step: 0.5, title: "Soften edges over so many pixels" },
  { name: "smooth", label: "Smooth", min: 0, max: 20, step: 0.5, title: "Straighten corners smaller than so many pixels" },
  { name: "refine", label: "Refine", min: 0, max: 40, step: 1, title: "Let edges follow hair and blur within so many pixels" },
  { name: "holes", label: "Fill holes", min: 0, max: 5000, step: 50, title: "Fill holes of at most so many pixels" },
  { name: "islands", label: "Drop islands", min: 0, max: 5000, step: 50, title: "Leave out detached parts of at most so many pixels" },
  { name: "calm", label: "Calm", min: 0, max: 10, step: 1, title: "Average over so many frames on both sides (seen in exports)" },
];

export function Edges() {
  const edges = state.edgesNow.value;
  if (edges === null) return null;
  const isIdle = SLIDERS.every(({ name }) => edges[name] === 0);
  return (
    <details class="panel">
      <summary>
        <h2>Edges{isIdle ? "" : " (changed)"}</h2>
      </summary>
      {SLIDERS.map(({ name, label, min, max, step, title }) => (
        <label class="slider" key={name} title={title}>
          <span>{label}</span>
          <input
            type="range"
            min={min}
            max={max}
            step={step}
            value={edges[name]}
            disabled={!state.canWrite.value}
            onInput={(event) => preview(edges, name, Number(event.currentTarget.value))}
            onChange={() => state.edges.value !== null && void setEdges(state.edges.value)}
          />
          <output>{edges[name]}</output>
        </label>
      ))}
      <div class="row">
        <button
          disabled={isIdle || !state.canWrite.value}
          onClick={() => void setEdges({ choke: 0, feather: 0, smooth: 0, refine: 0, holes: 0, islands: 0, calm: 0 })}
        >
          All back to 0
        </button>
      </div>
    </details>
  );
}

/** Edges show in a cut-out or a matte only. */
function preview(edges: EdgeSettings, name: keyof EdgeSettings, value: number): void {
  state.edges.value = { ...edges, [name]: value };
  if (state.look.value !== "matte") state.look.value = "cutout";
}
