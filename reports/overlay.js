// Boxes and points over an image, in pixels of the original image.
import { element, visible } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const DASHES = ["7 4", "2 3", "10 3 2 3", "5 2", "1 4", "12 5"];

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function outlines(shape, size) {
  if (shape.length === 4) {
    const [x1, y1, x2, y2] = shape;
    return [["rect", { x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) }]];
  }
  const [x, y] = shape;
  const arm = Math.max(size[0], size[1]) / 40;
  return [
    ["circle", { cx: x, cy: y, r: arm * 0.6 }],
    ["path", { d: `M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}` }],
  ];
}

function layer(shapes, size, color, dash) {
  const group = svg("g", { fill: "none" });
  for (const shape of shapes)
    for (const [name, attributes] of outlines(shape, size)) {
      // A light line below a coloured one stays visible on any picture.
      group.append(svg(name, { ...attributes, stroke: "#fff", "stroke-width": 4.5, "stroke-opacity": 0.8, "vector-effect": "non-scaling-stroke" }));
      const line = svg(name, { ...attributes, stroke: color, "stroke-width": 2.25, "vector-effect": "non-scaling-stroke" });
      if (dash) line.setAttribute("stroke-dasharray", dash);
      group.append(line);
    }
  return group;
}

function sampleLine(color, dash) {
  const line = svg("line", { x1: 1, y1: 5, x2: 27, y2: 5, stroke: color, "stroke-width": 2.5 });
  if (dash) line.setAttribute("stroke-dasharray", dash);
  const made = svg("svg", { viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true" });
  made.append(line);
  return made;
}

// Returns [overlay, legend], or null when there is nothing to draw.
export function createOverlay(record, names, answers, size) {
  const layers = [];
  if (record.target_shapes.length) layers.push({ label: "target", shapes: record.target_shapes, color: "#b8860b", dash: "" });
  for (const answer of answers) {
    if (!answer.shapes) continue;
    const repeat = answers.some((other) => other !== answer && other.model === answer.model && other.condition === answer.condition);
    layers.push({
      label: names.models[answer.model] + (repeat ? ` (repeat ${answer.repeat + 1})` : ""),
      shapes: answer.shapes,
      color: names.palette[answer.model % names.palette.length],
      dash: DASHES[answer.model % DASHES.length],
    });
  }
  if (!layers.length) return null;
  const overlay = svg("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, preserveAspectRatio: "none", class: "overlay", role: "img", "aria-label": `Boxes or points of ${layers.map((entry) => entry.label).join(", ")}` });
  const legend = element("fieldset", { class: "layers" }, element("legend", {}, "Drawn on the image"));
  for (const entry of layers) {
    const group = layer(entry.shapes, size, entry.color, entry.dash);
    overlay.append(group);
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => group.setAttribute("visibility", box.checked ? "visible" : "hidden"));
    legend.append(element("label", {}, box, sampleLine(entry.color, entry.dash), element("span", {}, visible(entry.label))));
  }
  return [overlay, legend];
}
