// The answers to a sample: a card each, in columns of models and rows of repeats, and the table over all conditions.
import { imageSource } from "./data.js";
import { element, pieces, plain, visible } from "./text.js";

const GLYPHS = { correct: "✓", wrong: "✗", graded: "●" };
const SHORT = 48;

export function glyph(answer) {
  if (answer.outcome === "no_answer") return ["∅", answer.correct ? "correct" : "wrong", "no answer"];
  if (answer.outcome !== "scored") return ["!", "failed", answer.outcome === "unscored" ? "not scored" : answer.outcome];
  const state = answer.correct === undefined ? "graded" : answer.correct ? "correct" : "wrong";
  return [GLYPHS[state], state, state === "graded" ? `score ${answer.score}` : state];
}

function line(name, ...content) {
  return element("div", { class: "line" }, element("dt", {}, name), element("dd", { dir: "auto" }, content));
}

function usage(answer) {
  const [prompted, completed, reasoned] = answer.tokens ?? [];
  const parts = [];
  if (completed !== null && completed !== undefined) parts.push(`${completed} tokens`);
  if (reasoned) parts.push(`${reasoned} of reasoning`);
  if (prompted !== null && prompted !== undefined) parts.push(`${prompted} in the prompt`);
  if (answer.seconds !== undefined) parts.push(`${answer.seconds} s`);
  if (answer.finish) parts.push(answer.finish === "length" ? "cut off at the token limit (length)" : `ended by ${answer.finish}`);
  return parts.join(" · ");
}

function fold(words, ...content) {
  return element("details", {}, element("summary", {}, words), content);
}

function text(list, more = "") {
  return element("div", { class: `text ${more}`.trim(), dir: "auto" }, pieces(list));
}

function labelWords({ source, label, value, perceived, by }) {
  const said = [label, perceived === undefined ? null : perceived ? "picture perceived" : "picture not perceived", value === undefined ? null : String(value)];
  return `${said.filter(Boolean).join(", ")} (${[source, by].filter(Boolean).join(", ")})`;
}

function callEntry(call) {
  const role = call.role === "judge" ? "Judge" : call.role === "model" ? "Model" : call.role;
  const head = [role, call.card, call.model, call.status, call.tokens === undefined ? null : `${call.tokens} tokens`].filter(Boolean).join(" · ");
  return element(
    "li",
    {},
    element("p", { class: "callhead" }, visible(head)),
    call.asked ? fold("Asked last", text(call.asked)) : null,
    call.response ? text(call.response) : element("p", { class: "muted" }, "No text."),
    call.step ? element("p", { class: "small" }, element("span", { class: "muted" }, "Step "), pieces(call.step)) : null,
    call.error ? element("p", { class: "small" }, element("span", { class: "muted" }, "Error "), pieces(call.error)) : null,
  );
}

function facts(answer, kind) {
  const list = element("dl", {});
  if (answer.extracted) list.append(line("Extracted", pieces(answer.extracted)));
  if (answer.score !== undefined && answer.outcome === "scored" && kind !== "graded") list.append(line("Score", String(answer.score)));
  const others = Object.entries(answer.scores ?? {}).filter(([name]) => name !== "score");
  if (others.length) list.append(line("Scores", others.map(([name, value], place) => [place ? " · " : null, visible(`${name} ${value}`)])));
  if (answer.reason) list.append(line("Reason", visible(answer.reason)));
  if (answer.error) list.append(line("Error", pieces(answer.error)));
  const [judge, verdict, why] = answer.judge ?? [];
  if (verdict) list.append(line("Judge", visible(`${verdict}${judge ? ` (${judge})` : ""}`)));
  if (why) list.append(line("Judge’s reason", visible(why)));
  for (const label of answer.labels ?? []) {
    list.append(line(label.label ? "Kind of error" : "Label", visible(labelWords(label))));
    if (label.reason) list.append(line("", visible(label.reason)));
  }
  if (answer.verifier) list.append(line("Verifier", visible(answer.verifier)));
  return list;
}

