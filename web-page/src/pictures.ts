// Frames of the clip as bitmaps: the one that is looked at first, then those around it, some of them kept.

import type { ProjectServer } from "./server";

const MOST_KEPT_BYTES = 220_000_000;
const AT_ONCE = 4;
const AHEAD = 12;
const BEHIND = 3;

export class Pictures {
  private kept = new Map<number, ImageBitmap>();
  private underWay = new Map<number, AbortController>();
  private failed = new Set<number>();
  private wanted: number[] = [];
  private mostKept: number;

  constructor(
    private server: ProjectServer,
    private numFrames: number,
    pixels: number,
    private onCome: (frame: number) => void,
    private onProblem: (error: unknown) => void,
  ) {
    this.mostKept = Math.max(AHEAD + BEHIND + 2, Math.min(240, Math.floor(MOST_KEPT_BYTES / (4 * pixels))));
  }

  /** The picture of a frame, if it is there. */
  get(frame: number): ImageBitmap | undefined {
    const found = this.kept.get(frame);
    if (found !== undefined) {
      this.kept.delete(frame);
      this.kept.set(frame, found);
    }
    return found;
  }

  /** Fetch a frame, and then those that come next in a direction (1 or -1). */
  want(frame: number, direction: number): void {
    const near = [frame];
    for (let step = 1; step <= AHEAD; step++) near.push(frame + step * direction);
    for (let step = 1; step <= BEHIND; step++) near.push(frame - step * direction);
    this.wanted = near.filter((each) => each >= 0 && each < this.numFrames && !this.kept.has(each));
    this.failed.delete(frame);
    for (const [each, controller] of this.underWay) if (!near.includes(each)) controller.abort();
    this.fetchMore();
  }

  close(): void {
    this.wanted = [];
    for (const controller of this.underWay.values()) controller.abort();
    for (const bitmap of this.kept.values()) bitmap.close();
    this.kept.clear();
  }

  private fetchMore(): void {
    while (this.underWay.size < AT_ONCE) {
      const next = this.wanted.find((each) => !this.underWay.has(each) && !this.failed.has(each));
      if (next === undefined) return;
      void this.fetch(next);
    }
  }

  private async fetch(frame: number): Promise<void> {
    const controller = new AbortController();
    this.underWay.set(frame, controller);
    try {
      const bitmap = await createImageBitmap(await this.server.picture(frame, controller.signal));
      this.keep(frame, bitmap);
      this.onCome(frame);
    } catch (error) {
      if (!controller.signal.aborted) {
        this.failed.add(frame);
        this.onProblem(error);
      }
    } finally {
      this.underWay.delete(frame);
      this.wanted = this.wanted.filter((each) => each !== frame || controller.signal.aborted);
      this.fetchMore();
    }
  }

  private keep(frame: number, bitmap: ImageBitmap): void {
    this.kept.get(frame)?.close();
    this.kept.set(frame, bitmap);
    for (const [oldest, old] of this.kept) {
      if (this.kept.size <= this.mostKept) break;
      this.kept.delete(oldest);
      old.close();
    }
  }
}
