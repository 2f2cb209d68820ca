// Stepping and playing, approval, propagation and how far it is.

import { propagate, setRange, stop, toggleApproval } from "../doing/changes";
import { goTo } from "../doing/opening";
import { play, togglePlay } from "../doing/playing";
import * as state from "../state";
import { zoomViewer } from "../viewer/Canvas";
import { Icon } from "./Icon";

export function Transport() {
  const project = state.project.value;
  if (project === null) return null;
  const frame = state.frame.value;
  const isPlaying = state.speed.value !== 0;
  const isApproved = state.isApproved(frame);
  const step = (by: number) => {
    play(0);
    goTo(frame + by);
  };
  return (
    <div class="transport">
      <div class="group">
        <button class="plain" title="A frame back (←)" onClick={() => step(-1)}>
          <Icon name="back" />
          <span class="unseen">A frame back</span>
        </button>
        <button class="plain" title="Play, pause (Space)" onClick={togglePlay}>
          <Icon name={isPlaying ? "pause" : "play"} />
          <span class="unseen">{isPlaying ? "Pause" : "Play"}</span>
        </button>
        <button class="plain" title="A frame forward (→)" onClick={() => step(1)}>
          <Icon name="forward" />
          <span class="unseen">A frame forward</span>
        </button>
      </div>
      <label class="where">
        <span>Frame</span>
        <input
          type="number"
          min={0}
          max={project.clip.num_frames - 1}
          value={frame}
          onChange={(event) => goTo(Number(event.currentTarget.value))}
        />
        <span>of {project.clip.num_frames}</span>
      </label>
      <button aria-pressed={isApproved} disabled={!state.canWrite.value || project.objects.length === 0} title="What is shown is right: keep it so (C)" onClick={() => void toggleApproval()}>
        <Icon name={isApproved ? "lock" : "check"} /> {isApproved ? "Approved" : "Approve"}
      </button>
      <span class="range">
        <span>
          Range {project.range.start}–{project.range.stop - 1}
        </span>
        {(project.range.start > 0 || project.range.stop < project.clip.num_frames) && (
          <button class="plain" title="Work on all frames" disabled={!state.canWrite.value} onClick={() => void setRange(0, project.clip.num_frames)}>
            <Icon name="close" />
            <span class="unseen">Work on all frames</span>
          </button>
        )}
      </span>
      <span class="spring" />
      <Propagation />
      <div class="group zoom">
        <button class="plain" title="Farther" onClick={() => zoomViewer(0.8)}>
          <Icon name="minus" />
          <span class="unseen">Zoom out</span>
        </button>
        <button class="plain" title="Whole frame" onClick={() => zoomViewer(0)}>
          <Icon name="fit" />
          <span class="unseen">Whole frame</span>
        </button>
        <button class="plain" title="Nearer (or the wheel)" onClick={() => zoomViewer(1.25)}>
          <Icon name="add" />
          <span class="unseen">Zoom in</span>
        </button>
      </div>
    </div>
  );
}

function Propagation() {
  const job = state.propagation.value;
  const isRunning = state.isPropagating.value;
  const numStale = (state.project.value?.stale ?? []).reduce((sum, [first, last]) => sum + last - first + 1, 0);
  if (isRunning && job !== null) {
    return (
      <div class="propagation" aria-label="Propagation" role="group">
        <progress value={job.done} max={Math.max(1, job.total)} aria-label="Frames that are done" />
        <span class="told" role="status">
          {job.total === 0 ? "Beginning…" : `${job.done} of ${job.total}${pace(job.rate, job.seconds_left)}`}
        </span>
        <button class="main" title="Stop; what came stays (Enter)" onClick={() => void stop()}>
          Stop
        </button>
      </div>
    );
  }
  const isOff = !state.canWrite.value || state.objects.value.length === 0;
  return (
    <div class="propagation" role="group" aria-label="Propagation">
      {numStale > 0 && state.objects.value.length > 0 && <span class="told">{numStale} frames to do</span>}
      <button disabled={isOff} title="Follow the objects backwards from here (B)" onClick={() => void propagate("backward")}>
        <Icon name="back" />
        <span class="unseen">Propagate backwards</span>
      </button>
      <button class="main" disabled={isOff} title="Follow the objects through the range, both ways (Enter)" onClick={() => void propagate("both")}>
        Propagate
      </button>
      <button disabled={isOff} title="Follow the objects forwards from here (F)" onClick={() => void propagate("forward")}>
        <Icon name="forward" />
        <span class="unseen">Propagate forwards</span>
      </button>
    </div>
  );
}

function pace(rate: number | null | undefined, left: number | null | undefined): string {
  const parts = [];
  if (rate) parts.push(`${rate.toFixed(1)} frames/s`);
  if (left !== null && left !== undefined) parts.push(`${duration(left)} left`);
  return parts.length > 0 ? `, ${parts.join(", ")}` : "";
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
