// Wiring: theme, filters, list, detail, keyboard, and the state in the address.
import { readNames, readRecords } from "./data.js";
import { FIELDS, countValues, emptyFilters, matches, subsetKey } from "./filters.js";
import { createList } from "./list.js";
import { showDetail, showNothing } from "./detail.js";
import { visible } from "./text.js";

const OUTCOMES = { scored: "scored", no_answer: "no answer", unsupported: "unsupported", unscored: "not scored", error: "error" };
const ANSWERS = { correct: "correct", wrong: "wrong", graded: "graded" };

function startTheme() {
  const button = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const label = () => (button.textContent = current() === "dark" ? "Light theme" : "Dark theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = current() === "dark" ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();
}

function shown(text) {
  return visible(text).map((node) => node.textContent).join("");
}

function fill(select, all, options, counts, value) {
  const made = [new Option(all, "")];
  for (const [key, label] of options) {
    const number = counts.get(key) ?? 0;
    if (!number && key !== value) continue;
    made.push(new Option(`${shown(label)} (${number.toLocaleString("en")})`, key));
  }
  select.replaceChildren(...made);
  select.value = value;
}

function readAddress() {
  const text = location.hash.slice(1);
  if (!text.includes("=")) return null;
  const given = new URLSearchParams(text);
  const filters = emptyFilters();
  for (const field of FIELDS) filters[field] = given.get(field) ?? "";
  return { filters, key: given.get("s") ?? "" };
}

function writeAddress(filters, key) {
  const given = new URLSearchParams();
  if (key) given.set("s", key);
  for (const field of FIELDS) if (filters[field]) given.set(field, filters[field]);
  history.replaceState(null, "", `#${given}`);
}

function startBrowser(names, records) {
  const inputs = Object.fromEntries(FIELDS.map((field) => [field, document.getElementById(`f-${field}`)]));
  const subsets = new Map(records.flatMap((record) => record.subsets.map((pair) => [subsetKey(pair), pair.join(": ")])));
  const options = {
    task: names.tasks.map((name, index) => [String(index), name]),
    model: names.models.map((name, index) => [String(index), name]),
    outcome: Object.entries(OUTCOMES),
    correct: Object.entries(ANSWERS),
    pair: names.pairs,
    subset: [...subsets].sort(([, one], [, other]) => (one < other ? -1 : 1)),
  };
  const all = { task: "All tasks", model: "Any model", outcome: "Any outcome", correct: "Right or wrong", subset: "All subsets", pair: "Any answers of two" };
  const pairs = names.pairs.map(([key]) => key);
  inputs.pair.closest("label").hidden = !pairs.length;
  inputs.disagree.closest("label").hidden = names.models.length - names.guessers.length < 2;
  let filters = emptyFilters();
  let key = "";

  const list = createList(names, (record, position, total, byUser) => {
    key = record.key;
    showDetail(record, names, position, total, (step) => list.move(step));
    if (byUser) writeAddress(filters, key);
  });

  function apply() {
    const found = records.filter((record) => matches(record, filters));
    const counts = countValues(records, filters, pairs);
    for (const field of Object.keys(options)) fill(inputs[field], all[field], options[field], counts[field], filters[field]);
    inputs.text.value = filters.text;
    inputs.disagree.checked = filters.disagree === "1";
    document.getElementById("n-disagree").textContent = `(${(counts.disagree.get("1") ?? 0).toLocaleString("en")})`;
    document.getElementById("matches").textContent = `${found.length.toLocaleString("en")} of ${records.length.toLocaleString("en")} samples`;
    list.show(found, key);
    if (!found.length) showNothing();
  }

  function change(field, value) {
    filters = { ...filters, [field]: value };
    apply();
    writeAddress(filters, key);
  }

  for (const field of Object.keys(options)) inputs[field].addEventListener("change", () => change(field, inputs[field].value));
  inputs.disagree.addEventListener("change", () => change("disagree", inputs.disagree.checked ? "1" : ""));
  let waiting = 0;
  inputs.text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => change("text", inputs.text.value), 120);
  });
  const form = document.querySelector(".filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    filters = emptyFilters();
    apply();
    writeAddress(filters, key);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "Escape" && event.target === inputs.text) document.getElementById("list").focus();
    if (typing) return;
    if (event.key === "/") {
      event.preventDefault();
      inputs.text.focus();
      inputs.text.select();
    } else if (event.key === "j" || event.key === "k") {
      list.move(event.key === "j" ? 1 : -1);
    }
  });

  function follow() {
    const address = readAddress();
    if (!address) return false;
    filters = address.filters;
    key = address.key;
    return true;
  }
  window.addEventListener("hashchange", () => {
    if (!follow()) return;
    apply();
    document.getElementById("samples").scrollIntoView();
  });
  const addressed = follow();
  document.getElementById("browser").hidden = false;
  apply();
  if (addressed) document.getElementById("samples").scrollIntoView();
}

async function start() {
  startTheme();
  const loading = document.getElementById("loading");
  loading.hidden = false;
  const records = await readRecords((share) => (loading.textContent = `Reading samples … ${Math.round(share * 100)} %`));
  loading.hidden = true;
  if (records.length) startBrowser(readNames(), records);
}

start();
