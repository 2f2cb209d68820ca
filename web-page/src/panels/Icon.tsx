// Line drawings of 24 by 24.

const PATHS = {
  click: "M9 9l11 4-5 2-2 5zM5 3v4M3 5h4",
  box: "M4 6h16v12H4z",
  stroke: "M4 18c4-10 7 4 16-12",
  brush: "M14 4l6 6-8 8c-2 2-6 2-8 2 0-2 0-6 2-8zM12 6l6 6",
  eraser: "M4 15l9-9 7 7-6 6H8zM9 10l7 7M8 19h12",
  lasso: "M12 5c5 0 8 2 8 5s-3 5-8 5-8-2-8-5 3-5 8-5zM8 15c-2 1-2 4 1 5",
  undo: "M9 7L4 11l5 4M4 11h10c4 0 6 2 6 6",
  redo: "M15 7l5 4-5 4M20 11H10c-4 0-6 2-6 6",
  play: "M7 5l12 7-12 7z",
  pause: "M8 5v14M16 5v14",
  back: "M15 5l-8 7 8 7",
  forward: "M9 5l8 7-8 7",
  eye: "M2 12c5-8 15-8 20 0-5 8-15 8-20 0zM12 9a3 3 0 100 6 3 3 0 000-6z",
  hidden: "M2 12c5-8 15-8 20 0-5 8-15 8-20 0zM4 20L20 4",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 018 0v3",
  unlocked: "M6 11h12v9H6zM8 11V8a4 4 0 017-3",
  solo: "M12 3v3M12 18v3M3 12h3M18 12h3M12 8a4 4 0 100 8 4 4 0 000-8z",
  remove: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  add: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  check: "M4 13l5 5L20 6",
  next: "M5 12h13M13 6l6 6-6 6",
  help: "M9 9a3 3 0 116 0c0 2-3 2-3 5M12 18v.5",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1 1M18 18l1 1M19 5l-1 1M6 18l-1 1",
  moon: "M20 14A8 8 0 0110 4a8 8 0 1010 10z",
  close: "M6 6l12 12M18 6L6 18",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 10h4M4 14h4M16 10h4M16 14h4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
