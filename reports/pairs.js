// What one model broke and mended of another: a line of buttons with counts for each pair of models.
import { CELLS } from "./filters.js";
import { element, visible } from "./text.js";

const SHOWN = 3; // pairs that are not folded
const BUTTONS = [["rw", "broke"], ["wr", "mended"], ["ww", "both wrong"], ["rr", "both right"]];

export function pairWords(names, { base, candidate, condition, cell }) {
  const [one, other] = [...cell].map((letter) => (letter === "r" ? "right" : "wrong"));
  const where = names.conditions.length > 1 ? ` (${names.conditions[condition]})` : "";
  return `${names.models[base]} ${one}, ${names.models[candidate]} ${other}${where}`;
}

// `onChoose(key)` gets the pair filter, empty where a button that was pressed is pressed again.
export function createPairs(names, onChoose) {
  const container = document.getElementById("pairs");
  const rest = element("details", {});
  const lines = names.pairs.map((pair) => line(pair, [element("strong", {}, visible(names.models[pair[1]])), " against ", element("strong", {}, visible(names.models[pair[0]]))]));
  let pressed = "";

  function line(pair, words) {
    const buttons = BUTTONS.map(([cell, word]) => {
      const count = element("b", {});
      const button = element("button", { type: "button", class: "chip" }, `${word} `, count);
      button.addEventListener("click", () => {
        const key = [...pair, cell].join("-");
        onChoose(key === pressed ? "" : key);
      });
      return { cell, word, count, button };
    });
    return { pair, buttons, node: element("div", { class: "pairline" }, element("span", { class: "pairname" }, words), element("span", { class: "chips" }, buttons.map(({ button }) => button))) };
  }

  function choice(list, value, label) {
    const select = element("select", { "aria-label": label }, list.map((name, place) => new Option(visible(name).map((node) => node.textContent).join(""), String(place))));
    select.value = String(value);
    return select;
  }

  let own = null;
  const usual = [...names.models.keys()].filter((model) => !names.guessers.includes(model));
  if (names.models.length > 1 && (names.models.length > 2 || names.conditions.length > 1 || !names.pairs.length)) {
    const standard = Math.max(0, names.conditions.indexOf("standard"));
    const [base, candidate] = usual.length > 1 ? usual : [0, 1];
    const selects = [choice(names.models, candidate, "Model"), choice(names.models, base, "Model it is set against"), choice(names.conditions, standard, "Condition")];
    own = line([base, candidate, standard], [selects[0], " against ", selects[1], ...(names.conditions.length > 1 ? [" under ", selects[2]] : [])]);
    own.selects = selects;
    for (const select of selects)
      select.addEventListener("change", () => {
        const cell = pressed && own.pair.every((value, place) => value === Number(pressed.split("-")[place])) ? pressed.split("-")[3] : "";
        own.pair.splice(0, 3, Number(selects[1].value), Number(selects[0].value), Number(selects[2].value));
        onChoose(cell ? [...own.pair, cell].join("-") : pressed);
      });
    rest.append(element("summary", {}, "any two models"), own.node);
  }
  const folded = lines.slice(SHOWN);
  if (folded.length) rest.prepend(...folded.map(({ node }) => node));
  const all = own ? [...lines, own] : lines;
  if (own || folded.length) {
    if (folded.length && !own) rest.prepend(element("summary", {}, `${folded.length} more`));
    if (!lines.length) rest.open = true;
  }
  container.hidden = !all.length;
  container.append(...lines.slice(0, SHOWN).map(({ node }) => node), ...(rest.childElementCount ? [rest] : []));

  return {
    pairs: () => all.map(({ pair }) => pair),
    // Before counting: a pair that has no line of its own takes the line with the choices.
    follow(key) {
      pressed = key;
      const [base, candidate, condition] = key.split("-").map(Number);
      if (!key || !own || lines.some(({ pair }) => pair[0] === base && pair[1] === candidate && pair[2] === condition)) return;
      own.pair.splice(0, 3, base, candidate, condition);
      own.selects.forEach((select, place) => (select.value = String([candidate, base, condition][place])));
      rest.open = true;
    },
    draw(counts) {
      all.forEach(({ pair, buttons }, place) => {
        for (const { cell, word, count, button } of buttons) {
          const number = counts[4 * place + CELLS.indexOf(cell)];
          const key = [...pair, cell].join("-");
          count.textContent = number.toLocaleString("en");
          button.disabled = !number && key !== pressed;
          button.setAttribute("aria-pressed", String(key === pressed));
          button.title = pairWords(names, { base: pair[0], candidate: pair[1], condition: pair[2], cell });
          button.setAttribute("aria-label", `${word} ${number}: ${button.title}`);
        }
      });
    },
  };
}
