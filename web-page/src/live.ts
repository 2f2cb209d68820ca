// What the server tells by itself, over a connection that is made anew whenever it breaks.

import type { Event } from "./wire";

const FIRST_WAIT = 300; // milliseconds
const LONGEST_WAIT = 5000;

/** Listen until the returned function is called. */
export function listen(url: string, onEvent: (event: Event) => void, onLink: (isUp: boolean) => void): () => void {
  let socket: WebSocket | null = null;
  let wait = FIRST_WAIT;
  let timer = 0;
  let isOver = false;

  function connect(): void {
    socket = new WebSocket(url);
    socket.onopen = () => {
      wait = FIRST_WAIT;
      onLink(true);
    };
    socket.onmessage = (message) => onEvent(JSON.parse(String(message.data)) as Event);
    socket.onclose = () => {
      if (isOver) return;
      onLink(false);
      timer = window.setTimeout(connect, wait);
      wait = Math.min(LONGEST_WAIT, wait * 2);
    };
  }

  connect();
  return () => {
    isOver = true;
    window.clearTimeout(timer);
    socket?.close();
  };
}
