// Wiring: theme, filters, list, detail, keyboard, and the state in the address.
import { forgetAddress, readAddress, writeAddress } from "./address.js";
import { createStore, readColumns, readNames } from "./data.js";
import { OUTCOMES, VERDICTS, emptyFilters, evaluate, knownFilters, openIndex, readPair, siblings } from "./filters.js";
import { createList } from "./list.js";
import { conditionsOf, showDetail, showNothing } from "./detail.js";
import { toggleAll } from "./overlay.js";
import { createPairs, pairWords } from "./pairs.js";
import { createSearch } from "./search.js";
import { makeSortable } from "./sort.js";
import { element, visible } from "./text.js";
import { startCopying } from "./passages.js";

// Without a prototype: what an engine says may be called "constructor".
const WORDS = { __proto__: null, no_answer: "no answer", unscored: "not scored", length: "truncated (length)", label: "judged", reason: "reason" };
const ALL = { task: "All", subset: "All", condition: "Any", model: "Any", correct: "Any", outcome: "Any", finish: "Any", kind: "Any" };
const SELECTS = Object.keys(ALL);
const TYPING_MS = 40;

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

// Paper has no triangles to click: everything but the source of the methods is printed open.
function startPrinting() {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    const closed = [...document.querySelectorAll("details:not([open]):not(.source)")];
    opened = closed.filter((one) => !one.closest("#samples"));
    for (const one of opened) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
    opened = [];
  });
}

function shownText(text) {
  return visible(text).map((node) => node.textContent).join("");
}

// Options of every select: [value, words, place in the counts], in the order in which they are listed.
function optionsOf(index, names) {
  const listed = (values, words) => values.map((value, place) => [value, shownText(words(place)), place]);
  const sorted = (options) => options.sort(([, one], [, other]) => (one < other ? -1 : 1));
  return {
    task: listed(index.values.task, (place) => names.tasks[place]),
    model: listed(index.values.model, (place) => names.models[place]),
    condition: listed(index.values.condition, (place) => names.conditions[place]),
    correct: listed(VERDICTS, (place) => VERDICTS[place]).slice(1),
    outcome: listed(OUTCOMES, (place) => WORDS[OUTCOMES[place]] ?? OUTCOMES[place]),
    finish: sorted(listed(index.values.finish, (place) => WORDS[index.values.finish[place]] ?? index.values.finish[place])),
    kind: listed(index.values.kind, (place) => `${WORDS[index.labels.kind[place][0]]}: ${index.labels.kind[place][1]}`),
    subset: sorted(listed(index.values.subset, (place) => index.labels.subset[place].join(": "))),
  };
}

function fill(select, all, options, counts, value) {
  const made = [new Option(all, "")];
  for (const [key, label, place] of options)
    if (counts[place] || key === value) made.push(new Option(`${label} (${counts[place].toLocaleString("en")})`, key));
  select.replaceChildren(...made);
  select.value = value;
}

