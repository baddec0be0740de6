// Pictures and frames as they were sent, with what is drawn on them.
import { imageSource } from "./data.js";
import { createOverlay } from "./overlay.js";
import { element } from "./text.js";
import { openZoom } from "./zoom.js";

const ALONE = 400; // pixels of the longer side on the page
const AMONG = 184;

// Coordinates lie on the picture where it still has the shape of the original.
function placed(view, names) {
  const [, width, height] = view.media[0];
  if (!view.size) return true;
  if (view.labels.some(([condition]) => names.moved.includes(names.conditions.indexOf(condition)))) return false;
  return Math.abs(Math.log((width * view.size[1]) / (height * view.size[0]))) < 0.06;
}

function shot(view, place) {
  const [hash, width, height, kind, frame] = view.media[place];
  const numbered = kind === "frame" ? `Frame ${frame === null || frame === undefined ? place + 1 : frame}` : `Image ${place + 1}`;
  return { name: view.media.length > 1 ? numbered : "Image", source: imageSource(hash), width, height, hash };
}

export function media(record, view, names, answers) {
  if (!view.media.length) return null;
  const fits = placed(view, names);
  const draw = (place) => (place === 0 && fits ? createOverlay(record, names, answers, view.size ?? view.media[0].slice(1, 3)) : null);
  const shots = view.media.map((_, place) => ({ ...shot(view, place), draw: () => draw(place) }));
  const figures = shots.map(({ name, source, width, height, hash }, place) => {
    const caption = element("figcaption", {}, `${shots.length > 1 ? `${name} · ` : ""}${width} × ${height} px as sent`);
    if (!source) return element("figure", {}, element("div", { class: "noimage" }, "not stored with this run"), caption);
    const image = element("img", { src: source, alt: `${name} of the sample`, decoding: "async" });
    image.style.aspectRatio = `${width} / ${height}`;
    const drawn = draw(place);
    const frame = element("button", { type: "button", class: "frame", "data-zoom": place, "data-focus": `zoom-${hash}-${place}`, "aria-label": `Enlarge: ${name}` }, image, drawn ? drawn[0] : null);
    const most = shots.length > 1 ? AMONG : ALONE;
    frame.style.width = `${Math.round(Math.min(most, 2 * width, (most * 1.05 * width) / height))}px`;
    frame.addEventListener("click", () => openZoom(shots, place));
    return element("figure", {}, frame, caption, drawn ? drawn[1] : null);
  });
  const note = !fits && record.target_shapes.length ? element("p", { class: "muted small" }, "Gold and answers are not drawn: this picture is another part of the original.") : null;
  return element("div", { class: shots.length > 1 ? "media strip" : "media" }, figures, note);
}
