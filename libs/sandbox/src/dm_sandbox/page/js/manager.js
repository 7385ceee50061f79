// The manager's WhatsApp: alerts with their ticks, and answers that quote them.
import { byId, clock, h, keepEnd, moveByArrows, oneTabStop, reconcile, stickToEnd, whenReleased } from "./dom.js";
import { attempt, get, post } from "./api.js";
import { freshly, on } from "./state.js";

const TICKS = { accepted: ["✓", "accepted"], sent: ["✓", "sent"], delivered: ["✓✓", "delivered"], read: ["✓✓", "read"], failed: ["not delivered", "failed"] };
const COMMANDS = ["pause", "resume", "done", "off", "on", "list", "help"];
let messages = [], quoted = "";

const refresh = freshly(async () => {
  messages = await get("/api/manager");
  if (!messages.some((message) => message.id === quoted)) quoted = "";
  show();
  look();
});

// Whoever is at work in this conversation has read what arrived, also what arrives meanwhile.
function look() {
  if (byId("manager").contains(document.activeElement) && messages.some((message) => message.ticks === "delivered")) attempt("/api/manager/read");
}

function show() {
  const texts = new Map(messages.map((message) => [message.id, message.text]));
  const items = messages.map((message) => ({ ...message, quotedText: texts.get(message.quotes), chosen: message.id === quoted }));
  const list = byId("alerts");
  list.dataset.empty = "Nothing yet. Ask for a real person, and the bot tells the manager here.";
  whenReleased(list, () => stickToEnd(list.parentElement, () => { reconcile(list, items, (item) => item.id, row); oneTabStop(list); }));
  const place = byId("manager-quoting"), text = texts.get(quoted);
  place.hidden = text === undefined;
  if (text !== undefined) {
    const drop = h("button", { type: "button", "aria-label": "Stop quoting", onclick: () => choose("") }, "×");
    place.replaceChildren(h("span", {}, `Answering: ${text.slice(0, 80)}`), drop);
  }
}

function row(message) {
  const [sign, words] = TICKS[message.ticks];
  const buttons = message.buttons.map((button) => h("button", { type: "button", onclick: () => attempt("/api/manager", { button: button.id, quotes: message.id }) }, button.title));
  return h("li", { class: `bubble-row ${message.mine ? "mine" : ""}` },
    h("button", { type: "button", class: "bubble", "aria-pressed": String(message.chosen), onclick: () => choose(message.mine || message.chosen ? "" : message.id) },
      message.quotedText !== undefined && h("span", { class: "quoted" }, message.quotedText.slice(0, 90)),
      message.template && h("span", { class: "about" }, `template ${message.template}`), h("span", {}, message.text)),
    buttons.length > 0 && h("span", { class: "tools" }, buttons),
    h("span", { class: "under" }, clock(message.at).slice(0, 5),
      !message.mine && h("span", { class: `ticks ${message.ticks}` }, h("span", { "aria-hidden": "true" }, sign), h("span", { class: "visually-hidden" }, words))));
}

function choose(id) {
  quoted = id;
  show();
  if (id) byId("manager-words").focus();
}

// Refused words come back, unless others were written meanwhile.
async function send(text, field = null) {
  const quotes = quoted;
  choose("");
  try {
    await post("/api/manager", { text, quotes });
  } catch {
    if (quoted || !field || field.value) return;
    field.value = text;
    choose(quotes);
  }
}

export function start() {
  keepEnd(byId("alerts").parentElement);
  moveByArrows(byId("alerts"));
  byId("commands").replaceChildren(...COMMANDS.map((word) => h("button", { type: "button", onclick: () => send(word) }, word)));
  byId("manager-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId("manager-words"), text = field.value;
    if (!text.trim()) return;
    field.value = "";
    send(text, field);
  });
  byId("manager").addEventListener("focusin", look);
  on("entries", (rows) => { if (rows.some((row) => row.source === "whatsapp" || row.source === "meta" || row.kind.startsWith("outbox"))) refresh(); });
  for (const event of ["studio", "connected"]) on(event, refresh);
}
