import { defineConfig } from "vite";

// The page is served by `shibori studio` from its package, and by nothing else.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/shibori/web/page_built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8765", ws: true } } },
});
