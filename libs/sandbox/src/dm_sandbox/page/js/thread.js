// The thread document, live.
import { h, pretty } from "./dom.js";
import { get } from "./api.js";
import { freshly, state } from "./state.js";

let place = null;

const refresh = freshly(async () => {
  const document = await get(`/api/thread/${encodeURIComponent(state.person)}`);
  const text = Object.keys(document).length ? pretty(document) : "There is no thread yet: it begins with the first DM.";
  let shown = place.querySelector("pre");
  if (!shown) {
    shown = h("pre", { tabindex: "0" });
    place.replaceChildren(h("p", { class: "dim" }, "conversations/… decides who may run. It is read again after every event."), shown);
  }
  if (shown.textContent !== text) shown.textContent = text;
});

export function open(panel) { place = panel; refresh(); }
export function changed() { refresh(); }
