// The small pictures of the timeline, each fetched once it is made and wanted.

import type { ProjectServer } from "../server";

export class Thumbnails {
  private images = new Map<number, HTMLImageElement>();

  constructor(
    private server: ProjectServer,
    private onCome: () => void,
  ) {}

  /** The one of a frame, if it is there; `done`: frames before this one have theirs. */
  get(frame: number, done: number): HTMLImageElement | null {
    let image = this.images.get(frame);
    if (image === undefined && frame < done) {
      image = new Image();
      image.onload = this.onCome;
      image.src = this.server.thumbnailUrl(frame);
      this.images.set(frame, image);
    }
    return image?.complete && image.naturalWidth > 0 ? image : null;
  }
}
