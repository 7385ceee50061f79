// The thread document, live.
import { h, pretty } from "./dom.js";
import { get } from "./api.js";
import { freshly, state } from "./state.js";

let place = null;

const refresh = freshly(async () => {
  const { person } = state, { view, document } = await get(`/api/thread/${encodeURIComponent(person)}`);
  if (person !== state.person) return;
  const none = "There is no thread yet: it begins with the first DM.";
  const texts = [document ? pretty(document) : none, view ? pretty(view) : none];
  if (!place.querySelector("pre")) {
    place.replaceChildren(h("p", { class: "dim" }, "The document that decides who may run. It is read again after every event."), h("pre", { tabindex: "0" }),
      h("details", {}, h("summary", {}, "As make admin shows it"), h("pre", { tabindex: "0" })));
  }
  place.querySelectorAll("pre").forEach((shown, number) => { if (shown.textContent !== texts[number]) shown.textContent = texts[number]; });
});

export function open(panel) { place = panel; refresh(); }
export function changed() { refresh(); }
