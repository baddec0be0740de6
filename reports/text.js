// Untrusted text becomes text nodes only; characters that hide or reorder text are shown by their code point.

const INVISIBLE =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

// For attributes, which hold no elements.
export function shown(text) {
  return text.replace(INVISIBLE, (character) => `[U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

export function visible(text) {
  const nodes = [];
  let position = 0;
  for (const match of text.matchAll(INVISIBLE)) {
    if (match.index > position) nodes.push(document.createTextNode(text.slice(position, match.index)));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(element("span", { class: "invisible", title: "invisible character" }, `U+${code}`));
    position = match.index + match[0].length;
  }
  if (position < text.length) nodes.push(document.createTextNode(text.slice(position)));
  return nodes;
}

// Children are nodes, or strings of the page's own; untrusted strings go through visible() first.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, shown(String(value)));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// [kind, text] pairs, see excerpt() in mmeval/reports/corpus.py.
export function pieces(list) {
  return list.map(([kind, text]) => {
    if (kind === "cut") return element("span", { class: "cut" }, `… ${text.toLocaleString("en")} characters not shown …`);
    if (kind === "mark") return element("mark", { title: "read as the answer" }, visible(text));
    return visible(text);
  }).flat();
}

export function plain(list) {
  return list.filter(([kind]) => kind !== "cut").map(([, text]) => text).join("");
}
