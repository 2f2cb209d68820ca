// The whole page.

import { useState } from "preact/hooks";
import { takePen } from "./doing/changes";
import { tellProblem } from "./doing/notices";
import { take } from "./doing/opening";
import { Chooser } from "./panels/Chooser";
import { Edges } from "./panels/Edges";
import { Export } from "./panels/Export";
import { Help } from "./panels/Help";
import { Marks } from "./panels/Marks";
import { Objects } from "./panels/Objects";
import { Tools } from "./panels/Tools";
import { TopBar } from "./panels/TopBar";
import { Transport } from "./panels/Transport";
import * as state from "./state";
import { Timeline } from "./timeline/Timeline";
import { Viewer } from "./viewer/Viewer";

export function App() {
  return (
    <>
      {state.project.value === null ? <Chooser /> : <Workplace />}
      <Notices />
      {state.dialog.value === "help" && <Help />}
      {state.dialog.value === "export" && <Export />}
    </>
  );
}

function Workplace() {
  return (
    <div class="workplace">
      <TopBar />
      <Banners />
      <Tools />
      <main class="middle" aria-label="Frame">
        <Viewer />
      </main>
      <aside class="side" aria-label="Objects and edges">
        <Objects />
        <Marks />
        <Edges />
      </aside>
      <footer class="bottom" aria-label="Frames">
        <Transport />
        <Timeline />
      </footer>
    </div>
  );
}

/** What stands in the way of working. */
function Banners() {
  const { project, studio, isLinked } = state;
  return (
    <div class="banners" aria-live="polite">
      {!isLinked.value && <p class="banner problem">The server does not answer. Nothing is lost: everything before is saved.</p>}
      {studio.value?.problem && <p class="banner problem">{studio.value.problem}</p>}
      {studio.value?.device === "loading" && !studio.value.problem && <p class="banner">The networks are being loaded…</p>}
      {project.value && !project.value.clip.is_there && <MovedClip />}
      {project.value && project.value.clip.is_there && !project.value.is_writer && (
        <p class="banner">
          Another page is at work on this project; you see what it does.
          <button onClick={() => void takePen()}>Take over</button>
        </p>
      )}
    </div>
  );
}

function MovedClip() {
  const [path, setPath] = useState("");
  return (
    <form
      class="banner problem"
      onSubmit={(event) => {
        event.preventDefault();
        state.server.value?.moveClip(path).then(take).catch(tellProblem);
      }}
    >
      <label>
        The clip is not where it was. Where is it now?
        <input type="text" required value={path} placeholder="path in the folder" onInput={(event) => setPath(event.currentTarget.value)} />
      </label>
      <button>Look there</button>
    </form>
  );
}

function Notices() {
  const notice = state.notice.value;
  return (
    <div class="notices" aria-live="polite" role="status">
      {notice && (
        <p class={notice.isProblem ? "notice problem" : "notice"}>
          {notice.text}
        </p>
      )}
    </div>
  );
}
