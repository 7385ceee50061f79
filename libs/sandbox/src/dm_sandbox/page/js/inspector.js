// The tabs beside the phones. Each tab is a module that fills the panel, and is told when to look again.
import { byId, h } from "./dom.js";
import { on, state, tell } from "./state.js";
import * as run from "./run.js";
import * as thread from "./thread.js";
import * as waiting from "./waiting.js";
import * as switches from "./switches.js";
import * as seat from "./seat.js";
import * as review from "./review.js";
import * as tour from "./tour.js";

const TABS = { run: ["Why", run], thread: ["Thread", thread], waiting: ["Queue", waiting], switches: ["Break it", switches], seat: ["Model", seat], review: ["Review", review], tour: ["Tour", tour] };
let current = sessionStorage.getItem("tab") ?? "run", asked = 0;

function choose(name, focus = false) {
  current = name in TABS ? name : "run";
  sessionStorage.setItem("tab", current);
  for (const tab of byId("tabs").children) {
    const chosen = tab.dataset.tab === current;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tab.focus();
  }
  byId("panel").setAttribute("aria-labelledby", `tab-${current}`);
  const own = h("div"); // an answer that comes after the tab was left fills nothing that is shown
  byId("panel").replaceChildren(own);
  TABS[current][1].open(own);
}

const changed = (what) => (value) => TABS[current][1].changed?.(what, value);

export function start() {
  byId("tabs").replaceChildren(...Object.entries(TABS).map(([name, [words]]) => h("button", {
    type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": "panel", onclick: () => choose(name),
  }, words)));
  byId("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = Object.keys(TABS);
    choose(names[(names.indexOf(current) + step + names.length) % names.length], true);
  });
  on("tab", (name) => { if (name !== current || name === "run") choose(name); });
  for (const event of ["entries", "studio", "person", "phone", "run", "connected"]) on(event, changed(event));
  on("studio", () => { // once a question, and not away from a form that is being filled in
    const number = state.studio.question?.number ?? 0;
    if (number && number !== asked && current !== "seat" && !document.activeElement?.closest("#panel form")) tell("tab", "seat");
    asked = number;
  });
  choose(current);
}
