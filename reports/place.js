// Where the reader is: remembered over a reload, so that a new report comes up at the same place.
const KEY = `mmeval-view ${location.pathname}`;

function read() {
  const text = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  return text ? JSON.parse(text) : null;
}

const left = read();
// Before anything reads the theme.
if (left?.theme) document.documentElement.dataset.theme = left.theme;
if (left) history.scrollRestoration = "manual";

function sections() {
  return [...document.querySelectorAll("main > section[id]")];
}

function folds() {
  return [...document.querySelectorAll("main details")];
}

function name(fold) {
  return fold.querySelector("summary")?.textContent ?? "";
}

export function rememberPlace() {
  const first = sections().find((section) => section.getBoundingClientRect().bottom > 0);
  const place = {
    top: window.scrollY < 8,
    theme: document.documentElement.dataset.theme ?? "",
    section: first?.id ?? "",
    offset: first ? first.getBoundingClientRect().top : 0,
    list: document.getElementById("list")?.scrollTop ?? 0,
    detail: document.getElementById("detail")?.scrollTop ?? 0,
    open: folds().filter((fold) => fold.open).map(name),
    focus: document.activeElement?.id ?? "",
  };
  sessionStorage.setItem(KEY, JSON.stringify(place));
}

function restore() {
  const open = new Set(left.open);
  for (const fold of folds()) if (open.has(name(fold))) fold.open = true;
  document.getElementById(left.focus)?.focus({ preventScroll: true });
  const section = document.getElementById(left.section);
  if (left.top) window.scrollTo({ top: 0, behavior: "instant" });
  else if (section) window.scrollBy({ top: section.getBoundingClientRect().top - left.offset, behavior: "instant" });
  for (const id of ["list", "detail"]) document.getElementById(id)?.scrollTo({ top: left[id], behavior: "instant" });
}

export function restorePlace() {
  if (!left) return;
  restore();
  const browser = document.getElementById("browser");
  if (!browser) return;
  // The sample browser appears, and scrolls to what the address names, when its samples are unpacked.
  const watching = new MutationObserver(() => {
    watching.disconnect();
    restore();
  });
  watching.observe(browser, { attributes: true, attributeFilter: ["hidden"] });
}
