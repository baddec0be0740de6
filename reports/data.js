// Decoding of the compressed blocks and lookup of images.

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

export function readNames() {
  return JSON.parse(document.getElementById("browser-data").textContent);
}

export async function readRecords(onProgress) {
  const blocks = [...document.querySelectorAll("script.block")];
  const records = [];
  for (const [index, block] of blocks.entries()) {
    records.push(...(await inflate(block.textContent)));
    block.remove();
    onProgress((index + 1) / blocks.length);
  }
  return records;
}

export function imageSource(hash) {
  const holder = document.getElementById(`image-${hash}`);
  return holder ? `data:image/webp;base64,${holder.textContent}` : null;
}
