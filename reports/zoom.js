// A picture at the size of the window and beyond, with the same overlay.
import { element } from "./text.js";

const STEP = 1.5;
const MOST = 12; // times the size of the window

let dialog = null;
let parts = null;
let state = null;

function build() {
  const button = (label, words, action) => {
    const made = element("button", { type: "button", class: "quiet", "aria-label": words, title: words }, label);
    made.addEventListener("click", action);
    return made;
  };
  parts = {
    name: element("h3", {}),
    frame: element("div", { class: "frame" }),
    room: element("div", { class: "zoomroom", tabindex: 0 }),
    legend: element("div", { class: "zoomlegend" }),
    note: element("p", { class: "muted small" }),
    pager: element("span", { class: "pager" }, button("←", "Previous picture (left arrow)", () => turn(-1)), button("→", "Next picture (right arrow)", () => turn(1))),
  };
  parts.room.append(parts.frame);
  dialog = element(
    "dialog",
    { class: "zoom", "aria-label": "Enlarged picture" },
    element(
      "div",
      { class: "zoomhead" },
      parts.name,
      parts.note,
      parts.pager,
      element("span", { class: "pager" }, button("−", "Smaller (−)", () => scale(1 / STEP)), button("Fit", "Fit the window (0)", () => scale(0)), button("+", "Larger (+)", () => scale(STEP)), button("Close", "Close (Escape)", () => dialog.close())),
    ),
    parts.room,
    parts.legend,
  );
  parts.room.addEventListener("click", (event) => {
    if (!event.target.closest(".frame")) return;
    const box = parts.frame.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (state.scale > 1) scale(0);
    else scale(3, at);
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = { "+": () => scale(STEP), "=": () => scale(STEP), "-": () => scale(1 / STEP), 0: () => scale(0) };
    if (state.scale <= 1 && state.shots.length > 1) Object.assign(actions, { ArrowLeft: () => turn(-1), ArrowRight: () => turn(1) });
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  });
  document.body.append(dialog);
}

// Multiplies the size; 0 is that of the window. `at`: the part of the picture that comes to the middle.
function scale(factor, at = null) {
  state.scale = factor ? Math.min(MOST, Math.max(1, state.scale * factor)) : 1;
  const { width, height } = state.shots[state.place];
  const [wide, high] = [parts.room.clientWidth, parts.room.clientHeight];
  const middle = at ?? [(parts.room.scrollLeft + wide / 2) / parts.frame.clientWidth, (parts.room.scrollTop + high / 2) / parts.frame.clientHeight];
  const fit = Math.min(wide / width, high / height);
  parts.frame.style.width = `${Math.floor(width * fit * state.scale)}px`;
  parts.room.scrollLeft = middle[0] * parts.frame.clientWidth - wide / 2;
  parts.room.scrollTop = middle[1] * parts.frame.clientHeight - high / 2;
}

function turn(step) {
  const { shots, place } = state;
  for (let tried = place + step; tried >= 0 && tried < shots.length; tried += step) if (shots[tried].source) return draw(tried);
}

function draw(place) {
  const { shots } = state;
  state = { shots, place, scale: 1 };
  const { name, source, width, height, draw: overlay } = shots[place];
  const image = element("img", { src: source, alt: name });
  image.style.aspectRatio = `${width} / ${height}`;
  const drawn = overlay();
  parts.name.textContent = shots.length > 1 ? `${name} (${place + 1} of ${shots.length})` : name;
  parts.pager.hidden = shots.length < 2;
  parts.note.textContent = `${width} × ${height} px as sent`;
  image.addEventListener("load", () => {
    if (image.naturalWidth < width) parts.note.textContent = `${width} × ${height} px as sent, kept here with ${image.naturalWidth} × ${image.naturalHeight}`;
  });
  parts.frame.replaceChildren(image, ...(drawn ? [drawn[0]] : []));
  parts.legend.replaceChildren(...(drawn ? [drawn[1]] : []));
  scale(0);
}

export function openZoom(shots, place) {
  if (!dialog) build();
  state = { shots, place, scale: 1 };
  dialog.showModal();
  draw(place);
  parts.room.focus();
}
