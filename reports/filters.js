// Which records match. One answer of a record must satisfy all answer filters (model, outcome, right or wrong) together.
import { plain } from "./text.js";

export const FIELDS = ["text", "task", "model", "outcome", "correct", "subset", "pair", "disagree"];

export function emptyFilters() {
  return { text: "", task: "", model: "", outcome: "", correct: "", subset: "", pair: "", disagree: "" };
}

const haystacks = new WeakMap();

function haystack(record) {
  let text = haystacks.get(record);
  if (text === undefined) {
    const parts = [record.id, record.question, ...record.choices];
    if (record.target) parts.push(plain(record.target));
    for (const view of record.views)
      for (const message of view.messages)
        for (const part of message.parts) if (Array.isArray(part)) parts.push(plain(part));
    for (const answer of record.answers)
      for (const field of ["response", "reasoning", "extracted", "error"]) if (answer[field]) parts.push(plain(answer[field]));
    text = parts.join("\n").toLowerCase();
    haystacks.set(record, text);
  }
  return text;
}

export function answerState(answer) {
  if (answer.outcome !== "scored" && answer.outcome !== "no_answer") return "";
  if (answer.correct === undefined) return answer.outcome === "no_answer" ? "wrong" : "graded";
  return answer.correct ? "correct" : "wrong";
}

function answerMatches(answer, filters, except) {
  return (
    (except === "model" || !filters.model || answer.model === Number(filters.model)) &&
    (except === "outcome" || !filters.outcome || answer.outcome === filters.outcome) &&
    (except === "correct" || !filters.correct || answerState(answer) === filters.correct)
  );
}

export function subsetKey([column, label]) {
  return `${column}\u0000${label}`;
}

// Right (r) or wrong (w) by the majority of a model's repeats under a condition; empty where nothing was decided.
function side(record, model, condition) {
  const states = record.answers.filter((answer) => answer.model === model && answer.condition === condition).map(answerState);
  const decided = states.filter((state) => state === "correct" || state === "wrong");
  if (!decided.length) return "";
  return 2 * decided.filter((state) => state === "correct").length >= decided.length ? "r" : "w";
}

// A pair filter is BASELINE-CANDIDATE-CONDITION-CELL: places of the first three, and right or wrong of the two models.
function isPair(record, key) {
  const [base, candidate, condition, cell] = key.split("-");
  return side(record, Number(base), Number(condition)) + side(record, Number(candidate), Number(condition)) === cell;
}

export function matches(record, filters, except = "") {
  if (except !== "task" && filters.task && record.task !== Number(filters.task)) return false;
  if (except !== "disagree" && filters.disagree && !record.disagree) return false;
  if (except !== "pair" && filters.pair && !isPair(record, filters.pair)) return false;
  if (except !== "subset" && filters.subset && !record.subsets.some((pair) => subsetKey(pair) === filters.subset)) return false;
  const narrowed = filters.model || filters.outcome || filters.correct;
  if (narrowed && !record.answers.some((answer) => answerMatches(answer, filters, except))) return false;
  return !filters.text || haystack(record).includes(filters.text.toLowerCase());
}

// For every value of every filter: how many records match when that filter alone takes this value.
export function countValues(records, filters, pairs) {
  const counts = { task: new Map(), model: new Map(), outcome: new Map(), correct: new Map(), subset: new Map(), pair: new Map(), disagree: new Map() };
  const add = (map, keys) => {
    for (const key of new Set(keys)) map.set(key, (map.get(key) ?? 0) + 1);
  };
  for (const record of records) {
    if (matches(record, filters, "task")) add(counts.task, [String(record.task)]);
    if (record.disagree && matches(record, filters, "disagree")) add(counts.disagree, ["1"]);
    if (pairs.length && matches(record, filters, "pair")) add(counts.pair, pairs.filter((key) => isPair(record, key)));
    if (matches(record, filters, "subset")) add(counts.subset, record.subsets.map(subsetKey));
    for (const [field, value] of [
      ["model", (answer) => String(answer.model)],
      ["outcome", (answer) => answer.outcome],
      ["correct", answerState],
    ]) {
      if (!matches(record, filters, field)) continue;
      const fitting = record.answers.filter((answer) => answerMatches(answer, filters, field));
      add(counts[field], fitting.map(value).filter(Boolean));
    }
  }
  return counts;
}
