import { byId, seconds } from "./dom.js";
import { on, state } from "./state.js";
import * as stream from "./stream.js";
import * as people from "./people.js";
import * as phone from "./phone.js";
import * as composer from "./composer.js";
import * as manager from "./manager.js";
import * as inspector from "./inspector.js";
import * as tour from "./tour.js";
import * as timeline from "./timeline.js";

const MODELS = { scripted: "scripted model", you: "you are the model", gemini: "the real Gemini", local: "a local model" };
const DOUBLE_MS = 400;
const PLACES = { "left-switch": ["left"], "right-switch": ["right"], "small-nav": ["small"] };

function panes() {
  const show = (place, pane) => {
    document.body.dataset[place] = pane;
    const group = Object.entries(PLACES).find(([, [name]]) => name === place)[0];
    for (const button of byId(group).children) button.setAttribute("aria-pressed", String(button.dataset.pane === pane));
  };
  for (const [id, [place]] of Object.entries(PLACES)) {
    byId(id).addEventListener("click", (event) => { const { pane } = event.target.dataset; if (pane) show(place, pane); });
  }
  on("pane", (pane) => {
    show("small", pane);
    if (pane === "phone" || pane === "manager") show("left", pane);
    if (pane === "inspector" || pane === "timeline") show("right", pane);
  });
}

on("studio", () => {
  const { model, store, clockOffsetMs, on: broken } = state.studio;
  const ahead = clockOffsetMs ? `, clock ${seconds(clockOffsetMs)} ahead` : "";
  byId("facts").textContent = `${MODELS[model] ?? model}, ${store}${ahead}${broken.length ? `, ${broken.length} broken on purpose` : ""}`;
});

// The second click of a double click asks for nothing, nor does a key that is held down.
let clicked = -Infinity;
document.addEventListener("click", (event) => {
  if (event.detail > 1 && event.timeStamp - clicked < DOUBLE_MS && event.target.closest("button")) { event.preventDefault(); event.stopPropagation(); } else clicked = event.timeStamp;
}, true);
document.addEventListener("keydown", (event) => { if (event.repeat && event.key === "Enter" && event.target.closest("button")) event.preventDefault(); }, true);

panes();
for (const part of [people, phone, composer, manager, inspector, tour, timeline, stream]) part.start();
window.studio = { state, latencies: stream.latencies };
