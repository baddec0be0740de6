// A list box that keeps only the rows near the viewport in the document.
import { answerState } from "./filters.js";
import { element, visible } from "./text.js";

const HEIGHT = 64;
const MARGIN = 8;

const GLYPHS = { correct: "✓", wrong: "✗", graded: "●" };

export function glyph(answer) {
  const state = answerState(answer);
  if (answer.outcome === "no_answer") return ["∅", "wrong", "no answer"];
  if (state) return [GLYPHS[state], state, state === "graded" ? `score ${answer.score}` : state];
  return ["!", "failed", answer.outcome];
}

export function createList(names, onSelect) {
  const box = document.getElementById("list");
  const spacer = document.getElementById("spacer");
  let records = [];
  let selected = -1;
  let scheduled = false;

  function row(record, index) {
    const states = record.answers.slice(0, 12).map((answer) => {
      const [sign, kind, words] = glyph(answer);
      return element("span", { class: `state ${kind}`, title: `${names.models[answer.model]}: ${words}`, role: "img", "aria-label": words }, sign);
    });
    if (record.answers.length > 12) states.push(element("span", { class: "muted" }, "…"));
    const made = element(
      "div",
      { class: "row", role: "option", id: `row-${index}`, "aria-selected": String(index === selected), "aria-posinset": index + 1, "aria-setsize": records.length },
      element("div", { class: "rowhead" }, element("span", { class: "rowid" }, visible(record.id)), element("span", { class: "states" }, states)),
      element("div", { class: "question", dir: "auto" }, visible(record.question || "(no question text)")),
      element("div", { class: "rowtask" }, visible(names.tasks[record.task]), record.disagree ? element("span", { class: "tag" }, "models disagree") : null),
    );
    made.style.top = `${index * HEIGHT}px`;
    made.addEventListener("click", () => select(index, true));
    return made;
  }

  function draw() {
    scheduled = false;
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - MARGIN);
    const last = Math.min(records.length, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + MARGIN);
    const rows = [];
    for (let index = first; index < last; index += 1) rows.push(row(records[index], index));
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

  function reveal(index) {
    const top = index * HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + HEIGHT - box.clientHeight;
  }

  function select(index, byUser) {
    if (!records.length) return;
    selected = Math.min(Math.max(index, 0), records.length - 1);
    reveal(selected);
    draw();
    onSelect(records[selected], selected, records.length, byUser);
  }

  box.addEventListener("scroll", schedule, { passive: true });
  new ResizeObserver(schedule).observe(box);
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / HEIGHT) - 1);
    const moves = { ArrowDown: selected + 1, ArrowUp: selected - 1, PageDown: selected + page, PageUp: selected - page, Home: 0, End: records.length - 1 };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    select(moves[event.key], true);
  });

  return {
    show(found, key) {
      records = found;
      spacer.style.height = `${records.length * HEIGHT}px`;
      selected = records.findIndex((record) => record.key === key);
      if (selected < 0) box.scrollTop = 0;
      if (records.length) select(Math.max(selected, 0), false);
      else draw();
    },
    move(step) {
      select(selected + step, true);
    },
  };
}
