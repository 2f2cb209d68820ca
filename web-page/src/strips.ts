// Per object what is known of each frame, for the timeline: filled from the server, then kept up as frames come.

import type { FrameView, Timeline } from "./wire";

export interface Strip {
  states: string[]; // t tracked, l lost, a absent, "." not known
  confidence: number[]; // 0 to 100
}

export class Strips {
  readonly byObject = new Map<number, Strip>();

  constructor(private numFrames: number) {}

  /** All that the server knows. */
  replace(timeline: Timeline): void {
    this.byObject.clear();
    for (const each of timeline.strips) {
      this.byObject.set(each.object, { states: each.states.split(""), confidence: each.confidence });
    }
  }

  /** What came of one frame. */
  add(view: FrameView): void {
    for (const each of view.objects) {
      let strip = this.byObject.get(each.object);
      if (strip === undefined) {
        strip = { states: Array(this.numFrames).fill("."), confidence: Array(this.numFrames).fill(0) };
        this.byObject.set(each.object, strip);
      }
      strip.states[view.frame] = each.state.charAt(0);
      strip.confidence[view.frame] = Math.round(100 * each.confidence);
    }
  }
}
