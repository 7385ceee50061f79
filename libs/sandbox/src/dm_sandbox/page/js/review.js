// Threads of a deployment, one after the other: right, wrong, or what should have been said.
import { h } from "./dom.js";
import { get, notify, post } from "./api.js";

const VERDICTS = [["right", "Right"], ["wrong", "Wrong"], ["should", "This should have been said:"]];
const WRITERS = { person: "Person", bot: "The club", human: "The club, by hand", manager: "Told to the manager" };
let place = null, queue = null, position = 0, loads = 0;

async function load() {
  const panel = place, own = ++loads;
  panel.replaceChildren(h("p", { class: "empty", role: "status" }, "Reading the queue, and playing what is in it…"));
  try {
    const read = await get("/api/review");
    if (own !== loads) return; // it was asked for again, and may have changed
    queue = read;
    draw();
  } catch (error) {
    if (own === loads) panel.replaceChildren(toolbar(), h("p", {}, h("span", { class: "tag error" }, error.message)));
  }
}

function draw(focus = false) {
  const { waiting, problems } = queue;
  position = waiting.length ? position % waiting.length : 0;
  place.replaceChildren(toolbar(), ...problems.map((line) => h("p", {}, h("span", { class: "tag error" }, line))), ...(waiting.length ? thread(waiting[position]) : [nothing()]));
  if (focus) place.querySelector("h3")?.focus();
}

const nothing = () => h("p", { class: "empty" }, "Nothing waits for review. make scenarios-from STACK=… queues a sample of a deployment's threads, with the names replaced.");

function toolbar() {
  const { waiting = [], reviewed = 0 } = queue ?? {};
  const done = reviewed ? ` ${reviewed} reviewed: make scenarios-reviewed takes them to the scenarios.` : "";
  return h("div", { class: "toolbar" }, h("p", { class: "dim", role: "status" }, `${waiting.length ? `${position + 1} of ${waiting.length} that wait for review.` : ""}${done}`),
    waiting.length > 1 && h("button", { type: "button", onclick: () => { position += 1; draw(true); } }, "Later"),
    h("button", { type: "button", onclick: load }, "Look again"));
}

function thread(each) {
  return [
    h("h3", { tabindex: "-1" }, each.name), h("p", {}, each.about),
    each.notes.length > 0 && h("ul", { class: "notes" }, each.notes.map((line) => h("li", { class: "dim" }, line))),
    h("ol", { class: "conversation", "aria-label": "The conversation" }, each.thread.map((line) => h("li", { class: line.author }, h("b", {}, WRITERS[line.author] ?? line.author), h("p", {}, line.text)))),
    h("div", { class: "card" }, each.judged && h("details", {}, h("summary", {}, "All that a judge would see"), h("pre", { tabindex: "0" }, each.judged)),
      h("details", {}, h("summary", {}, "What would be expected from now on"), h("pre", { tabindex: "0" }, each.expected))),
    form(each),
  ].filter(Boolean);
}

function form(each) {
  const { replies } = each, last = replies.at(-1);
  const text = h("textarea", { name: "text", maxlength: "4000", "aria-label": "What should have been said" }, last?.text ?? "");
  const which = h("select", { name: "reply", onchange: () => { text.value = replies[which.value].text; } }, replies.map((reply, number) => h("option", { value: String(number), selected: reply === last }, `in place of reply ${number + 1}: ${reply.text.slice(0, 60)}`)));
  const should = h("div", { class: "form", hidden: true }, replies.length > 1 && h("label", {}, "Which reply", which),
    !replies.length && h("p", { class: "dim" }, "Nothing was said. What should have been?"), text);
  const why = h("textarea", { name: "why", maxlength: "2000" });
  const choose = (event) => { should.hidden = event.target.value !== "should"; why.required = event.target.value !== "right"; };
  const verdicts = VERDICTS.map(([value, words]) => h("label", {}, h("input", { type: "radio", name: "verdict", value, required: true, onchange: choose, disabled: value === "should" && !each.recorded }), ` ${words}`));
  const save = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target), button = event.submitter, panel = place, own = loads;
    const { turn = 0, index = 0 } = replies[which.value] ?? {};
    panel.inert = true; // until it is kept, nothing is typed that would be lost
    const verdict = given.get("verdict"), why = given.get("why");
    try {
      await post("/api/review", { name: each.name, verdict, why, ...(verdict === "should" ? { text: given.get("text"), turn, index } : {}) });
    } catch {
      panel.inert = false;
      button?.focus();
      return;
    }
    notify(`${each.name}: kept`);
    panel.inert = false;
    if (own !== loads) { load(); return; } // what was read meanwhile may be older than this
    queue.waiting.splice(queue.waiting.indexOf(each), 1);
    if (verdict === "wrong") queue.waiting.push({ ...each, about: `Wrong: ${why}` }); // as the queue has it now
    else queue.reviewed += 1;
    draw(true);
  };
  return h("form", { class: "form", id: "review", onsubmit: save }, h("fieldset", { class: "choices" }, h("legend", { class: "visually-hidden" }, "What the club did was"), verdicts),
    !each.recorded && h("p", { class: "dim" }, "Its turns can't be played again, so what should have been said is written with python -m dm_evals author."),
    should, h("label", {}, "Why", why),
    h("label", { class: "check" }, h("input", { type: "checkbox", required: true }), h("span", {}, "I have read all of it: nobody can be recognised")),
    h("div", { class: "toolbar" }, h("button", { class: "strong" }, "Save, and the next")));
}

export function open(panel) { place = panel; load(); }
