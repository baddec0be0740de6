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

// `step`: a new entry of the history, so that "back" undoes it; else the present one is changed.
export function writeAddress({ filters, key, condition, only }, step) {
  const given = new URLSearchParams();
  if (key) given.set("s", key);
  for (const field of FIELDS) if (filters[field]) given.set(field, filters[field]);
  if (condition) given.set("c", condition);
  if (only) given.set("m", only);
  const address = `#${given}`;
  if (address === (location.hash || "#")) return;
  if (step) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}