function startBrowser(names, columns) {
  const index = openIndex(columns, names);
  const store = createStore(columns.chunk);
  const search = createSearch(store, index.size);
  const options = optionsOf(index, names);
  const inputs = Object.fromEntries([...SELECTS, "text", "disagree"].map((field) => [field, document.getElementById(`f-${field}`)]));
  const article = document.getElementById("detail");
  const matches = document.getElementById("matches");
  let state = { filters: emptyFilters(), key: "", condition: "", only: "" };
  let applied = { text: "", hits: null }; // the last text search
  let turn = 0; // of apply(); a later one makes an earlier one stale
  let shown = 0; // of show()

  for (const field of SELECTS) inputs[field].closest("label").hidden = options[field].length < (field === "kind" || field === "subset" ? 1 : 2);
  inputs.disagree.closest("label").hidden = names.models.length - names.guessers.length < 2;

  const standard = Math.max(0, names.conditions.indexOf("standard"));
  const conditionOf = (record) => {
    const pair = state.filters.pair && readPair(state.filters.pair, index);
    const wanted = state.filters.condition ? Number(state.filters.condition) : pair ? pair.condition : standard;
    const [first, last] = [index.start[record], index.start[record + 1]];
    return first === last || index.condition.subarray(first, last).includes(wanted) ? wanted : index.condition[first];
  };
  const pairs = createPairs(names, (key) => change({ pair: key }));
  const list = createList(names, index, conditionOf, (record, position, total, how) => {
    state.key = index.keys[record];
    show(record, position, total);
    if (how) writeAddress(state, how === "click");
  });

  async function show(record, position, total) {
    const mine = (shown += 1);
    article.setAttribute("aria-busy", "true");
    let data;
    try {
      data = await store.record(record);
    } catch (error) {
      if (mine === shown) showFailure(error);
      return;
    }
    if (mine !== shown) return;
    const draw = () => {
      const known = conditionsOf(data, names);
      const named = names.conditions.indexOf(state.condition);
      const condition = known.includes(named) ? named : known.includes(conditionOf(record)) ? conditionOf(record) : (known[0] ?? 0);
      const model = state.only === "" ? -1 : Number(state.only) - 1;
      const only = data.answers.some((answer) => answer.model === model) ? model : -1;
      const near = siblings(index, record).map((place) => ({ key: index.keys[place], id: index.ids[place] }));
      showDetail(names, { record: data, position, total, only, condition, siblings: near }, {
        move: (step) => list.move(step),
        open,
        near: (key) => change({ ...emptyFilters(), near: key }),
        only: (chosen) => look({ only: state.only === String(chosen + 1) ? "" : String(chosen + 1) }),
        condition: (chosen) => look({ condition: names.conditions[chosen] }),
      });
      article.setAttribute("aria-busy", "false");
    };
    redraw = draw;
    turnCondition = (step) => {
      const known = conditionsOf(data, names);
      const place = known.indexOf(names.conditions.indexOf(state.condition || names.conditions[conditionOf(record)]));
      look({ condition: names.conditions[known[(place + step + known.length) % known.length]] });
    };
    draw();
    article.scrollTop = 0;
  }
  function showFailure(error) {
    redraw = () => {};
    article.replaceChildren(element("p", { class: "notice", role: "alert" }, `This sample cannot be read: ${error.message}. Is everything of the report here?`));
    article.setAttribute("aria-busy", "false");
  }
  let redraw = () => {};
  let turnCondition = () => {};

  // How the open sample is looked at: one model or condition.
  function look(changed) {
    state = { ...state, ...changed };
    redraw();
    writeAddress(state, true);
  }

  // A sample that the filters may hide: they give way.
  function open(key) {
    state.key = key;
    writeAddress(state, true);
    apply(true);
  }

  function tokens() {
    const { filters } = state;
    const made = [];
    const pair = filters.pair && readPair(filters.pair, index);
    if (pair) made.push(["pair", shownText(pairWords(names, pair))]);
    if (filters.near) made.push(["near", `same cluster as ${shownText(index.ids[index.places.get(filters.near)])}`]);
    return made.map(([field, words]) => {
      const button = element("button", { type: "button", class: "chip token", "aria-label": `Remove the filter: ${words}` }, `${words} ×`);
      button.addEventListener("click", () => change({ [field]: "" }));
      return button;
    });
  }

  function draw(hits, yielding) {
    const { filters } = state;
    pairs.follow(filters.pair);
    let { found, counts } = evaluate(index, filters, hits, pairs.pairs());
    let record = index.places.get(state.key) ?? -1;
    if (yielding && record >= 0 && !found.includes(record)) {
      state.filters = emptyFilters();
      writeAddress(state, false);
      pairs.follow("");
      ({ found, counts } = evaluate(index, state.filters, null, pairs.pairs()));
      record = index.places.get(state.key);
    }
    for (const field of SELECTS) fill(inputs[field], ALL[field], options[field], counts[field], state.filters[field]);
    pairs.draw(counts.pair);
    if (document.activeElement !== inputs.text || inputs.text.value.trim() !== state.filters.text) inputs.text.value = state.filters.text;
    inputs.disagree.checked = state.filters.disagree === "1";
    document.getElementById("n-disagree").textContent = `(${counts.disagree.toLocaleString("en")})`;
    matches.textContent = `${found.length.toLocaleString("en")} of ${index.size.toLocaleString("en")} samples`;
    document.getElementById("tokens").replaceChildren(...tokens());
    if (!found.length) {
      shown += 1;
      redraw = () => {};
      turnCondition = () => {};
      article.setAttribute("aria-busy", "false");
      showNothing(clear);
    }
    list.show(found, record);
  }

  // Draws what the state says. `yielding`: the filters give way where they hide the chosen sample.
  function apply(yielding = false) {
    const mine = (turn += 1);
    const { text } = state.filters;
    if (!text || text === applied.text) {
      draw(text ? applied.hits : null, yielding);
      return;
    }
    const progress = (share) => (matches.textContent = `Searching … ${Math.round(share * 100)} %`);
    search.find(text, () => mine !== turn, progress).then((hits) => {
      if (!hits || mine !== turn) return;
      applied = { text, hits };
      draw(hits, yielding);
    }, fail);
  }

  function change(changed, step = true) {
    state.filters = { ...state.filters, ...changed };
    apply();
    writeAddress(state, step);
  }

  function clear() {
    change(emptyFilters());
  }

  for (const field of SELECTS) inputs[field].addEventListener("change", () => change({ [field]: inputs[field].value }));
  inputs.disagree.addEventListener("change", () => change({ disagree: inputs.disagree.checked ? "1" : "" }));
  let waiting = 0;
  inputs.text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const text = inputs.text.value.trim();
      if (text !== state.filters.text) change({ text }, !state.filters.text); // one step back takes the whole search away
    }, TYPING_MS);
  });
  const form = document.querySelector(".filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    clear();
  });

  const help = document.getElementById("help");
  document.getElementById("allkeys").addEventListener("click", () => help.showModal());
  help.querySelector("button").addEventListener("click", () => help.close());
  const keys = {
    "/": () => {
      document.getElementById("browser").scrollIntoView({ block: "nearest" });
      inputs.text.focus();
      inputs.text.select();
    },
    j: () => list.move(1),
    k: () => list.move(-1),
    z: () => article.querySelector("[data-zoom]")?.click(),
    o: toggleAll,
    y: () => document.getElementById("copy")?.click(),
    "[": () => turnCondition(-1),
    "]": () => turnCondition(1),
    0: () => look({ only: "" }),
    "?": () => help.showModal(),
  };
  for (let number = 1; number <= Math.min(9, names.models.length); number += 1)
    keys[number] = () => look({ only: state.only === String(number) ? "" : String(number) });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && event.target === inputs.text) document.getElementById("list").focus();
    if (event.target.matches("input:not([type=checkbox]), select, textarea") || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  function follow() {
    const address = readAddress();
    if (!address) return false;
    const { filters, unknown } = knownFilters(index, address.filters);
    const notice = document.getElementById("unknown");
    notice.hidden = !unknown.length;
    notice.textContent = `The address asks for what this report does not have (${unknown.join(", ")}); it is left out.`;
    state = { filters, key: address.key, condition: address.condition, only: address.only };
    return !address.empty;
  }
  function inView() {
    const box = document.getElementById("browser").getBoundingClientRect();
    return box.top < window.innerHeight / 2 && box.bottom > window.innerHeight / 3;
  }
  window.addEventListener("popstate", forgetAddress);
  window.addEventListener("hashchange", () => {
    if (!readAddress()) return;
    const addressed = follow();
    apply();
    if (addressed && !inView()) document.getElementById("samples").scrollIntoView({ behavior: "instant" });
  });
  const addressed = follow();
  document.getElementById("browser").hidden = false;
  apply();
  if (addressed) document.getElementById("samples").scrollIntoView({ behavior: "instant" });
  else keepPlace();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  const later = window.requestIdleCallback ?? ((run) => setTimeout(run, 200));
  if (!store.lazy) later(() => search.prepare());
}

// The browser of the samples has moved what stands behind it away from where the address has led.
function keepPlace() {
  if (performance.getEntriesByType("navigation")[0]?.type !== "navigate" || location.hash.length < 2) return;
  document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: "instant" });
}

function fail(error) {
  const notice = document.getElementById("loading");
  notice.hidden = false;
  notice.textContent = `The samples of this report cannot be read (${error.message}). Make the report again. The tables above do not depend on them.`;
}

async function start() {
  startTheme();
  startPrinting();
  startCopying();
  for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
  const loading = document.getElementById("loading");
  loading.hidden = false;
  try {
    const columns = await readColumns();
    loading.hidden = true;
    if (columns?.keys.length) startBrowser(readNames(), columns);
  } catch (error) {
    fail(error);
    throw error;
  }
}

start();
