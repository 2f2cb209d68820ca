// The opacity of the shown objects in a frame with the edge controls carried out, as the server makes it.

import type { ProjectServer } from "../server";
import type { EdgeSettings } from "../wire";
import { alphaLayer } from "./layers";

const MOST_KEPT = 24;

export class Mattes {
  private kept = new Map<string, OffscreenCanvas>();
  private wanted: { key: string; frame: number; ids: number[]; edges: EdgeSettings } | null = null;
  private isAsking = false;

  constructor(
    private server: ProjectServer,
    private onCome: () => void,
  ) {}

  /** What is there; otherwise it is asked for, and `onCome` called. `version`: of the masks. */
  get(frame: number, ids: number[], edges: EdgeSettings, version: number): OffscreenCanvas | undefined {
    const key = JSON.stringify([frame, ids, edges, version]);
    const found = this.kept.get(key);
    if (found === undefined && ids.length > 0) {
      this.wanted = { key, frame, ids, edges };
      if (!this.isAsking) void this.ask();
    }
    return found;
  }

  private async ask(): Promise<void> {
    this.isAsking = true;
    while (this.wanted !== null) {
      const { key, frame, ids, edges } = this.wanted;
      this.wanted = null;
      try {
        const blob = await this.server.matte(frame, ids, edges);
        const bitmap = await createImageBitmap(blob);
        this.kept.set(key, alphaLayer(bitmap));
        bitmap.close();
      } catch {
        // No masks of that frame yet: the picture is shown without.
        const [nothing] = [new OffscreenCanvas(1, 1)];
        this.kept.set(key, nothing);
      }
      for (const oldest of this.kept.keys()) {
        if (this.kept.size <= MOST_KEPT) break;
        this.kept.delete(oldest);
      }
      this.onCome();
    }
    this.isAsking = false;
  }
}