function card(answer, names, several) {
  const [sign, kind, words] = glyph(answer);
  const calls = answer.calls ?? [];
  const more = answer.more_calls ? element("p", { class: "muted small" }, `${answer.more_calls} more in calls.parquet`) : null;
  return element(
    "section",
    { class: `answer ${kind}` },
    element(
      "header",
      {},
      element("h5", {}, visible(names.models[answer.model])),
      several.repeat ? element("span", { class: "tag" }, `repeat ${answer.repeat + 1}`) : null,
      answer.finish === "length" ? element("span", { class: "tag warn" }, "truncated") : null,
      element("span", { class: `verdict ${kind}` }, `${sign} ${words}`),
    ),
    answer.reasoning ? fold("Reasoning", text(answer.reasoning)) : null,
    answer.response ? text(answer.response, "response") : element("p", { class: "muted" }, answer.error ? "No response." : "Empty response."),
    facts(answer, kind),
    calls.length ? fold(`Calls (${calls.length + (answer.more_calls ?? 0)})`, element("ol", { class: "calls" }, calls.map(callEntry)), more) : null,
    element("p", { class: "usage" }, visible(usage(answer))),
  );
}

// Columns are models, rows are repeats; an answer that is missing leaves its place empty.
export function answerGrid(answers, names, several) {
  const models = [...new Set(answers.map((answer) => answer.model))].sort((one, other) => one - other);
  const grid = element("div", { class: "answers" });
  if (models.length > 3) {
    grid.classList.add("wide");
    grid.tabIndex = 0;
    grid.setAttribute("role", "region");
    grid.setAttribute("aria-label", "Answers of all models");
  }
  grid.style.setProperty("--models", String(models.length));
  for (const answer of answers) {
    const made = card(answer, names, several);
    made.style.gridColumn = String(models.indexOf(answer.model) + 1);
    made.style.gridRow = String(answer.repeat + 1);
    grid.append(made);
  }
  return grid;
}

function short(answer) {
  const full = answer.extracted ? plain(answer.extracted) : answer.response ? plain(answer.response).trim() : (answer.reason ?? "");
  const line = full.replace(/\s+/g, " ");
  return line.length > SHORT ? `${line.slice(0, SHORT)}…` : line;
}

// All models under all conditions at a glance; the head of a column opens its condition below.
export function answerTable(record, names, conditions, shown, onCondition) {
  const heads = conditions.map((condition) => {
    const view = record.views.find((one) => one.labels.some(([name]) => name === names.conditions[condition]));
    const source = view?.media.length ? imageSource(view.media[0][0]) : null;
    const picture = source ? element("img", { src: source, alt: "", decoding: "async" }) : element("span", { class: "nopicture" }, view?.media.length ? "not stored" : "no picture");
    const button = element("button", { type: "button", class: "condition", "aria-pressed": String(condition === shown), "data-focus": `condition-${condition}` }, picture, element("span", {}, visible(names.conditions[condition])));
    button.addEventListener("click", () => onCondition(condition));
    return element("th", { scope: "col", class: condition === shown ? "shown" : null }, button);
  });
  const models = [...new Set(record.answers.map((answer) => answer.model))].sort((one, other) => one - other);
  const rows = models.map((model) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, visible(names.models[model])),
      conditions.map((condition) => {
        const own = record.answers.filter((answer) => answer.model === model && answer.condition === condition);
        const alike = new Map(); // repeats that say the same share a line
        for (const answer of own) {
          const name = JSON.stringify([glyph(answer), short(answer)]);
          alike.set(name, [answer, (alike.get(name)?.[1] ?? 0) + 1]);
        }
        const lines = [...alike.values()].map(([answer, times]) => {
          const [sign, kind, words] = glyph(answer);
          return element(
            "div",
            { class: "cellanswer" },
            element("span", { class: `state ${kind}`, role: "img", "aria-label": words, title: words }, sign),
            element("span", { dir: "auto" }, visible(short(answer))),
            times > 1 ? element("span", { class: "muted", title: `${times} repeats` }, `×${times}`) : null,
          );
        });
        return element("td", { class: condition === shown ? "shown" : null }, lines.length ? lines : "–");
      }),
    ),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Answers by model and condition" },
    element("table", { class: "overviewtable" }, element("caption", {}, "All conditions, with the picture as sent; choose one to see it below"), element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Model"), heads)), element("tbody", {}, rows)),
  );
}
