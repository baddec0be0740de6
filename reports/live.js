// The live part: asks the server how far the runs are, shows it, and takes up a new report.
import { rememberPlace, restorePlace } from "./place.js";

const PATIENCE_MS = 15000;
const AGAIN_S = 3;
const GONE =
  "The server of this page does not answer: it was ended, or its machine is away. What is shown is the last that was known. Start mmeval view again and open the address that it prints.";

let timer = 0;
let misses = 0;
let asking = false;

// Change what is shown into what is given, node by node: selection, focus and scrolling stay where nothing changes.
function change(shown, given) {
  if (shown.nodeType !== given.nodeType || shown.nodeName !== given.nodeName) {
    shown.replaceWith(document.importNode(given, true));
  } else if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.data !== given.data) shown.data = given.data;
  } else if (shown.id !== "connection") {
    // Whether a fold is open is the reader's.
    for (const { name } of [...shown.attributes]) if (name !== "open" && !given.hasAttribute(name)) shown.removeAttribute(name);
    for (const { name, value } of given.attributes) if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    const before = [...shown.childNodes];
    const after = [...given.childNodes];
    after.forEach((node, place) => {
      if (place < before.length) change(before[place], node);
      else shown.append(document.importNode(node, true));
    });
    before.slice(after.length).forEach((node) => node.remove());
  }
}

function typing() {
  return document.activeElement?.matches("input[type=search], select") ?? false;
}

function show(state) {
  const live = document.getElementById("live");
  const given = new DOMParser().parseFromString(state.html, "text/html").getElementById("live");
  const held = live.dataset.report;
  change(live, given);
  // The page says which report it holds, whatever the server has by now.
  live.dataset.report = held;
  const fresh = state.report !== held;
  say(fresh && typing() ? "A new report is there; it comes up when you leave the field." : "");
  if (!fresh || typing()) return;
  rememberPlace();
  location.reload();
}

function say(text) {
  const line = document.getElementById("connection");
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
}

async function turn() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  let wait = AGAIN_S;
  try {
    const answer = await fetch("state", { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    const state = await answer.json();
    misses = 0;
    show(state);
    wait = state.wait_s;
  } catch {
    misses += 1;
    if (misses > 1) say(GONE);
  }
  document.getElementById("live").classList.toggle("stale", misses > 1);
  asking = false;
  timer = setTimeout(turn, 1000 * wait);
}

export function startLive() {
  restorePlace();
  document.addEventListener("visibilitychange", turn);
  turn();
}
