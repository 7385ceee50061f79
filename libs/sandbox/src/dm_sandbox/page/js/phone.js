// The chosen person's phone.
import { byId, clock, h, keepEnd, moveByArrows, oneTabStop, reconcile, stickToEnd, whenReleased } from "./dom.js";
import { attempt, get } from "./api.js";
import { chooseRun, freshly, on, state, tell } from "./state.js";
import { edit, quote } from "./composer.js";

const EMOJIS = ["❤️", "😂", "😮", "😢"];
const MEDIA = { photo: "🖼️ Photo", voice: "🎙️ Voice message", video: "🎬 Video", share: "📎 Shared post", story_mention: "✨ Story mention" };
const ENDS = {
  human: "left to the human", expired: "outside the 24-hour window", no_reply: "no reply needed", limited: "over the limit",
  handed_over: "handed over", refused: "can't be written to", uncertain: "may have gone out", off: "switched off", stopped: "stopped by the person",
};
let chosen = "", typingTimer = 0;

export const refresh = freshly(async () => {
  const person = state.person;
  if (!person) return;
  const phone = await get(`/api/phone/${encodeURIComponent(person)}`);
  if (person !== state.person) return;
  state.phone = phone;
  show();
  tell("phone");
});

export const bubbleUrl = (act) => `/api/phone/${encodeURIComponent(state.person)}/${act}`;

function show() {
  const { phone } = state, list = byId("bubbles");
  byId("phone-title").textContent = phone.name;
  byId("as-person").textContent = phone.name;
  list.dataset.empty = `Write as ${phone.name}. The club answers after a few seconds.`;
  const byMid = new Map(phone.bubbles.map((bubble) => [bubble.id, bubble]));
  const newestSeen = phone.bubbles.findLast((bubble) => bubble.by === "person" && bubble.seen)?.id;
  const items = phone.bubbles.map((bubble) => ({
    ...bubble, chosen: bubble.id === chosen, quoted: byMid.get(bubble.reply_to)?.text, showsSeen: bubble.id === newestSeen,
  }));
  whenReleased(list, () => stickToEnd(list.parentElement, () => { reconcile(list, items, (item) => item.id, row); oneTabStop(list); }));
  stickToEnd(list.parentElement, () => {
    byId("typing").hidden = !phone.typing;
    banner();
  });
  clearTimeout(typingTimer);
  if (phone.typing) typingTimer = setTimeout(refresh, 2000);
}

// What is shown of one person must not be taken for another's while theirs is on its way.
function clear() {
  const name = state.people.find((person) => person.userId === state.person)?.name ?? "…";
  chosen = "";
  state.phone = null;
  for (const id of ["phone-title", "as-person"]) byId(id).textContent = name;
  whenReleased(byId("bubbles"), () => byId("bubbles").replaceChildren());
  byId("banner").replaceChildren();
  byId("bubbles").dataset.empty = "";
  byId("typing").hidden = true;
}

function row(bubble) {
  const side = bubble.by === "person" ? "mine" : bubble.by === "human" || bubble.direction === "human" ? "human" : "";
  return h("li", { class: `bubble-row ${side}` },
    bubble.media && player(bubble),
    h("button", { type: "button", class: `bubble${bubble.unsent ? " gone" : ""}`, "aria-pressed": String(bubble.chosen), onclick: () => choose(bubble) },
      h("span", { class: "visually-hidden" }, bubble.by === "person" ? "They wrote: " : "The club: "), content(bubble)),
    Object.keys(bubble.reactions).length > 0 && h("span", { class: "reactions" }, Object.values(bubble.reactions).join(" ")),
    h("span", { class: "under" }, under(bubble).map((words) => h("span", {}, words))),
    bubble.chosen && tools(bubble));
}

// Outside of the bubble's button: a player has buttons of its own.
function player(bubble) {
  const gone = (event) => event.target.remove();
  if (bubble.kind === "voice") return h("audio", { class: "player", src: bubble.media, controls: true, "aria-label": "Voice message", onerror: gone });
  if (bubble.kind === "video") return h("video", { class: "player", src: bubble.media, controls: true, "aria-label": "Video", onerror: gone });
  return h("img", { class: "player", src: bubble.media, alt: "The photo they sent", onerror: gone });
}

function content(bubble) {
  if (bubble.unsent) return "unsent";
  return [
    bubble.quoted !== undefined && h("span", { class: "quoted" }, bubble.quoted || "a message"),
    bubble.about && h("span", { class: "about" }, bubble.about),
    bubble.kind in MEDIA && h("span", { class: "media" }, MEDIA[bubble.kind]),
    bubble.text && h("span", {}, bubble.text),
  ];
}

function under(bubble) {
  const words = [clock(bubble.at).slice(0, 5)];
  if (bubble.edits) words.push("edited");
  if (bubble.by === "human" || bubble.direction === "human") words.push("a human");
  if (bubble.by === "person" && !bubble.stored && !bubble.unsent) words.push("on its way");
  if (bubble.by === "person" && bubble.status === "pending") words.push("stored, waits");
  if (bubble.status === "processing") words.push("being answered");
  if (bubble.status === "failed") words.push(`failed: ${bubble.error || "see the run"}`);
  if (bubble.disposition in ENDS) words.push(ENDS[bubble.disposition]);
  if (bubble.showsSeen) words.push("Seen");
  return words;
}

function tools(bubble) {
  const mid = bubble.id, act = (name, fields = {}) => () => attempt(bubbleUrl(name), { mid, ...fields });
  const own = bubble.by === "person" && !bubble.unsent;
  return h("span", { class: "tools" },
    !bubble.unsent && h("button", { type: "button", onclick: () => quote({ mid, text: bubble.text }) }, "Reply"),
    own && h("button", { type: "button", onclick: () => edit(mid, bubble.text) }, "Edit"),
    own && h("button", { type: "button", onclick: act("unsend") }, "Unsend"),
    bubble.by !== "person" && EMOJIS.map((emoji) => h("button", { type: "button", "aria-label": `React with ${emoji}`, onclick: act("react", { emoji }) }, emoji)),
    bubble.run && h("button", { type: "button", onclick: () => { chooseRun(bubble.run); tell("tab", "run"); tell("pane", "inspector"); } }, "Why?"));
}

function choose(bubble) {
  chosen = chosen === bubble.id ? "" : bubble.id;
  show();
  if (chosen && bubble.run) { chooseRun(bubble.run); tell("tab", "run"); }
}

// Made anew only when it says something else: a button that is replaced while it is pressed is not pressed.
function banner() {
  const { thread } = state.phone, place = byId("banner");
  const human = thread.pausedUntil ? `A human answers until ${clock(thread.pausedUntil).slice(0, 5)}`
    : thread.paused ? "A human answers until Resume" : thread.handedOver ? "Handed over: a human should go on here" : "";
  const waits = !human && thread.waitsUntil ? `A service is down: tried again at ${clock(thread.waitsUntil)}` : "";
  if (place.firstChild?.textContent === (human || waits || undefined)) return;
  place.replaceChildren(...(human || waits ? [h("span", {}, human || waits)] : []));
  if (human) place.append(h("button", { type: "button", onclick: () => attempt(bubbleUrl("resume")) }, "Resume"));
}

export function start() {
  keepEnd(byId("bubbles").parentElement);
  moveByArrows(byId("bubbles"));
  on("person", () => { clear(); refresh(); });
  on("entries", (rows) => { if (rows.some((row) => !row.person || row.person === state.person)) refresh(); });
  for (const event of ["studio", "connected"]) on(event, refresh);
}
