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

export async function readColumns() {
  const text = document.getElementById("index").textContent;
  return text ? inflate(text) : null;
}

export function createStore(chunk) {
  const holders = [...document.querySelectorAll("script.block")];
  const recent = new Map();

  // Records of a block; the ones that were wanted last stay at hand.
  function block(number) {
    const made = recent.get(number) ?? inflate(holders[number].textContent);
    recent.delete(number);
    recent.set(number, made);
    if (recent.size > KEPT) recent.delete(recent.keys().next().value);
    return made;
  }

  return {
    blocks: holders.length,
    chunk,
    // Unpacks without keeping: for a pass over everything.
    read: (number) => recent.get(number) ?? inflate(holders[number].textContent),
    async record(place) {
      return (await block(Math.floor(place / chunk)))[place % chunk];
    },
  };
}

export function imageSource(hash) {
  const holder = document.getElementById(`image-${hash}`);
  return holder ? `data:image/webp;base64,${holder.textContent}` : null;
}
