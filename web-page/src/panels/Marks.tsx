// What was said of this frame, each to be taken back.

import { act } from "../doing/changes";
import * as state from "../state";
import type { State } from "../wire";
import { Icon } from "./Icon";

type AnyRound = State["rounds"][number];

export function Marks() {
  const project = state.project.value;
  if (project === null) return null;
  const said = project.rounds
    .map((round, index) => ({ round, index }))
    .filter(({ round }) => round.frame === state.frame.value && round.kind !== "removal");
  if (said.length === 0 && project.contradictions.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="marks-title">
      <h2 id="marks-title">Said of this frame</h2>
      <ul class="marks">
        {said.map(({ round, index }) => (
          <li key={index}>
            <span>{inWords(round)}</span>
            <button
              class="toggle"
              aria-label={`Take back: ${inWords(round)}`}
              title="Take this back"
              disabled={!state.canWrite.value}
              onClick={() => void act({ kind: "take_back", index })}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {project.contradictions.map((sentence) => (
        <p class="problem" key={sentence}>
          {sentence}
        </p>
      ))}
    </section>
  );
}

function inWords(round: AnyRound): string {
  const name = state.objects.value.find((each) => each.id === round.object)?.name ?? "all objects";
  switch (round.kind) {
    case "mark":
      return `${markInWords(round)} ${name}`;
    case "mask":
      return `painted: ${name}`;
    case "absence":
      return `${name} ${round.last === null || round.last === undefined ? "absent here" : "ends here"}`;
    case "approval":
      return `approved: ${name}`;
    case "removal":
      return `removed: ${name}`;
  }
}

function markInWords(round: Extract<AnyRound, { kind: "mark" }>): string {
  if (round.box) return "box:";
  const sign = round.is_object ? "+" : "−";
  return round.lines.every((line) => line.length === 1) ? `click ${sign}:` : `stroke ${sign}:`;
}
