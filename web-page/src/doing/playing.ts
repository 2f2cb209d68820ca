// Playing: at the clip's rate, never past a picture that is not there yet, so that what is seen is every frame.

import * as state from "../state";
import { goTo, pictures } from "./opening";

const USUAL_RATE = 25; // frames a second, where the clip tells none
const FASTEST = 4;

let before = 0;
let owed = 0;

export function play(speed: number): void {
  const wasStill = state.speed.value === 0;
  state.speed.value = speed;
  if (wasStill && speed !== 0) {
    const { start, stop } = state.project.value?.range ?? { start: 0, stop: 1 };
    if (speed > 0 && state.frame.value >= stop - 1) goTo(start);
    before = performance.now();
    owed = 0;
    requestAnimationFrame(tick);
  }
}

export const togglePlay = () => play(state.speed.value === 0 ? 1 : 0);

/** As J and L do: the other way first stops, the same way again is faster. */
export function shuttle(direction: 1 | -1): void {
  const speed = state.speed.value;
  if (speed * direction < 0) play(0);
  else play(direction * Math.min(FASTEST, Math.max(1, Math.abs(speed) * 2)));
}

function tick(now: number): void {
  const { speed, project } = state;
  if (speed.value === 0 || project.value === null) return;
  const rate = (project.value.clip.frame_rate ?? USUAL_RATE) * Math.abs(speed.value);
  owed = Math.min(4, owed + ((now - before) / 1000) * rate);
  before = now;
  const step = Math.sign(speed.value);
  while (owed >= 1) {
    const next = state.frame.value + step;
    const { start, stop } = project.value.range;
    if ((step > 0 && next >= stop) || (step < 0 && next < start)) {
      speed.value = 0;
      return;
    }
    if (pictures?.get(next) === undefined) {
      pictures?.want(next, step);
      owed = 1;
      break;
    }
    goTo(next);
    owed -= 1;
  }
  requestAnimationFrame(tick);
}
