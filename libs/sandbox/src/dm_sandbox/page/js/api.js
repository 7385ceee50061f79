// Calls of the sandbox's server. A refusal is shown in one line, and thrown.
import { byId } from "./dom.js";

let clearing = 0;

export function notify(words, level = "good", stays = 6000) {
  const notice = byId("notice");
  notice.textContent = words;
  notice.className = level;
  clearTimeout(clearing);
  clearing = setTimeout(() => { notice.textContent = ""; notice.className = ""; }, stays);
}

async function answered(request) {
  let answer;
  try {
    answer = await request;
  } catch {
    throw new Error("The sandbox does not answer. Is it still running?");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `the sandbox answered ${answer.status}`);
  return body;
}

export const get = (path) => answered(fetch(path));

// For a button: a refusal has been shown, and that is all.
export const attempt = (path, body) => post(path, body).catch(() => null);

export async function post(path, body = {}) {
  const headers = { "content-type": "application/json" };
  try {
    return await answered(fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
  } catch (error) {
    notify(error.message, "error");
    throw error;
  }
}
