// A list box that keeps only the rows near the viewport in the document.
import { standing } from "./filters.js";
import { element, visible } from "./text.js";

const HEIGHT = 64;
const MARGIN = 8;
const MODELS = 12;

// Sign, kind and words of how one model stands on a record.
export function sign(stood) {
  const { answers, right, wrong, graded, silent, failed } = stood;
  if (!answers) return ["·", "absent", "not asked"];
  if (right === answers) return ["✓", "correct", "correct"];
  if (right) return ["◐", "mixed", `correct in ${right} of ${answers}`];
  if (graded) return ["●", "graded", "graded"];
  if (wrong) return ["✗", "wrong", "wrong"];
  if (silent) return ["∅", "wrong", "no answer"];
  return ["!", "failed", failed === 1 ? "no score" : `no score in ${failed}`];
}

// `conditionOf(record)`: the condition whose answers a row shows.
export function createList(names, index, conditionOf, onSelect) {
  const box = document.getElementById("list");
  const spacer = document.getElementById("spacer");
  let found = new Uint32Array(0);
  let selected = -1;
  let scheduled = false;

  function row(record, place) {
    const condition = conditionOf(record);
    const states = names.models.slice(0, MODELS).map((name, model) => {
      const [glyph, kind, words] = sign(standing(index, record, model, condition));
      return element("span", { class: `state ${kind}`, title: `${name}: ${words}`, role: "img", "aria-label": words }, glyph);
    });
    if (names.models.length > MODELS) states.push(element("span", { class: "muted" }, "…"));
    const made = element(
      "div",
      { class: "row", role: "option", id: `row-${place}`, "aria-selected": String(place === selected), "aria-posinset": place + 1, "aria-setsize": found.length },
      element("div", { class: "rowhead" }, element("span", { class: "rowid", dir: "auto" }, visible(index.ids[record])), element("span", { class: "states" }, states)),
      element("div", { class: "question", dir: "auto" }, visible(index.questions[record] || "(no question text)")),
      element("div", { class: "rowtask" }, visible(names.tasks[index.task[record]]), index.disagree[record] ? element("span", { class: "tag" }, "models disagree") : null),
    );
    made.style.top = `${place * HEIGHT}px`;
    made.addEventListener("click", () => select(place, "click"));
    return made;
  }

  function draw() {
    scheduled = false;
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - MARGIN);
    const last = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + MARGIN);
    const rows = [];
    for (let place = first; place < last; place += 1) rows.push(row(found[place], place));
    spacer.replaceChildren(...rows);
    const active = document.getElementById(`row-${selected}`);
    if (active) box.setAttribute("aria-activedescendant", active.id);
    else box.removeAttribute("aria-activedescendant");
  }

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(draw);
  }

  function reveal(place) {
    const top = place * HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + HEIGHT - box.clientHeight;
  }

  // `how`: "click", "step" (a key), or "" where the page selects by itself.
  function select(place, how) {
    if (!found.length) return;
    selected = Math.min(Math.max(place, 0), found.length - 1);
    reveal(selected);
    draw();
    onSelect(found[selected], selected, found.length, how);
  }

  box.addEventListener("scroll", schedule, { passive: true });
  new ResizeObserver(schedule).observe(box);
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / HEIGHT) - 1);
    const moves = { ArrowDown: selected + 1, ArrowUp: selected - 1, PageDown: selected + page, PageUp: selected - page, Home: 0, End: found.length - 1 };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    select(moves[event.key], "step");
  });

  return {
    // Shows these records, and selects the one of that place where it is among them, else the first.
    show(places, record) {
      found = places;
      spacer.style.height = `${found.length * HEIGHT}px`;
      selected = record < 0 ? -1 : found.indexOf(record);
      if (selected < 0) box.scrollTop = 0;
      if (found.length) select(Math.max(selected, 0), "");
      else draw();
    },
    move(step) {
      select(selected + step, "step");
    },
  };
}
