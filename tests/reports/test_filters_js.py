"""The filters and the geometry of the sample browser against plain loops, in node."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mmeval.core.resources import resource_dir

NAMES = "{ tasks: ['t0', 't1'], models: ['a', 'b', 'c'], conditions: ['standard', 'blind'] }"

COLUMNS = """
let seed = 7;
const draw = (below) => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor((seed / 2147483648) * below); };
const size = 300;
const columns = {
  chunk: 100, keys: [], ids: [], tasks: [], questions: [], clusters: [], disagree: [], subsets: [], counts: [], models: [], conditions: [],
  outcomes: [], verdicts: [], finishes: [], kinds: [], subset_names: [["s", "x"], ["s", "y"], ["u", "x"]], finish_names: ["stop", "length"],
  kind_names: [["label", "perception"], ["reason", "empty"]],
};
const records = [];
for (let place = 0; place < size; place += 1) {
  const record = { task: draw(2), cluster: draw(60) - 5, disagree: draw(2), subsets: [0, 1, 2].filter(() => draw(3) === 0), hit: draw(3) === 0, answers: [] };
  for (let count = draw(8); count; count -= 1)
    record.answers.push({ model: draw(3), condition: draw(2), outcome: draw(5), correct: draw(4), finish: draw(3) - 1, kind: [0, 1].filter(() => draw(4) === 0) });
  records.push(record);
  columns.keys.push(`k${place}`); columns.ids.push(`i${place}`); columns.questions.push(""); columns.tasks.push(record.task);
  columns.clusters.push(record.cluster < 0 ? -1 : record.cluster); columns.disagree.push(record.disagree); columns.subsets.push(record.subsets);
  columns.counts.push(record.answers.length);
  for (const answer of record.answers) {
    for (const kind of answer.kind) columns.kinds.push([columns.models.length, kind]);
    columns.models.push(answer.model); columns.conditions.push(answer.condition); columns.outcomes.push(answer.outcome);
    columns.verdicts.push(answer.correct); columns.finishes.push(answer.finish);
  }
}
const index = openIndex(columns, NAMES);
const hits = Uint8Array.from(records, (record) => Number(record.hit));
const one = ["model", "condition", "correct", "outcome", "finish"];
function side(record, model, condition) {
  const decided = record.answers.filter((answer) => answer.model === model && answer.condition === condition && (answer.correct === 1 || answer.correct === 2));
  return decided.length ? (2 * decided.filter((answer) => answer.correct === 1).length >= decided.length ? "r" : "w") : "";
}
function fits(record, place, filters) {
  const at = (field) => index.values[field].indexOf(filters[field]);
  if (filters.task && record.task !== Number(filters.task)) return false;
  if (filters.subset && !record.subsets.includes(at("subset"))) return false;
  if (filters.disagree && !record.disagree) return false;
  if (filters.text && !record.hit) return false;
  if (filters.near && !(columns.keys[place] === filters.near || (record.cluster >= 0 && record.cluster === records[index.places.get(filters.near)].cluster))) return false;
  if (filters.pair) {
    const [base, candidate, condition, cell] = filters.pair.split("-");
    if (side(record, +base, +condition) + side(record, +candidate, +condition) !== cell) return false;
  }
  if (![...one, "kind"].some((field) => filters[field])) return true;
  return record.answers.some((answer) => one.every((field) => !filters[field] || answer[field] === at(field)) && (!filters.kind || answer.kind.includes(at("kind"))));
}
const count = (filters) => records.filter((record, place) => fits(record, place, filters)).length;
const pairs = [[0, 1, 0], [2, 0, 1]];
let tried = 0;
for (let round = 0; round < 400; round += 1) {
  const filters = emptyFilters();
  for (const field of ["task", "subset", "kind", ...one]) {
    const values = index.values[field].filter(Boolean);
    if (draw(4) === 0) filters[field] = values[draw(values.length)];
  }
  if (draw(5) === 0) filters.disagree = "1";
  if (draw(5) === 0) filters.text = "anything";
  if (draw(6) === 0) filters.near = columns.keys[draw(size)];
  if (draw(4) === 0) filters.pair = [...pairs[draw(2)], CELLS[draw(4)]].join("-");
  const { found, counts } = evaluate(index, filters, filters.text ? hits : null, pairs);
  assert.deepEqual([...found], records.flatMap((record, place) => (fits(record, place, filters) ? [place] : [])));
  for (const field of ["task", "subset", "kind", ...one])
    index.values[field].forEach((value, place) => { if (value) { tried += 1; assert.equal(counts[field][place], count({ ...filters, [field]: value }), `${field} ${value} of ${JSON.stringify(filters)}`); } });
  assert.equal(counts.disagree, count({ ...filters, disagree: "1" }));
  pairs.forEach((pair, place) => CELLS.forEach((cell, number) => assert.equal(counts.pair[4 * place + number], count({ ...filters, pair: [...pair, cell].join("-") }))));
}
assert.ok(tried > 5000);
const { filters, unknown } = knownFilters(index, { ...emptyFilters(), task: "1", model: "9", pair: "0-1-0-rw", near: "gone", finish: "length", subset: "s\\u0000x" });
assert.deepEqual(unknown.sort(), ["model", "near"]);
assert.deepEqual([filters.task, filters.pair, filters.finish, filters.subset], ["1", "0-1-0-rw", "length", "s\\u0000x"]);
assert.equal(readPair("0-1-0-rx", index), null);
assert.equal(readPair("0-1-5-rw", index), null);
for (let place = 0; place < size; place += 7) {
  const mates = records.flatMap((record, other) => (other === place || (record.cluster >= 0 && record.cluster === records[place].cluster) ? [other] : []));
  assert.deepEqual(siblings(index, place), mates);
}
const stood = standing(openIndex({ ...columns, keys: ["k"], counts: [4], models: [0, 0, 0, 1], conditions: [0, 0, 0, 0], outcomes: [0, 1, 4, 0], verdicts: [1, 2, 0, 1], finishes: [0, 0, 0, 0], kinds: [] }, NAMES), 0, 0, 0);
assert.deepEqual(stood, { answers: 3, right: 1, wrong: 0, graded: 0, silent: 1, failed: 1 });
"""

GEOMETRY = """
assert.equal(overlap([0, 0, 10, 10], [5, 0, 15, 10]), 50 / 150);
assert.equal(overlap([10, 10, 0, 0], [0, 0, 10, 10]), 1, "corners in any order");
assert.equal(overlap([0, 0, 1, 1], [2, 2, 3, 3]), 0);
assert.equal(overlap([1, 1, 1, 1], [1, 1, 1, 1]), 0, "no area");
assert.equal(distance([5, 5], [0, 0, 10, 10]), 0);
assert.equal(distance([13, 14], [0, 0, 10, 10]), 5);
assert.equal(distance([0, 0], [3, 4]), 5);
assert.equal(measure([[0, 0, 10, 10]], [[0, 0, 10, 5]]), "IoU 0.500");
assert.equal(measure([[0, 0, 10, 10], [20, 0, 30, 10]], [[20, 0, 30, 10], [50, 50, 60, 60]]), "IoU 1.000, 0.000");
assert.equal(measure([[0, 0, 10, 10], [5, 5]], [[5, 5]]), "inside");
assert.equal(measure([[0, 0]], [[3, 4]]), "5.0 px away");
assert.equal(measure([], [[3, 4]]), "");
assert.equal(measure([[0, 0, 1, 0, 1, 1]], [[0, 0, 1, 1]]), "", "outlines have no measure here");
"""


def run_in_node(module: str, script: str) -> None:
    """Run assertions behind the text of a module that imports nothing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the path (apt-get install -y nodejs)")
    source = (resource_dir("reports") / module).read_text(encoding="utf-8")
    whole = f'import assert from "node:assert/strict";\n{source}\n{script}'
    done = subprocess.run([node, "--input-type=module", "-"], input=whole, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]


def test_filters_find_and_count_what_a_plain_loop_finds() -> None:
    run_in_node("filters.js", COLUMNS.replace("NAMES", NAMES))


def test_overlaps_and_distances() -> None:
    run_in_node("geometry.js", GEOMETRY)
