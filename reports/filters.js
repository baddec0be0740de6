// Which records match, and how many would under every value of every filter. Works on columns of numbers, never on texts.
// One answer of a record must satisfy all answer filters (model, condition, right or wrong, outcome, ending, kind of error) together.

export const OUTCOMES = ["scored", "no_answer", "unsupported", "unscored", "error"];
export const VERDICTS = ["", "correct", "wrong", "graded"];
export const CELLS = ["rr", "rw", "wr", "ww"];
export const FIELDS = ["text", "pair", "task", "subset", "condition", "model", "correct", "outcome", "finish", "kind", "disagree", "near"];
const OF_ANSWERS = ["model", "condition", "correct", "outcome", "finish"]; // one value each; kind may have several
const OF_RECORDS = ["task", "subset", "pair", "disagree", "text", "near"];
const UNSET = -3;
const NEVER = -2;

export function emptyFilters() {
  return Object.fromEntries(FIELDS.map((field) => [field, ""]));
}

// The name of a (column, label) or (group, text) in the address.
export function pairName([first, second]) {
  return `${first}\u0000${second}`;
}

function ragged(lists) {
  const start = new Uint32Array(lists.length + 1);
  lists.forEach((list, place) => (start[place + 1] = start[place] + list.length));
  const values = new Uint32Array(start[lists.length]);
  lists.forEach((list, place) => values.set(list, start[place]));
  return { start, values };
}

// `columns` as mmeval/reports/indexing.py writes them; `names` holds the lists of tasks, models and conditions.
export function openIndex(columns, names) {
  const size = columns.keys.length;
  const start = new Uint32Array(size + 1);
  columns.counts.forEach((count, place) => (start[place + 1] = start[place] + count));
  const kinds = Array.from({ length: columns.models.length }, () => []);
  for (const [answer, kind] of columns.kinds) kinds[answer].push(kind);
  const subsetNames = columns.subset_names.map(pairName);
  const kindNames = columns.kind_names.map(pairName);
  return {
    size,
    start,
    keys: columns.keys,
    ids: columns.ids,
    questions: columns.questions,
    task: Uint32Array.from(columns.tasks),
    cluster: Int32Array.from(columns.clusters),
    disagree: Uint8Array.from(columns.disagree),
    subset: ragged(columns.subsets),
    kind: ragged(kinds),
    model: Int16Array.from(columns.models),
    condition: Int16Array.from(columns.conditions),
    correct: Int8Array.from(columns.verdicts),
    outcome: Int8Array.from(columns.outcomes),
    finish: Int16Array.from(columns.finishes),
    places: new Map(columns.keys.map((key, place) => [key, place])),
    values: {
      task: names.tasks.map((_, place) => String(place)),
      model: names.models.map((_, place) => String(place)),
      condition: names.conditions.map((_, place) => String(place)),
      correct: VERDICTS,
      outcome: OUTCOMES,
      finish: columns.finish_names,
      subset: subsetNames,
      kind: kindNames,
    },
    labels: { subset: columns.subset_names, kind: columns.kind_names },
    sides: new Map(),
  };
}

// Right (1) or wrong (2) by the majority of a model's repeats under a condition, for every record; 0 where nothing was decided.
export function sideOf(index, model, condition) {
  const name = `${model}-${condition}`;
  let side = index.sides.get(name);
  if (side) return side;
  side = new Uint8Array(index.size);
  for (let record = 0; record < index.size; record += 1) {
    let right = 0;
    let decided = 0;
    for (let answer = index.start[record]; answer < index.start[record + 1]; answer += 1) {
      if (index.model[answer] !== model || index.condition[answer] !== condition) continue;
      const verdict = index.correct[answer];
      if (verdict === 1) right += 1;
      if (verdict === 1 || verdict === 2) decided += 1;
    }
    if (decided) side[record] = 2 * right >= decided ? 1 : 2;
  }
  index.sides.set(name, side);
  return side;
}

// A pair filter is BASELINE-CANDIDATE-CONDITION-CELL: places of the first three, and right or wrong of the two models.
export function readPair(text, index) {
  const match = /^(\d+)-(\d+)-(\d+)-([rw]{2})$/.exec(text);
  if (!match) return null;
  const [base, candidate, condition] = match.slice(1, 4).map(Number);
  const { model, condition: conditions } = index.values;
  if (base >= model.length || candidate >= model.length || condition >= conditions.length) return null;
  return { base, candidate, condition, cell: match[4] };
}

// The filters without values that this report does not have, and the names of those fields.
export function knownFilters(index, given) {
  const filters = emptyFilters();
  const unknown = [];
  for (const field of FIELDS) {
    const value = given[field];
    if (!value) continue;
    const values = index.values[field];
    const known = values ? values.includes(value) : field === "pair" ? readPair(value, index) : field === "near" ? index.places.has(value) : true;
    if (known) filters[field] = value;
    else unknown.push(field);
  }
  return { filters, unknown };
}

