// Boxes, points, clicks, regions and outlines over an image, in pixels of the original image.
import { measure } from "./geometry.js";
import { element, shown, visible } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const GOLD = "#b8860b";
const DASHES = ["7 4", "2 3", "10 3 2 3", "5 2", "1 4", "12 5"];
const MARKS = ["diamond", "square", "triangle", "cross", "plus"]; // of points; the gold one is a ring with a cross
const hidden = new Set(); // layers that were switched off; stays so from sample to sample

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, shown(String(value)));
  return made;
}

function pointMark(name, x, y, arm) {
  const path = (d) => ["path", { d }];
  if (name === "ring") return [["circle", { cx: x, cy: y, r: arm * 0.6 }], path(`M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}`)];
  const half = arm * 0.7;
  if (name === "diamond") return [path(`M${x} ${y - arm}l${arm} ${arm}l${-arm} ${arm}l${-arm} ${-arm}z`)];
  if (name === "square") return [path(`M${x - half} ${y - half}h${2 * half}v${2 * half}h${-2 * half}z`)];
  if (name === "triangle") return [path(`M${x} ${y - arm}l${arm} ${1.7 * arm}h${-2 * arm}z`)];
  if (name === "cross") return [path(`M${x - half} ${y - half}l${2 * half} ${2 * half}M${x - half} ${y + half}l${2 * half} ${-2 * half}`)];
  return [path(`M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}`)];
}

function outlines(shape, size, mark) {
  if (shape.length === 2) return pointMark(mark, shape[0], shape[1], Math.max(size[0], size[1]) / 45);
  if (shape.length === 4) {
    const [x1, y1, x2, y2] = shape;
    return [["rect", { x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) }]];
  }
  const points = [];
  for (let place = 0; place < shape.length; place += 2) points.push(`${shape[place]},${shape[place + 1]}`);
  return [["polygon", { points: points.join(" ") }]];
}

function layer(entry, size) {
  const group = svg("g", { fill: "none", "data-layer": entry.name });
  for (const shape of entry.shapes)
    for (const [name, attributes] of outlines(shape, size, entry.mark)) {
      // A light line below a coloured one stays visible on any picture.
      group.append(svg(name, { ...attributes, stroke: "#fff", "stroke-width": entry.thin ? 3.5 : 4.5, "stroke-opacity": 0.8, "vector-effect": "non-scaling-stroke" }));
      const line = svg(name, { ...attributes, stroke: entry.color, "stroke-width": entry.thin ? 1.5 : 2.25, "vector-effect": "non-scaling-stroke" });
      if (entry.dash) line.setAttribute("stroke-dasharray", entry.dash);
      group.append(line);
    }
  if (hidden.has(entry.name)) group.setAttribute("visibility", "hidden");
  return group;
}

// The line of a model, as it is drawn on the pictures.
export function sampleLine(color, dash) {
  const line = svg("line", { x1: 1, y1: 5, x2: 27, y2: 5, stroke: color, "stroke-width": 2.5 });
  if (dash) line.setAttribute("stroke-dasharray", dash);
  const made = svg("svg", { viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true" });
  made.append(line);
  return made;
}

export function modelLine(names, model) {
  return [names.palette[model % names.palette.length], DASHES[model % DASHES.length]];
}

function toggle(name, on) {
  if (on) hidden.delete(name);
  else hidden.add(name);
  for (const group of document.querySelectorAll("svg.overlay [data-layer]"))
    if (group.dataset.layer === name) group.setAttribute("visibility", on ? "visible" : "hidden");
  for (const box of document.querySelectorAll("input[data-layer]")) if (box.dataset.layer === name) box.checked = on;
}

// All layers off, or all on where one is off.
export function toggleAll() {
  const names = new Set([...document.querySelectorAll("input[data-layer]")].map((box) => box.dataset.layer));
  const on = [...names].some((name) => hidden.has(name));
  for (const name of names) toggle(name, on);
}

function layersOf(record, names, answers) {
  const layers = [];
  if (record.target_shapes.length) layers.push({ name: "gold", label: "gold", shapes: record.target_shapes, color: GOLD, dash: "", mark: "ring", said: "" });
  for (const answer of answers) {
    const [color, dash] = modelLine(names, answer.model);
    const mark = MARKS[answer.model % MARKS.length];
    const repeat = answers.some((other) => other !== answer && other.model === answer.model) ? ` (repeat ${answer.repeat + 1})` : "";
    const name = `m${answer.model}r${answer.repeat}`;
    if (answer.shapes) layers.push({ name, label: names.models[answer.model] + repeat, shapes: answer.shapes, color, dash, mark, said: measure(record.target_shapes, answer.shapes) });
    if (answer.looked?.length) layers.push({ name: `${name}-looked`, label: `${names.models[answer.model]}${repeat} looked at`, shapes: answer.looked, color, dash: "1 3", mark, thin: true, said: "" });
  }
  return layers;
}

// Returns [overlay, legend], or null when there is nothing to draw. `size` is that of the original image.
export function createOverlay(record, names, answers, size) {
  const layers = layersOf(record, names, answers);
  if (!layers.length) return null;
  const words = layers.map((entry) => entry.label + (entry.said ? ` (${entry.said})` : ""));
  const overlay = svg("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, preserveAspectRatio: "none", class: "overlay", role: "img" });
  overlay.setAttribute("aria-label", `Drawn on the image: ${words.join("; ")}`);
  const legend = element("fieldset", { class: "layers" }, element("legend", {}, "Drawn on the image"));
  for (const entry of layers) {
    overlay.append(layer(entry, size));
    const box = element("input", { type: "checkbox", "data-layer": entry.name });
    box.checked = !hidden.has(entry.name);
    box.addEventListener("change", () => toggle(entry.name, box.checked));
    const said = entry.said ? element("span", { class: "measure" }, entry.said) : null;
    legend.append(element("label", {}, box, sampleLine(entry.color, entry.dash), element("span", {}, visible(entry.label)), said));
  }
  return [overlay, legend];
}
