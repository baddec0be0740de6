// One sample: media, prompt as sent, target, and the answers of all models, conditions and repeats.
import { answerGrid, answerTable } from "./answers.js";
import { asJson, copyText } from "./copy.js";
import { media } from "./media.js";
import { modelLine, sampleLine } from "./overlay.js";
import { element, pieces, visible } from "./text.js";

const SIBLINGS = 8;

function prompt(view) {
  const pictures = view.media.every((entry) => entry[3] === "image");
  const turns = view.messages.map((message) =>
    element(
      "div",
      { class: "turn" },
      element("span", { class: "role" }, visible(message.role)),
      element("div", { class: "text", dir: "auto" }, message.parts.map((part) => (Array.isArray(part) ? pieces(part) : element("span", { class: "placeholder" }, `${pictures ? "image" : "media"} ${part + 1}`)))),
    ),
  );
  return element("section", {}, element("h4", {}, "Prompt as sent"), turns);
}

// Condition and run of a prompt, and its models where others were asked in another way under the same condition.
function viewName(record, [condition, run, models], names) {
  const alike = record.views.filter((view) => view.labels.some((label) => label[0] === condition && label[1] === run));
  const parts = [condition, run].filter(Boolean).join(", ");
  return alike.length > 1 ? `${parts}: ${models.map((model) => names.models[model]).join(", ")}` : parts;
}

function body(record, view, names, several, { only, condition }) {
  const name = names.conditions[condition];
  const asked = view.labels.filter((label) => label[0] === name);
  const own = record.answers.filter((answer) => answer.condition === condition && (only < 0 || answer.model === only) && asked.some((label) => label[2].includes(answer.model)));
  const choices = record.choices.length
    ? element("ol", { class: "choices", type: "A" }, record.choices.map((choice) => element("li", { dir: "auto" }, visible(choice))))
    : null;
  return [
    several.view ? element("h4", { class: "viewname" }, visible([...new Set(asked.map((label) => viewName(record, label, names)))].join(" · "))) : null,
    element(
      "div",
      { class: "question-area" },
      media(record, view, names, own),
      element(
        "div",
        {},
        prompt(view),
        choices ? element("section", {}, element("h4", {}, "Choices"), choices) : null,
        element("section", {}, element("h4", {}, "Gold answer"), element("div", { class: "text target", dir: "auto" }, record.target ? pieces(record.target) : "withheld")),
      ),
    ),
    own.length ? answerGrid(own, names, several) : element("p", { class: "muted nothing" }, "No answer here."),
  ];
}

function modelBar(record, names, only, onOnly) {
  const asked = new Set(record.answers.map((answer) => answer.model));
  if (names.models.length < 2) return null;
  const buttons = names.models.map((name, model) => {
    const button = element("button", { type: "button", class: "chip", "aria-pressed": String(model === only), "data-focus": `model-${model}`, title: "Show this model alone, or all again" }, model < 9 ? element("kbd", {}, String(model + 1)) : null, sampleLine(...modelLine(names, model)), element("span", {}, visible(name)));
    button.disabled = !asked.has(model);
    button.addEventListener("click", () => onOnly(model));
    return button;
  });
  return element("div", { class: "chips models", role: "group", "aria-label": "Models" }, buttons);
}

function siblingLine(record, siblings, on) {
  if (siblings.length < 2 && !record.cluster) return null;
  const others = siblings.filter(({ key }) => key !== record.key);
  const links = others.slice(0, SIBLINGS).map(({ key, id }) => {
    const link = element("button", { type: "button", class: "textlink", dir: "auto" }, visible(id));
    link.addEventListener("click", () => on.open(key));
    return link;
  });
  const all = element("button", { type: "button", class: "textlink" }, others.length > SIBLINGS ? `all ${siblings.length.toLocaleString("en")} in the list` : "list them");
  all.addEventListener("click", () => on.near(record.key));
  return element("p", { class: "siblings" }, element("span", { class: "muted" }, "Cluster ", visible(record.cluster ?? record.id), others.length ? ": also " : ": no other sample here"), links, others.length ? all : null);
}

function pager(position, total, on) {
  const previous = element("button", { type: "button", class: "quiet", "aria-label": "Previous sample", "data-focus": "previous" }, "←");
  const next = element("button", { type: "button", class: "quiet", "aria-label": "Next sample", "data-focus": "next" }, "→");
  previous.disabled = position === 0;
  next.disabled = position === total - 1;
  previous.addEventListener("click", () => on.move(-1));
  next.addEventListener("click", () => on.move(1));
  return element("div", { class: "pager" }, element("span", { class: "muted" }, `${(position + 1).toLocaleString("en")} of ${total.toLocaleString("en")}`), previous, next);
}

function copier(record, names) {
  const status = element("output", { class: "muted small" });
  const button = element("button", { type: "button", class: "quiet", id: "copy", "data-focus": "copy" }, "Copy as JSON");
  button.addEventListener("click", () => copyText(asJson(record, names), status));
  return [button, status];
}

// Conditions under which the sample was asked, by their places.
export function conditionsOf(record, names) {
  const answered = new Set(record.answers.map((answer) => answer.condition));
  for (const view of record.views) for (const [name] of view.labels) answered.add(names.conditions.indexOf(name));
  return [...answered].filter((place) => place >= 0).sort((one, other) => one - other);
}

// `shown`: { record, position, total, only, condition, siblings }; `on`: move, open, near, only, condition.
export function showDetail(names, shown, on) {
  const { record, position, total, only, condition, siblings } = shown;
  const article = document.getElementById("detail");
  const focus = article.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const conditions = conditionsOf(record, names);
  const none = { labels: names.conditions.map((name) => [name, "", [...names.models.keys()]]), messages: [], media: [], size: null };
  const views = record.views.filter((view) => view.labels.some(([name]) => name === names.conditions[condition]));
  const several = {
    repeat: record.answers.some((answer) => answer.repeat > 0),
    view: views.length > 1 || conditions.length > 1,
  };
  const head = element(
    "header",
    { class: "detailhead" },
    element("div", {}, element("h3", { dir: "auto" }, visible(record.id)), element("p", { class: "muted" }, visible(names.tasks[record.task]))),
    element("div", { class: "tools" }, copier(record, names), pager(position, total, on)),
  );
  const subsets = record.subsets.length
    ? element("p", { class: "chips" }, record.subsets.map(([column, label]) => element("span", { class: "tag" }, element("span", { class: "muted" }, visible(column), " "), visible(label))))
    : null;
  const made = [
    head,
    subsets,
    siblingLine(record, siblings, on),
    modelBar(record, names, only, on.only),
    conditions.length > 1 ? answerTable(record, names, conditions, condition, on.condition) : null,
    ...(views.length ? views : [none]).flatMap((view) => body(record, view, names, several, { only, condition })),
  ];
  article.replaceChildren(...made.filter(Boolean));
  if (focus) article.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

export function showNothing(onClear) {
  const button = element("button", { type: "button", class: "quiet" }, "Clear all filters");
  button.addEventListener("click", onClear);
  document.getElementById("detail").replaceChildren(element("div", { class: "muted nothing" }, element("p", {}, "No sample matches these filters."), button));
}
