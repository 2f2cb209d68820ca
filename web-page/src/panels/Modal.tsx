// A dialogue over the page: focus stays in it, Escape closes it, and focus goes back to where it was.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import * as state from "../state";
import { Icon } from "./Icon";

export function Modal({ title, children }: { title: string; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current!.showModal();
  }, []);
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onClose={() => (state.dialog.value = null)}>
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button class="plain" aria-label="Close" onClick={() => element.current!.close()}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}
