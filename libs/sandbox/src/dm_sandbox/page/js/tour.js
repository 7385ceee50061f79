// The tour: seven steps that play by themselves.
import { byId, h, renew, whenReleased } from "./dom.js";
import { attempt } from "./api.js";
import { choosePerson, on, state, tell } from "./state.js";

const STATES = { waiting: "", playing: "warning", done: "good", failed: "error" };
let place = null, print = "";

const refresh = () => whenReleased(place, () => { if (JSON.stringify(state.studio.tour) !== print) show(); });

function show() {
  const { tour } = state.studio;
  print = JSON.stringify(tour);
  const button = tour.playing ? h("button", { type: "button", onclick: () => attempt("/api/tour", { play: false }) }, "Stop") : h("button", { type: "button", class: "strong", onclick: play }, "Play");
  const steps = h("ol", { class: "steps" }, tour.steps.map((step, number) => h("li", { class: step.state }, h("b", {}, `${number + 1}. ${step.title} `),
    step.state !== "waiting" && h("span", { class: `tag ${STATES[step.state]}` }, step.state), h("p", { class: "dim" }, step.words), step.result && h("p", { class: "result" }, step.result))));
  renew(place, h("div", { class: "toolbar" }, h("p", { class: "dim" }, "Seven things that go wrong in production, played with a visitor of their own. About a minute."), button), steps);
}

export async function play() {
  const begun = await attempt("/api/tour", { play: true });
  if (!begun) return;
  choosePerson(begun.visitor);
  tell("tab", "tour");
  tell("pane", "inspector");
}

export function start() {
  byId("play-tour").addEventListener("click", play);
  on("studio", () => { byId("play-tour").hidden = state.studio.tour.playing; });
}

export function open(panel) { place = panel; show(); }
export function changed(what) { if (what === "studio") refresh(); }
