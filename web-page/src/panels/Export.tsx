// What is written, how far it is, and where to get it.

import { useEffect, useState } from "preact/hooks";
import { startExport } from "../doing/changes";
import { tellProblem } from "../doing/notices";
import { takeJob } from "../doing/opening";
import * as state from "../state";
import type { ExportFile, Job } from "../wire";
import { Modal } from "./Modal";

/** What editors call a format, and what for; the others go by their own names. */
const FORMATS: Record<string, [string, string]> = {
  prores: ["ProRes 4444 with alpha", "for Premiere, Resolve, Final Cut, After Effects"],
  webm: ["WebM with alpha", "for the web"],
  ffv1: ["FFV1 with alpha", "lossless, in Matroska"],
  rgba: ["PNG with alpha", "cut-outs, a file a frame"],
  alpha: ["Mattes as grey PNG", "opacity, a file a frame"],
  tiff: ["TIFF with alpha", "a file a frame"],
  exr: ["OpenEXR", "half floats, for compositing"],
  matte: ["Matte video", "opacity as grey, beside the clip"],
  screen: ["Green screen video", "to be keyed where there is no alpha"],
  "side-by-side": ["Side by side video", "picture and matte in one"],
  outline: ["Outline video", "to show"],
  overlay: ["Overlay video", "to show"],
  sheet: ["Contact sheet", "one picture"],
  palette: ["Palette PNG", "objects as colours, as DAVIS has them"],
  ids16: ["16 bit PNG", "object numbers as grey values"],
  binary: ["Black and white PNG", "a folder an object"],
  rle: ["COCO run lengths", "JSON, for training"],
};
const KNOWN = Object.keys(FORMATS);

/** Those of editors first. */
function inOrder(names: string[]): string[] {
  const place = (name: string) => (KNOWN.includes(name) ? KNOWN.indexOf(name) : KNOWN.length);
  return [...names].sort((a, b) => place(a) - place(b));
}

export function Export() {
  const project = state.project.value;
  const [formats, setFormats] = useState<string[]>(project?.export.formats ?? []);
  const [ids, setIds] = useState<number[] | null>(project?.export.objects ?? null);
  const [files, setFiles] = useState<ExportFile[]>([]);
  const jobs = project?.jobs.filter((job) => job.kind === "export") ?? [];
  const numDone = jobs.filter((job) => job.state === "done").length;
  useEffect(() => {
    state.server.value?.exports().then(setFiles).catch(tellProblem);
  }, [numDone]);
  if (project === null) return null;
  const numStale = project.stale.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const isRunning = jobs.some((job) => job.state === "running" || job.state === "queued");
  return (
    <Modal title="Export">
      <fieldset>
        <legend>Formats</legend>
        <div class="formats">
          {inOrder(state.studio.value?.formats ?? []).map((name) => (
            <Choice key={name} label={FORMATS[name]?.[0] ?? name} hint={FORMATS[name]?.[1]} isOn={formats.includes(name)} onChange={(isOn) => setFormats(isOn ? [...formats, name] : formats.filter((each) => each !== name))} />
          ))}
        </div>
      </fieldset>
      <fieldset>
        <legend>Objects</legend>
        <div class="formats">
          <Choice label="All" isOn={ids === null} onChange={(isOn) => setIds(isOn ? null : project.objects.map((each) => each.id))} />
          {ids !== null &&
            project.objects.map((each) => (
              <Choice key={each.id} label={each.name} isOn={ids.includes(each.id)} onChange={(isOn) => setIds(isOn ? [...ids, each.id].sort((a, b) => a - b) : ids.filter((id) => id !== each.id))} />
            ))}
        </div>
      </fieldset>
      {numStale > 0 && <p class="problem">{numStale} frames are not up to date: propagate first, then export.</p>}
      <div class="row">
        <button class="main" disabled={formats.length === 0 || ids?.length === 0 || isRunning || project.objects.length === 0} onClick={() => void startExport({ formats, objects: ids, edges: project.export.edges })}>
          {isRunning ? "Exporting…" : "Export"}
        </button>
      </div>
      {jobs.map((job) => (
        <Running key={job.id} job={job} />
      ))}
      {files.length > 0 && (
        <>
          <h3>Files</h3>
          <ul class="files">
            {files.map((file) => (
              <li key={file.url}>
                <a href={file.url} download={file.name}>
                  {file.name}
                </a>
                <small>
                  {file.job.replace("export-", "export ")}, {bytes(file.bytes)}
                </small>
              </li>
            ))}
          </ul>
        </>
      )}
    </Modal>
  );
}

function Choice({ label, hint, isOn, onChange }: { label: string; hint?: string; isOn: boolean; onChange: (isOn: boolean) => void }) {
  return (
    <label class="choice">
      <input type="checkbox" checked={isOn} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>
        {label}
        {hint && <small>{hint}</small>}
      </span>
    </label>
  );
}

function Running({ job }: { job: Job }) {
  if (job.state === "failed") return <p class="problem">{job.sentence}</p>;
  if (job.state !== "running" && job.state !== "queued") return null;
  const stop = () => state.server.value?.stopJob(job.id).then(takeJob).catch(tellProblem);
  return (
    <div class="row" role="status">
      <progress value={job.total > 0 ? job.done : undefined} max={Math.max(1, job.total)} aria-label="How far the export is" />
      <span>{job.total > 0 ? `${job.done} of ${job.total}` : "Beginning…"}</span>
      <button onClick={() => void stop()}>Stop</button>
    </div>
  );
}

export function bytes(number: number): string {
  if (number < 1000) return `${number} bytes`;
  return number < 1_000_000 ? `${Math.round(number / 1000)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}
