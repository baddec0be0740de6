// One sample: media, prompt as sent, target, and the answers of all models side by side.
import { imageSource } from "./data.js";
import { glyph } from "./list.js";
import { createOverlay } from "./overlay.js";
import { element, pieces, visible } from "./text.js";

function media(record, view, names, answers) {
  const figures = view.media.map(([hash, width, height, kind], index) => {
    const source = imageSource(hash);
    const name = `${kind === "frame" ? "Frame" : "Image"} ${index + 1}`;
    const caption = element("figcaption", {}, `${view.media.length > 1 ? `${name} · ` : ""}${width} × ${height} px as sent`);
    if (!source) return element("figure", {}, element("div", { class: "noimage" }, "not stored with this run"), caption);
    const image = element("img", { src: source, alt: `${name} of the sample`, decoding: "async" });
    image.style.aspectRatio = `${width} / ${height}`;
    const frame = element("div", { class: "frame" }, image);
    const most = view.media.length > 1 ? 184 : 400;
    frame.style.width = `${Math.round(Math.min(most, 2 * width, (most * 1.05 * width) / height))}px`;
    const drawn = index === 0 ? createOverlay(record, names, answers, view.size ?? [width, height]) : null;
    if (drawn) frame.append(drawn[0]);
    return element("figure", {}, frame, caption, drawn ? drawn[1] : null);
  });
  return figures.length ? element("div", { class: view.media.length > 1 ? "media strip" : "media" }, figures) : null;
}

function prompt(view) {
  const turns = view.messages.map((message) =>
    element(
      "div",
      { class: "turn" },
      element("span", { class: "role" }, visible(message.role)),
      element(
        "div",
        { class: "text", dir: "auto" },
        message.parts.map((part) => (Array.isArray(part) ? pieces(part) : element("span", { class: "placeholder" }, `${view.media.every((entry) => entry[3] === "image") ? "image" : "media"} ${part + 1}`))).flat(),
      ),
    ),
  );
  return element("section", {}, element("h4", {}, "Prompt as sent"), turns);
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
  if (answer.finish) parts.push(`ended by ${answer.finish}`);
  return parts.join(" · ");
}

function answerCard(record, answer, names, several) {
  const [sign, kind, words] = glyph(answer);
  const score = answer.score !== undefined && answer.outcome === "scored" ? `score ${answer.score}` : "";
  const head = element(
    "header",
    {},
    element("h5", {}, visible(names.models[answer.model])),
    several.condition ? element("span", { class: "tag" }, visible(names.conditions[answer.condition])) : null,
    several.repeat ? element("span", { class: "tag" }, `repeat ${answer.repeat + 1}`) : null,
    element("span", { class: `verdict ${kind}` }, `${sign} ${words}`),
  );
  const facts = element("dl", {});
  if (answer.extracted) facts.append(line("Extracted", pieces(answer.extracted)));
  if (score && kind !== "graded") facts.append(line("Score", score.slice(6)));
  const others = Object.entries(answer.scores ?? {}).filter(([name]) => name !== "score");
  if (others.length) facts.append(line("Scores", others.map(([name, value]) => visible(`${name} ${value}`)).reduce((all, part) => [...all, ...(all.length ? [" · "] : []), ...part], [])));
  if (answer.reason) facts.append(line("Reason", visible(answer.reason)));
  if (answer.error) facts.append(line("Error", pieces(answer.error)));
  const [judge, verdict, why] = answer.judge ?? [];
  if (verdict) facts.append(line("Judge", visible(`${verdict}${judge ? ` (${judge})` : ""}`)));
  if (why) facts.append(line("Judge’s reason", visible(why)));
  if (answer.verifier) facts.append(line("Verifier", visible(answer.verifier)));
  return element(
    "section",
    { class: `answer ${kind}` },
    head,
    answer.reasoning ? element("details", {}, element("summary", {}, "Reasoning"), element("div", { class: "text", dir: "auto" }, pieces(answer.reasoning))) : null,
    answer.response ? element("div", { class: "text response", dir: "auto" }, pieces(answer.response)) : element("p", { class: "muted" }, answer.error ? "No response." : "Empty response."),
    facts,
    element("p", { class: "usage" }, visible(usage(answer))),
  );
}

// Condition and run of a prompt, and its models where others were asked in another way under the same condition.
function viewName(record, [condition, run, models], names) {
  const alike = record.views.filter((view) => view.labels.some((label) => label[0] === condition && label[1] === run));
  const parts = [condition, run].filter(Boolean).join(", ");
  return alike.length > 1 ? `${parts}: ${models.map((model) => names.models[model]).join(", ")}` : parts;
}

function body(record, view, names, several) {
  const own = record.answers.filter((answer) => view.labels.some(([condition, , models]) => names.conditions[answer.condition] === condition && models.includes(answer.model)));
  const choices = record.choices.length
    ? element("ol", { class: "choices", type: "A" }, record.choices.map((choice) => element("li", { dir: "auto" }, visible(choice))))
    : null;
  return [
    several.view ? element("h4", { class: "viewname" }, visible(view.labels.map((label) => viewName(record, label, names)).join(" · "))) : null,
    element(
      "div",
      { class: "question-area" },
      media(record, view, names, own),
      element(
        "div",
        {},
        prompt(view),
        choices ? element("section", {}, element("h4", {}, "Choices"), choices) : null,
        element("section", {}, element("h4", {}, "Target"), element("div", { class: "text target", dir: "auto" }, record.target ? pieces(record.target) : "withheld")),
      ),
    ),
    element("div", { class: "answers" }, own.map((answer) => answerCard(record, answer, names, several))),
  ];
}

export function showDetail(record, names, position, total, onMove) {
  const article = document.getElementById("detail");
  const several = {
    condition: names.conditions.length > 1,
    repeat: record.answers.some((answer) => answer.repeat > 0),
    view: record.views.length > 1,
  };
  const previous = element("button", { type: "button", class: "quiet", "aria-label": "Previous sample" }, "←");
  const next = element("button", { type: "button", class: "quiet", "aria-label": "Next sample" }, "→");
  previous.disabled = position === 0;
  next.disabled = position === total - 1;
  previous.addEventListener("click", () => onMove(-1));
  next.addEventListener("click", () => onMove(1));
  const head = element(
    "header",
    { class: "detailhead" },
    element("div", {}, element("h3", {}, visible(record.id)), element("p", { class: "muted" }, visible(names.tasks[record.task]), record.cluster ? [" · cluster ", ...visible(record.cluster)] : null)),
    element("div", { class: "pager" }, element("span", { class: "muted" }, `${(position + 1).toLocaleString("en")} of ${total.toLocaleString("en")}`), previous, next),
  );
  const chips = record.subsets.length
    ? element("p", { class: "chips" }, record.subsets.map(([column, label]) => element("span", { class: "tag" }, element("span", { class: "muted" }, visible(column), " "), visible(label))))
    : null;
  const views = record.views.length ? record.views : [{ labels: names.conditions.map((condition) => [condition, "", [...names.models.keys()]]), messages: [], media: [], size: null }];
  article.replaceChildren(head, ...(chips ? [chips] : []), ...views.flatMap((view) => body(record, view, names, several)).filter(Boolean));
  article.scrollTop = 0;
}

export function showNothing() {
  document.getElementById("detail").replaceChildren(element("p", { class: "muted nothing" }, "No sample matches these filters."));
}
