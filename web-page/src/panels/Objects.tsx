// The objects of the project, and what can be said of the chosen one in this frame.

import { act, addObject, sayAbsent } from "../doing/changes";
import { viewOf } from "../doing/opening";
import * as state from "../state";
import type { ObjectOfProject } from "../wire";
import { Icon } from "./Icon";

export function Objects() {
  const { objects, canWrite, chosen } = state;
  return (
    <section class="panel" aria-labelledby="objects-title">
      <header>
        <h2 id="objects-title">Objects</h2>
        <button class="small" disabled={!canWrite.value} onClick={() => void addObject()} title="One more object (A)">
          <Icon name="add" /> Add
        </button>
      </header>
      {objects.value.length === 0 && (
        <p class="hint">Point at something in the frame, or draw a box around it. It becomes the first object.</p>
      )}
      <ul class="objects">
        {objects.value.map((each, index) => (
          <ObjectRow key={each.id} object={each} digit={index < 9 ? index + 1 : null} />
        ))}
      </ul>
      {chosen.value !== null && (
        <div class="row">
          <button disabled={!canWrite.value} onClick={() => void sayAbsent(false)} title="It cannot be seen in this frame">
            Absent here
          </button>
          <button disabled={!canWrite.value} onClick={() => void sayAbsent(true)} title="It is gone from this frame on">
            Ends here
          </button>
        </div>
      )}
    </section>
  );
}

function ObjectRow({ object, digit }: { object: ObjectOfProject; digit: number | null }) {
  const isChosen = state.chosenId.value === object.id;
  const isSolo = state.soloId.value === object.id;
  const isReadOnly = !state.canWrite.value;
  const change = (what: Partial<ObjectOfProject>) => void act({ kind: "change_object", object: object.id, ...what });
  return (
    <li class={isChosen ? "object chosen" : "object"} onClick={() => (state.chosenId.value = object.id)}>
      <button class="digit" aria-pressed={isChosen} title={`Choose ${object.name}`} aria-label={`Choose ${object.name}`}>
        {digit ?? object.id}
      </button>
      <input
        type="color"
        aria-label={`Colour of ${object.name}`}
        value={object.colour}
        disabled={isReadOnly}
        onChange={(event) => change({ colour: event.currentTarget.value })}
      />
      <span class="name">
        <input
          type="text"
          aria-label={`Name of object ${object.id}`}
          value={object.name}
          maxLength={80}
          disabled={isReadOnly}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
          onChange={(event) => {
            const name = event.currentTarget.value.trim();
            if (name) change({ name });
            else event.currentTarget.value = object.name;
          }}
        />
        <small>{stateHere(object.id)}</small>
      </span>
      <Toggle on={!object.hidden} icons={["eye", "hidden"]} label={`Show ${object.name}`} isReadOnly={isReadOnly} onClick={() => change({ hidden: !object.hidden })} />
      <Toggle on={object.locked} icons={["lock", "unlocked"]} label={`Lock ${object.name}`} isReadOnly={isReadOnly} onClick={() => change({ locked: !object.locked })} />
      <Toggle on={isSolo} icons={["solo", "solo"]} label={`Show only ${object.name}`} isReadOnly={false} onClick={() => (state.soloId.value = isSolo ? null : object.id)} />
      <button
        class="toggle"
        aria-label={`Remove ${object.name}`}
        title={`Remove ${object.name} (can be undone)`}
        disabled={isReadOnly || object.locked}
        onClick={() => void act({ kind: "remove_object", object: object.id })}
      >
        <Icon name="remove" />
      </button>
    </li>
  );
}

interface ToggleProps {
  on: boolean;
  icons: ["eye" | "lock" | "solo", "hidden" | "unlocked" | "solo"];
  label: string;
  isReadOnly: boolean;
  onClick: () => void;
}

function Toggle({ on, icons, label, isReadOnly, onClick }: ToggleProps) {
  return (
    <button
      class="toggle"
      aria-pressed={on}
      aria-label={label}
      title={label}
      disabled={isReadOnly}
      onClick={(event) => {
        event.stopPropagation();
        onClick();
      }}
    >
      <Icon name={icons[on ? 0 : 1]} />
    </button>
  );
}

function stateHere(id: number): string {
  state.viewsChanged.value;
  const found = viewOf(state.frame.value)?.objects.find((each) => each.object === id);
  if (!state.begunIds.value.has(id)) return "not marked yet";
  if (found === undefined) return "not known here";
  if (found.state === "tracked") return `${Math.round(100 * found.confidence)} % certain`;
  return found.state === "lost" ? "lost here" : "absent here";
}