// One bit per record filter that a record fails.
function failures(index, filters, hits) {
  const fails = new Uint8Array(index.size);
  const mark = (field, passes) => {
    const bit = 1 << OF_RECORDS.indexOf(field);
    for (let record = 0; record < index.size; record += 1) if (!passes(record)) fails[record] |= bit;
  };
  if (filters.task) {
    const wanted = Number(filters.task);
    mark("task", (record) => index.task[record] === wanted);
  }
  if (filters.subset) {
    const wanted = index.values.subset.indexOf(filters.subset);
    const { start, values } = index.subset;
    mark("subset", (record) => {
      for (let place = start[record]; place < start[record + 1]; place += 1) if (values[place] === wanted) return true;
      return false;
    });
  }
  const pair = filters.pair && readPair(filters.pair, index);
  if (pair) {
    const one = sideOf(index, pair.base, pair.condition);
    const other = sideOf(index, pair.candidate, pair.condition);
    const [first, second] = [...pair.cell].map((letter) => (letter === "r" ? 1 : 2));
    mark("pair", (record) => one[record] === first && other[record] === second);
  }
  if (filters.disagree) mark("disagree", (record) => index.disagree[record] === 1);
  if (hits) mark("text", (record) => hits[record] === 1);
  if (filters.near) {
    const place = index.places.get(filters.near) ?? -1;
    const cluster = place < 0 ? -1 : index.cluster[place];
    mark("near", (record) => record === place || (cluster >= 0 && index.cluster[record] === cluster));
  }
  return fails;
}

// found: places of the records that match. counts: for every field an array over its values, of how many records match when
// that filter alone takes this value; `pair` over [pair × cell] of `pairs`, a list of [base, candidate, condition].
export function evaluate(index, filters, hits = null, pairs = []) {
  const fails = failures(index, filters, hits);
  const columns = OF_ANSWERS.map((field) => index[field]);
  const wanted = OF_ANSWERS.map((field) => {
    if (!filters[field]) return UNSET;
    const place = index.values[field].indexOf(filters[field]);
    return place < 0 ? NEVER : place;
  });
  const wantedKind = filters.kind ? index.values.kind.indexOf(filters.kind) : UNSET;
  const narrowed = wantedKind !== UNSET || wanted.some((value) => value !== UNSET);
  const table = (field) => new Int32Array(index.values[field].length);
  const counts = { disagree: 0, pair: new Int32Array(pairs.length * 4), task: table("task"), subset: table("subset"), kind: table("kind") };
  for (const field of OF_ANSWERS) counts[field] = table(field);
  const tallies = [...OF_ANSWERS, "kind"].map((field) => counts[field]);
  const seen = tallies.map((tally) => new Int32Array(tally.length).fill(-1)); // a record counts once for a value
  const kindBit = 1 << OF_ANSWERS.length;
  const sides = pairs.map(([base, candidate, condition]) => [sideOf(index, base, condition), sideOf(index, candidate, condition)]);
  const [TASK, SUBSET, PAIR, DISAGREE] = OF_RECORDS.map((_, place) => 1 << place);
  const found = new Uint32Array(index.size);
  let length = 0;

  const add = (field, value, record) => {
    if (value < 0 || seen[field][value] === record) return;
    seen[field][value] = record;
    tallies[field][value] += 1;
  };
  for (let record = 0; record < index.size; record += 1) {
    const failed = fails[record];
    if (failed & (failed - 1)) continue; // two filters: under no single change does it match
    let any = false;
    for (let answer = index.start[record]; answer < index.start[record + 1]; answer += 1) {
      let missed = 0;
      for (let field = 0; field < columns.length; field += 1)
        if (wanted[field] !== UNSET && columns[field][answer] !== wanted[field]) missed |= 1 << field;
      const first = index.kind.start[answer];
      const last = index.kind.start[answer + 1];
      if (wantedKind !== UNSET) {
        let has = false;
        for (let place = first; place < last; place += 1) if (index.kind.values[place] === wantedKind) has = true;
        if (!has) missed |= kindBit;
      }
      if (!missed) any = true;
      if (failed || missed & (missed - 1)) continue;
      for (let field = 0; field < columns.length; field += 1)
        if (!missed || missed === 1 << field) add(field, columns[field][answer], record);
      if (!missed || missed === kindBit) for (let place = first; place < last; place += 1) add(columns.length, index.kind.values[place], record);
    }
    if (narrowed && !any) continue;
    if (!failed) found[length++] = record;
    if (!failed || failed === TASK) counts.task[index.task[record]] += 1;
    if ((!failed || failed === DISAGREE) && index.disagree[record]) counts.disagree += 1;
    if (!failed || failed === SUBSET)
      for (let place = index.subset.start[record]; place < index.subset.start[record + 1]; place += 1) counts.subset[index.subset.values[place]] += 1;
    if (!failed || failed === PAIR)
      for (let place = 0; place < sides.length; place += 1) {
        const [one, other] = [sides[place][0][record], sides[place][1][record]];
        if (one && other) counts.pair[4 * place + 2 * (one - 1) + (other - 1)] += 1;
      }
  }
  counts.correct[0] = 0; // nothing was decided: no value of the filter
  return { found: found.slice(0, length), counts };
}

// How a model stands on a record under a condition: the numbers of its answers, right, wrong, graded, without an answer and failed.
export function standing(index, record, model, condition) {
  const made = { answers: 0, right: 0, wrong: 0, graded: 0, silent: 0, failed: 0 };
  for (let answer = index.start[record]; answer < index.start[record + 1]; answer += 1) {
    if (index.model[answer] !== model || index.condition[answer] !== condition) continue;
    made.answers += 1;
    const verdict = VERDICTS[index.correct[answer]];
    if (OUTCOMES[index.outcome[answer]] === "no_answer") made.silent += 1;
    else if (verdict === "correct") made.right += 1;
    else if (verdict === "wrong") made.wrong += 1;
    else if (verdict === "graded") made.graded += 1;
    else made.failed += 1;
  }
  return made;
}

// Places of the records of the same cluster, itself among them.
export function siblings(index, place) {
  const cluster = index.cluster[place];
  if (cluster < 0) return [place];
  const found = [];
  for (let record = 0; record < index.size; record += 1) if (index.cluster[record] === cluster) found.push(record);
  return found;
}
