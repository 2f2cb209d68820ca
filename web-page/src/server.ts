// What the page asks of the server. What the server tells by itself: live.ts.

import type {
  AddObject,
  ChangeObject,
  EdgeSettings,
  ExportFile,
  ExportSettings,
  FrameView,
  Job,
  MarkRound,
  Paint,
  PropagationOrder,
  RemoveObject,
  Say,
  SetExport,
  SetRange,
  State,
  Studio,
  SuggestionView,
  TakeBack,
  Timeline,
  Unapprove,
  Uploaded,
} from "./wire";

export type Action =
  | AddObject
  | ChangeObject
  | RemoveObject
  | Say
  | Paint
  | TakeBack
  | Unapprove
  | SetRange
  | SetExport;

/** Who this page is among those that look at one project. */
export const PAGE_ID = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
  byte.toString(16).padStart(2, "0"),
).join("");

/** The server's answer to something that cannot be done: one sentence for a person. */
export class Refusal extends Error {
  constructor(
    sentence: string,
    readonly status: number,
  ) {
    super(sentence);
  }
}

async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { "X-Page": PAGE_ID };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`/api${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal("The server does not answer. It is asked again until it does.", 0);
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

async function refusalOf(response: Response): Promise<Refusal> {
  const told: unknown = await response.json().catch(() => null);
  const sentence =
    told !== null && typeof told === "object" && "sentence" in told && typeof told.sentence === "string"
      ? told.sentence
      : `The server answered ${response.status}.`;
  return new Refusal(sentence.charAt(0).toUpperCase() + sentence.slice(1), response.status);
}

async function answer<Value>(method: string, path: string, body?: unknown): Promise<Value> {
  const response = await ask(method, path, body);
  return (response.status === 204 ? null : await response.json()) as Value;
}

export const showStudio = () => answer<Studio>("GET", "/studio");
export const openProject = (clip: string) => answer<State>("POST", "/projects", { clip });

export async function upload(file: File): Promise<Uploaded> {
  const response = await fetch(`/api/uploads?name=${encodeURIComponent(file.name)}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream", "X-Page": PAGE_ID },
    body: file,
  });
  if (!response.ok) throw await refusalOf(response);
  return (await response.json()) as Uploaded;
}

/** What can be asked of one project. */
export class ProjectServer {
  constructor(readonly id: string) {}

  private get base(): string {
    return `/projects/${this.id}`;
  }

  state = () => answer<State>("GET", this.base);
  timeline = () => answer<Timeline>("GET", `${this.base}/timeline`);
  act = (action: Action) => answer<State>("POST", `${this.base}/actions`, action);
  undo = () => answer<State>("POST", `${this.base}/undo`);
  redo = () => answer<State>("POST", `${this.base}/redo`);
  takePen = () => answer<State>("POST", `${this.base}/writer`);
  moveClip = (path: string) => answer<State>("PUT", `${this.base}/clip`, { path });
  masks = (frame: number, compute: boolean) =>
    answer<FrameView>("GET", `${this.base}/masks/${frame}${compute ? "?compute=true" : ""}`);
  preview = (round: MarkRound) => answer<FrameView | null>("POST", `${this.base}/preview`, { round });
  suggestion = () => answer<SuggestionView | null>("GET", `${this.base}/suggestion`);
  stopSuggesting = async () => void (await ask("DELETE", `${this.base}/suggestion`));
  propagate = (order: PropagationOrder) => answer<Job>("POST", `${this.base}/propagation`, order);
  stop = () => answer<State>("DELETE", `${this.base}/propagation`);
  export = (settings: ExportSettings) => answer<Job>("POST", `${this.base}/exports`, settings);
  exports = () => answer<ExportFile[]>("GET", `${this.base}/exports`);
  stopJob = (job: string) => answer<Job>("DELETE", `${this.base}/jobs/${job}`);

  async picture(frame: number, signal?: AbortSignal): Promise<Blob> {
    return (await ask("GET", `${this.base}/frames/${frame}`, undefined, signal)).blob();
  }

  async matte(frame: number, objects: number[], edges: EdgeSettings, signal?: AbortSignal): Promise<Blob> {
    const query = new URLSearchParams({ objects: objects.join(",") });
    for (const [name, value] of Object.entries(edges)) if (value) query.set(name, String(value));
    return (await ask("GET", `${this.base}/mattes/${frame}?${query}`, undefined, signal)).blob();
  }

  thumbnailUrl(frame: number): string {
    return `/api${this.base}/thumbnails/${frame}`;
  }

  liveUrl(): string {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    return `${scheme}://${location.host}/api${this.base}/live?page=${PAGE_ID}`;
  }
}
