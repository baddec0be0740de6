// Search in all texts: one lower-case text per block, made in the background in slices, so that typing never waits.
import { plain } from "./text.js";

const SLICE_MS = 12;
const KEPT = 250_000_000; // characters that stay in memory; what is beyond is read again for every search

// Gives way to keys and drawing.
function pause() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(0);
  });
}

function haystack(record) {
  const parts = [record.id, record.question, ...record.choices];
  const add = (list) => {
    if (list) parts.push(plain(list));
  };
  add(record.target);
  for (const view of record.views) for (const message of view.messages) for (const part of message.parts) if (Array.isArray(part)) add(part);
  for (const answer of record.answers) {
    for (const field of ["response", "reasoning", "extracted", "error"]) add(answer[field]);
    if (answer.reason) parts.push(answer.reason);
    for (const said of answer.judge ?? []) if (said) parts.push(said);
    for (const label of answer.labels ?? []) parts.push(label.label ?? "", label.reason ?? "");
    for (const call of answer.calls ?? []) add(call.response);
  }
  return parts.join("\n").toLowerCase();
}

function buffer(records) {
  const ends = new Uint32Array(records.length);
  const texts = records.map(haystack);
  let length = 0;
  texts.forEach((text, place) => {
    length += text.length + 1;
    ends[place] = length;
  });
  return { text: `${texts.join("\n")}\n`, ends };
}

// `within`: the only records that can contain it, null for all.
function mark({ text, ends }, needle, hits, first, within) {
  if (within) {
    for (let record = 0; record < ends.length; record += 1)
      if (within[first + record] && text.slice(record ? ends[record - 1] : 0, ends[record]).includes(needle)) hits[first + record] = 1;
    return;
  }
  let record = 0;
  for (let place = text.indexOf(needle); place >= 0; place = text.indexOf(needle, ends[record - 1])) {
    while (ends[record] <= place) record += 1;
    hits[first + record] = 1;
    record += 1;
    if (record === ends.length) return;
  }
}

export function createSearch(store, size) {
  const buffers = [];
  const waiting = [];
  let failure = null;
  let before = null; // the last search: what contains a longer text contains its part
  let started = false;
  let kept = 0; // characters in memory

  async function prepare() {
    if (started) return;
    started = true;
    try {
      for (let block = 0; block < store.blocks; block += 1) {
        const records = await store.read(block);
        await pause();
        const made = buffer(records);
        kept += made.text.length;
        buffers.push(kept < KEPT ? made : null);
        for (const wake of waiting.splice(0)) wake();
        await pause();
      }
    } catch (error) {
      failure = error;
      for (const wake of waiting.splice(0)) wake();
    }
  }

  async function until(block) {
    while (buffers.length <= block) {
      if (failure) throw failure;
      await new Promise((resolve) => waiting.push(resolve));
    }
  }

  return {
    prepare,
    // Which records contain the text, in any case; null where `isStale()` says that nobody wants to know any more.
    async find(text, isStale, onProgress) {
      const needle = text.toLowerCase();
      const hits = new Uint8Array(size);
      prepare();
      const within = before && needle.includes(before.needle) ? before.hits : null;
      let since = performance.now();
      for (let block = 0; block < store.blocks; block += 1) {
        if (buffers.length <= block) {
          onProgress(block / store.blocks);
          await until(block);
          since = performance.now();
        } else if (performance.now() - since > SLICE_MS) {
          await pause();
          since = performance.now();
        }
        if (isStale()) return null;
        mark(buffers[block] ?? buffer(await store.read(block)), needle, hits, block * store.chunk);
      }
      before = { needle, hits };
      return hits;
    },
  };
}
