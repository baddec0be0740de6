// The state of the browser in the address: filters, sample, shown condition and shown model.
import { FIELDS } from "./filters.js";

// What the address says, null where it says nothing about samples.
export function readAddress() {
  const text = location.hash.slice(1);
  if (text && !text.includes("=")) return null;
  const given = new URLSearchParams(text);
  return {
    filters: Object.fromEntries(FIELDS.map((field) => [field, given.get(field) ?? ""])),
    key: given.get("s") ?? "",
    condition: given.get("c") ?? "",
    only: given.get("m") ?? "",
    empty: !text,
  };
}

const PAUSE_MS = 200; // browsers refuse many changes in a short time, which a held key would make
let waiting = 0;
let pending = null;
let last = -PAUSE_MS;

function replace() {
  clearTimeout(waiting);
  waiting = 0;
  if (pending === null) return;
  history.replaceState(null, "", pending);
  last = performance.now();
  pending = null;
}

// What is still to be written does not hold any more: another hand changed the address.
export function forgetAddress() {
  pending = null;
  replace();
}

// `step`: a new entry of the history, so that "back" undoes it; else the present one is changed, a little later where one was just made.
export function writeAddress({ filters, key, condition, only }, step) {
  const given = new URLSearchParams();
  if (key) given.set("s", key);
  for (const field of FIELDS) if (filters[field]) given.set(field, filters[field]);
  if (condition) given.set("c", condition);
  if (only) given.set("m", only);
  const address = `#${given}`;
  if (step) {
    replace();
    if (address !== (location.hash || "#")) history.pushState(null, "", address);
    return;
  }
  pending = address;
  if (performance.now() - last >= PAUSE_MS) replace();
  else if (!waiting) waiting = setTimeout(replace, PAUSE_MS);
}
