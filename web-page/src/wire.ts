// Made by web-page/wire_types.py from the server's OpenAPI document: do not edit.

export interface AbsenceRound {
  kind: "absence";
  frame: number;
  object: number;
  last?: number | null;
}

export interface AddObject {
  kind: "add_object";
  name?: string | null;
  colour?: string | null;
}

export interface ApprovalRound {
  kind: "approval";
  frame: number;
  object: number;
  last?: number | null;
}

export interface Approved {
  object: number;
  spans: Array<[number, number]>;
}

export interface ChangeObject {
  kind: "change_object";
  object: number;
  name?: string | null;
  colour?: string | null;
  locked?: boolean | null;
  hidden?: boolean | null;
}

export interface ClipCard {
  name: string;
  path: string;
  bytes: number;
}

export interface ClipPlace {
  path: string;
}

export interface ClipView {
  name: string;
  path: string;
  width: number;
  height: number;
  view_width: number;
  view_height: number;
  num_frames: number;
  frame_rate: number | null;
  thumbnail_step: number;
  is_there: boolean;
  problem: string | null;
}

export interface EdgeSettings {
  islands: number;
  holes: number;
  calm: number;
  refine: number;
  smooth: number;
  choke: number;
  feather: number;
}

export type Event = StateEvent | FrameEvent | JobEvent | ThumbnailsEvent | ProblemEvent;

export interface ExportFile {
  name: string;
  bytes: number;
  url: string;
  job: string;
}

export interface ExportSettings {
  formats: Array<string>;
  objects?: Array<number> | null;
  edges: EdgeSettings;
}

export interface FrameEvent {
  kind: "frame";
  job: string;
  view: FrameView;
}

export interface FrameView {
  frame: number;
  is_fresh: boolean;
  objects: Array<ObjectView>;
}

export interface Hover {
  round: MarkRound;
}

export interface Job {
  id: string;
  kind: "propagation" | "export";
  state: "queued" | "running" | "done" | "stopped" | "failed";
  done: number;
  total: number;
  rate?: number | null;
  seconds_left?: number | null;
  sentence?: string | null;
}

export interface JobEvent {
  kind: "job";
  job: Job;
}

export interface MarkRound {
  kind: "mark";
  frame: number;
  object: number;
  lines: Array<Array<[number, number]>>;
  box?: [number, number, number, number] | null;
  is_object: boolean;
}

export interface MaskRound {
  kind: "mask";
  frame: number;
  object: number;
  size: [number, number];
  counts: string;
}

export interface NewProject {
  clip: string;
}

export interface ObjectOfProject {
  id: number;
  name: string;
  colour: string;
  locked: boolean;
  hidden: boolean;
}

export interface ObjectView {
  object: number;
  state: "tracked" | "lost" | "absent";
  confidence: number;
  area: number;
  mask: Rle | null;
}

export interface Paint {
  kind: "paint";
  frame: number;
  object: number;
  mode: "add" | "erase" | "replace";
  area: Rle;
}

export interface Problem {
  sentence: string;
}

export interface ProblemEvent {
  kind: "problem";
  sentence: string;
}

export interface ProjectCard {
  id: string;
  name: string;
  path: string;
}

export interface PropagationOrder {
  direction: "both" | "forward" | "backward";
  frame: number;
}

export interface RangeView {
  start: number;
  stop: number;
}

export interface RemovalRound {
  kind: "removal";
  frame: number;
  object: number;
}

export interface RemoveObject {
  kind: "remove_object";
  object: number;
}

export interface Rle {
  height: number;
  width: number;
  counts: Array<number>;
}

export interface Say {
  kind: "say";
  round: MarkRound | AbsenceRound | ApprovalRound;
}

export interface SetExport {
  kind: "set_export";
  export: ExportSettings;
}

export interface SetRange {
  kind: "set_range";
  start: number;
  stop: number;
}

export interface State {
  project: string;
  name: string;
  version: number;
  clip: ClipView;
  objects: Array<ObjectOfProject>;
  rounds: Array<MarkRound | MaskRound | AbsenceRound | ApprovalRound | RemovalRound>;
  approved: Array<Approved>;
  range: RangeView;
  export: ExportSettings;
  undo: string | null;
  redo: string | null;
  stale: Array<[number, number]>;
  jobs: Array<Job>;
  contradictions: Array<string>;
  is_writer: boolean;
}

export interface StateEvent {
  kind: "state";
  state: State;
}

export interface Strip {
  object: number;
  states: string;
  confidence: Array<number>;
  area: Array<number>;
}

export interface Studio {
  version: string;
  device: string;
  problem: string | null;
  folder: string;
  projects: Array<ProjectCard>;
  clips: Array<ClipCard>;
  open_project: string | null;
  formats: Array<string>;
}

export interface SuggestionView {
  frame: number;
  object: number;
  doubt: number;
  reason: string;
}

export interface TakeBack {
  kind: "take_back";
  index: number;
}

export interface ThumbnailsEvent {
  kind: "thumbnails";
  done: number;
}

export interface Timeline {
  strips: Array<Strip>;
  fresh: Array<[number, number]>;
  thumbnails_done: number;
}

export interface Unapprove {
  kind: "unapprove";
  object: number;
  frame: number;
  last: number;
}

export interface Uploaded {
  path: string;
}
