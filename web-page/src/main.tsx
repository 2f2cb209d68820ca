import { render } from "preact";
import "@preact/signals";
import { App } from "./App";
import { followAddress, openFirst } from "./doing/studio";
import { onKey } from "./keys";
import "./style.css";
import { beginTheme } from "./theme";

beginTheme();
render(<App />, document.querySelector("#page")!);
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", followAddress);
// A button that was clicked with a pointer gives the keys back to the page; one that was reached with Tab keeps them.
document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (event.detail > 0 && button !== null && button.closest("dialog") === null) button.blur();
});
void openFirst();
