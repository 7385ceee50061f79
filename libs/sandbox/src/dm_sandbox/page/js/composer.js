// What can be done with the phone: write, as the person or as the club, and everything else an app offers.
import { byId, h } from "./dom.js";
import { post } from "./api.js";
import { on, state } from "./state.js";

const CHIPS = {
  en: ["When are the next nets?", "How much is it to join?", "ok thx", "Can I talk to a real person about a refund?", "hi!\nI'm 34 and never played\nis that ok?"],
  de: ["Wann ist das nächste Training?", "Was kostet die Mitgliedschaft?", "ok danke", "Kann ich mit einem Menschen sprechen?", "hallo!\nich habe noch nie gespielt\ngeht das?"],
  es: ["¿Cuándo es el próximo entrenamiento?", "¿Cuánto cuesta hacerse socio?", "vale, gracias", "¿Puedo hablar con una persona?", "¡hola!\nnunca he jugado\n¿puedo ir?"],
};
const ACTS = [
  ["burst", "Burst, line by line"], ["photo", "Photo"], ["voice", "Voice message"], ["video", "Video"], ["story_reply", "Reply to a story"],
  ["story_mention", "Mention in a story"], ["share", "Share a post"], ["quick_reply", "Quick reply"], ["ice_breaker", "Ice breaker"],
  ["ad", "Come from an ad"], ["react", "React ❤️"], ["edit", "Edit the last"], ["unsend", "Unsend the last"], ["resend", "Deliver the last webhook again"],
  ["late", "DM dated 25 hours ago"],
];
const NEEDS_WORDS = ["burst", "edit"];
const drafts = new Map();
let quoted = null, writer = "";

export function quote(what) {
  if (quoted?.edits) byId("words").value = quoted.draft;
  quoted = what;
  const place = byId("quoting");
  place.hidden = !what;
  if (!what) return;
  const drop = h("button", { type: "button", "aria-label": "Stop quoting", onclick: () => quote(null) }, "×");
  place.replaceChildren(h("span", {}, `${what.edits ? "Editing" : "Replying to"}: ${(what.text || "a message").slice(0, 80)}`), drop);
  byId("words").focus();
}

// The words of a message to change take the place of a draft, which comes back afterwards.
export function edit(mid, text) {
  quote(null);
  quote({ mid, text, edits: true, draft: byId("words").value });
  byId("words").value = text;
}

// Refused words come back to whom they were written as, unless others were written meanwhile.
function giveBack(person, text, target) {
  const field = byId("words");
  if (person !== state.person) { if (!drafts.get(person)) drafts.set(person, text); return; }
  if (field.value !== (target?.draft ?? "") || quoted) return;
  if (target) quote(target);
  field.value = text;
}

export async function act(name, fields = {}) {
  if (!state.person) return;
  await post(`/api/phone/${encodeURIComponent(state.person)}/${name}`, fields);
}

async function send() {
  const field = byId("words"), text = field.value, { person } = state, target = quoted;
  if (!text.trim() || !person) return;
  field.value = "";
  const human = new FormData(byId("composer")).get("as") === "human";
  quote(null);
  try {
    if (target?.edits) await act("edit", { mid: target.mid, text });
    else await act(human ? "human" : "text", { text, reply_to: human ? undefined : target?.mid });
  } catch {
    giveBack(person, text, target);
  }
}

function button(name, words) {
  return h("button", { type: "button", onclick: () => {
    const field = byId("words"), text = field.value, { person } = state;
    if (!person) return;
    if (NEEDS_WORDS.includes(name) && !text.trim()) { field.placeholder = name === "burst" ? "One DM a line…" : "The new words…"; field.focus(); return; }
    field.value = "";
    act(name, text.trim() ? { text } : {}).catch(() => giveBack(person, text));
  } }, words);
}

function chips() {
  const language = state.phone?.language ?? "en";
  const words = CHIPS[language] ?? CHIPS.en;
  byId("chips").replaceChildren(...words.map((text) => h("button", {
    type: "button", onclick: () => act(text.includes("\n") ? "burst" : "text", { text }).catch(() => {}),
  }, text.replaceAll("\n", " / "))));
}

// Words that were typed as one person are not another's.
function changeWriter() {
  quote(null);
  drafts.set(writer, byId("words").value);
  writer = state.person;
  byId("words").value = drafts.get(writer) ?? "";
}

export function start() {
  writer = state.person;
  byId("acts").replaceChildren(...ACTS.map(([name, words]) => button(name, words)));
  byId("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  byId("words").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  });
  let language = "";
  on("phone", () => { if (language !== state.phone.language) { language = state.phone.language; chips(); } });
  on("person", changeWriter);
}
