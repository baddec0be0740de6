// Decoding of the compressed index and blocks, and lookup of images. Blocks stay packed until one of their records is wanted.

const KEPT = 6; // unpacked blocks in memory

async function inflate(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < binary.length; place += 1) bytes[place] = binary.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

export function readNames() {
  return JSON.parse(document.getElementById("browser-data").textContent);
}

// A bundle has its data in files beside the page. Pages opened from disk may load scripts and nothing else, so each file calls mmevalBlock.
const beside = readNames().beside;
const arrivals = new Map(); // file -> what takes its text
const loading = new Map(); // file -> promise of its text
const pictures = new Map(); // hash of a picture beside the page -> suffix of its file

if (beside) {
  window.mmevalBlock = (name, text, found = {}) => {
    for (const [hash, suffix] of Object.entries(found)) pictures.set(hash, suffix);
    arrivals.get(name)?.(text);
  };
}

function load(name) {
  const known = loading.get(name);
  if (known) return known;
  const script = document.createElement("script");
  const promise = new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`data/${name}.js is missing or damaged`));
    arrivals.set(name, resolve);
    script.addEventListener("error", fail);
    script.addEventListener("load", fail); // too late to matter when the file has called
  }).finally(() => {
    script.remove();
    arrivals.delete(name);
    loading.delete(name);
  });
  loading.set(name, promise);
  script.src = `data/${name}.js`;
  document.head.append(script);
  return promise;
}

export async function readColumns() {
  const text = beside ? beside.blocks && (await load("index")) : document.getElementById("index").textContent;
  return text ? inflate(text) : null;
}

export function createStore(chunk) {
  const holders = [...document.querySelectorAll("script.block")];
  const recent = new Map();
  const unpack = async (number) =>
    inflate(beside ? await load(`chunk-${String(number + 1).padStart(beside.digits, "0")}`) : holders[number].textContent);

  // Records of a block; the ones that were wanted last stay at hand.
  function block(number) {
    const made = recent.get(number) ?? unpack(number);
    made.catch(() => recent.delete(number)); // tried again when it is wanted again
    recent.delete(number);
    recent.set(number, made);
    if (recent.size > KEPT) recent.delete(recent.keys().next().value);
    return made;
  }

  return {
    blocks: beside ? beside.blocks : holders.length,
    lazy: Boolean(beside), // nothing is read before it is wanted
    chunk,
    // Unpacks without keeping: for a pass over everything.
    read: (number) => recent.get(number) ?? unpack(number),
    async record(place) {
      return (await block(Math.floor(place / chunk)))[place % chunk];
    },
  };
}

export function imageSource(hash) {
  if (beside) return pictures.has(hash) ? `img/${hash}.${pictures.get(hash)}` : null;
  const holder = document.getElementById(`image-${hash}`);
  return holder ? `data:image/webp;base64,${holder.textContent}` : null;
}
