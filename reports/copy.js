// One sample as JSON, with names instead of places.
import { element } from "./text.js";

function text(list) {
  if (!list) return null;
  return list.map(([kind, piece]) => (kind === "cut" ? `[… ${piece} characters not in this report …]` : piece)).join("");
}

function span(list) {
  let start = 0;
  for (const [kind, piece] of list ?? []) {
    if (kind === "mark") return [start, start + [...piece].length];
    start += kind === "cut" ? piece : [...piece].length;
  }
  return null;
}

function call({ role, card, model, asked, response, step, error, status, tokens }) {
  return { role, card, model, asked: text(asked), response: text(response), step: text(step), error: text(error), status, completion_tokens: tokens };
}

export function asJson(record, names) {
  const judged = (said) => (said ? { model: said[0], verdict: said[1], reason: said[2] } : null);
  const used = (counted) => (counted ? { prompt: counted[0], completion: counted[1], reasoning: counted[2] } : null);
  const value = {
    task: names.tasks[record.task],
    id: record.id,
    key: record.key,
    cluster: record.cluster ?? record.id,
    subsets: record.subsets.map(([column, label]) => ({ column, label })),
    question: record.question,
    choices: record.choices,
    target: text(record.target),
    target_shapes: record.target_shapes,
    prompts: record.views.map((view) => ({
      sent: view.labels.map(([condition, run, models]) => ({ condition, run: run || null, models: models.map((model) => names.models[model]) })),
      messages: view.messages.map(({ role, parts }) => ({ role, parts: parts.map((part) => (Array.isArray(part) ? text(part) : { media: part })) })),
      media: view.media.map(([sha256, width, height, kind, frame]) => ({ sha256, width, height, kind, frame })),
      image_size: view.size,
    })),
    answers: record.answers.map((answer) => ({
      model: names.models[answer.model],
      condition: names.conditions[answer.condition],
      repeat: answer.repeat,
      outcome: answer.outcome,
      score: answer.score ?? null,
      correct: answer.correct ?? null,
      scores: answer.scores ?? {},
      extracted: text(answer.extracted),
      extracted_span: span(answer.response),
      shapes: answer.shapes ?? [],
      response: text(answer.response),
      reasoning: text(answer.reasoning),
      finish_reason: answer.finish ?? null,
      error: text(answer.error),
      reason: answer.reason ?? null,
      verifier: answer.verifier ?? null,
      judge: judged(answer.judge),
      labels: answer.labels ?? [],
      calls: (answer.calls ?? []).map(call),
      tokens: used(answer.tokens),
      seconds: answer.seconds ?? null,
    })),
  };
  return JSON.stringify(value, null, 2);
}

// Where the clipboard is closed to the page, the text stands selected in a window, to be copied by hand.
export async function copyText(json, status) {
  try {
    await navigator.clipboard.writeText(json);
    status.textContent = "Copied";
  } catch {
    const area = element("textarea", { readonly: true, rows: 18, "aria-label": "The sample as JSON" });
    area.value = json;
    const close = element("button", { type: "button", class: "quiet" }, "Close");
    const sheet = element("dialog", { class: "copy", "aria-label": "Copy as JSON" }, element("p", {}, "The browser does not let this page use the clipboard. The text is selected: copy it with Ctrl+C (⌘C)."), area, close);
    close.addEventListener("click", () => sheet.close());
    sheet.addEventListener("close", () => sheet.remove());
    document.body.append(sheet);
    sheet.showModal();
    area.focus();
    area.select();
    status.textContent = "Copy by hand";
  }
}
