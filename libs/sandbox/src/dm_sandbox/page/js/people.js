// The list of people: who wrote last, what is unread in this tab, how their thread stands.
import { byId, clock, h, reconcile, whenReleased } from "./dom.js";
import { get, post } from "./api.js";
import { choosePerson, freshly, now, on, state, tell } from "./state.js";

let shown = "", choices = 0, unsure = true; // unsure: whether the chosen person is known to this start of the sandbox
const seen = new Map(JSON.parse(sessionStorage.getItem("seen") ?? "[]"));

export const refresh = freshly(async () => {
  const before = state.person, wasUnsure = unsure;
  state.people = await get("/api/people");
  if (wasUnsure) unsure = false;
  const chosenMeanwhile = state.person !== before; // by whoever sits here, and the answer may be older than that person
  if (wasUnsure && !chosenMeanwhile && !state.people.some((person) => person.userId === state.person)) choosePerson(state.people[0].userId);
  show();
  tell("people");
}, 150);

export function standing(thread, failed) {
  if (!thread || !("pending" in thread)) return failed ? ["failed", "error"] : null;
  if (thread.pausedUntil) return [`human until ${clock(thread.pausedUntil).slice(0, 5)}`, "warning"];
  if (thread.paused) return ["human, until resume", "warning"];
  if (thread.handedOver) return ["handed over", "warning"];
  if (thread.mode === "off") return ["off", "warning"];
  if (thread.stopped) return ["stopped", "warning"];
  if (thread.waitsUntil) return [`waits until ${clock(thread.waitsUntil)}`, "warning"];
  if (failed) return ["failed", "error"];
  if (thread.running) return ["answering", "good"];
  return thread.pending ? ["waiting", ""] : null;
}

function show() {
  const current = state.people.find((person) => person.userId === state.person);
  sessionStorage.setItem("seen", JSON.stringify([...seen]));
  const items = state.people.map((person) => ({
    ...person,
    thread: standing(person.thread, person.failed),
    unread: person === current ? 0 : Math.max(0, person.theirs - (seen.get(person.userId) ?? 0)),
    current: person.userId === state.person,
  }));
  const list = byId("people-list");
  whenReleased(list, () => {
    reconcile(list, items, (item) => item.userId, row);
    if (current && shown !== current.userId) list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
    shown = current?.userId ?? "";
  });
}

function row(person) {
  const [words, level] = person.thread ?? [];
  const unread = person.unread && h("span", { class: "unread" }, `${person.unread}`, h("span", { class: "visually-hidden" }, " unread"));
  return h("li", {}, h("button", {
    type: "button",
    "aria-current": person.current ? "true" : "false",
    onclick: () => { choices += 1; choosePerson(person.userId); tell("pane", "phone"); },
  }, h("b", { title: person.name }, person.name), unread || h("span"),
  h("span", { class: "last" }, person.last || "nothing yet"), words && h("span", { class: `tag ${level}` }, words)));
}

export function start() {
  byId("new-person").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { name, language } = event.target.elements, wanted = name.value, choice = ++choices;
    name.value = "";
    try {
      const { userId } = await post("/api/people", { name: wanted, language: language.value });
      if (choice === choices) choosePerson(userId); // nobody else was chosen meanwhile
      refresh();
    } catch {
      name.value ||= wanted;
    }
  });
  on("reset", () => { unsure = true; });
  on("person", () => { if (state.people.length) show(); });
  on("phone", () => seen.set(state.phone.userId, state.phone.bubbles.filter((bubble) => bubble.by !== "person").length));
  for (const event of ["entries", "studio", "connected"]) on(event, refresh);
  setInterval(() => { if (state.people.some((p) => (p.thread.pausedUntil ?? Infinity) < now())) refresh(); }, 5000);
}
