// Sizes and distances of boxes [x1, y1, x2, y2] and points [x, y], in pixels of the original image.

const MOST = 6;

function corners([x1, y1, x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}

export function overlap(one, other) {
  const [a, b] = [corners(one), corners(other)];
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(0, width) * Math.max(0, height);
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return union > 0 ? shared / union : 0;
}

// From a point to a box (0 inside) or to a point.
export function distance([x, y], shape) {
  if (shape.length === 2) return Math.hypot(x - shape[0], y - shape[1]);
  const [x1, y1, x2, y2] = corners(shape);
  return Math.hypot(Math.max(x1 - x, 0, x - x2), Math.max(y1 - y, 0, y - y2));
}

// In words how an answer's shapes lie to the gold ones; empty where nothing can be said.
export function measure(golds, shapes) {
  const goldBoxes = golds.filter((shape) => shape.length === 4);
  const goldPoints = golds.filter((shape) => shape.length === 2);
  const boxes = shapes.filter((shape) => shape.length === 4);
  const points = shapes.filter((shape) => shape.length === 2);
  const several = (values) => values.slice(0, MOST).join(", ") + (values.length > MOST ? ", …" : "");
  const said = [];
  if (boxes.length && goldBoxes.length) {
    const values = boxes.map((box) => Math.max(...goldBoxes.map((gold) => overlap(box, gold))).toFixed(3));
    said.push(`IoU ${several(values)}`);
  }
  if (points.length && goldBoxes.length) {
    const ways = points.map((point) => Math.min(...goldBoxes.map((gold) => distance(point, gold))));
    said.push(several(ways.map((way) => (way === 0 ? "inside" : `${way.toFixed(1)} px outside`))));
  } else if (points.length && goldPoints.length) {
    said.push(several(points.map((point) => `${Math.min(...goldPoints.map((gold) => distance(point, gold))).toFixed(1)} px away`)));
  }
  return said.join("; ");
}
