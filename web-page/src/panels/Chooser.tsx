// No project is open: those there are, clips to begin with, or a clip that is dropped here.

import { useState } from "preact/hooks";
import { open } from "../doing/opening";
import { openClip, sendClip } from "../doing/studio";
import * as state from "../state";
import { bytes } from "./Export";
import { Icon } from "./Icon";

export function Chooser() {
  const studio = state.studio.value;
  const [sending, setSending] = useState<string | null>(null);
  const send = async (file: File | undefined) => {
    if (!file) return;
    setSending(file.name);
    await sendClip(file);
    setSending(null);
  };
  if (studio === null) return <main class="chooser"><p role="status">One moment…</p></main>;
  return (
    <main
      class="chooser"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void send(event.dataTransfer?.files[0]);
      }}
    >
      <h1>Shibori studio</h1>
      <p>Cut objects out of a clip: mark them in one frame, follow them through all, correct, export.</p>
      {studio.projects.length > 0 && (
        <section aria-labelledby="projects-title">
          <h2 id="projects-title">Go on with</h2>
          <ul class="cards">
            {studio.projects.map((each) => (
              <li key={each.id}>
                <button onClick={() => void open(each.id)}>
                  <Icon name="film" />
                  <strong>{each.name}</strong>
                  <small>{each.path}</small>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="clips-title">
        <h2 id="clips-title">Begin with a clip</h2>
        <ul class="cards">
          {studio.clips.map((each) => (
            <li key={each.path}>
              <button onClick={() => void openClip(each.path)}>
                <Icon name="play" />
                <strong>{each.name}</strong>
                <small>
                  {each.path}, {bytes(each.bytes)}
                </small>
              </button>
            </li>
          ))}
          <li>
            <label class="drop">
              <input type="file" accept="video/*,.mkv,.mxf" onChange={(event) => void send(event.currentTarget.files?.[0])} />
              <Icon name="add" />
              <strong>{sending === null ? "Another clip" : `Sending ${sending}…`}</strong>
              <small>choose a file, or drop it here: it is copied to {studio.folder}</small>
            </label>
          </li>
        </ul>
      </section>
    </main>
  );
}
