// Dark or light: as the system has it, until somebody chooses.

import * as state from "./state";
import type { Theme } from "./state";

const KEPT_AS = "shibori-theme";

export function setTheme(theme: Theme): void {
  state.theme.value = theme;
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEPT_AS, theme);
}

export function beginTheme(): void {
  const kept = localStorage.getItem(KEPT_AS);
  const isLight = kept === null ? matchMedia("(prefers-color-scheme: light)").matches : kept === "light";
  state.theme.value = isLight ? "light" : "dark";
  document.documentElement.dataset.theme = state.theme.value;
}
