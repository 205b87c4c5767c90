// Shapes as spans of whole pixels. Nothing here is ever half covered, so no label lies between two others.

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixels of one row, `right` one past the last. */
export interface Span {
  readonly y: number;
  readonly left: number;
  readonly right: number;
}

/** Pixels from `left`, `top` to before `right`, `bottom`. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export type BrushForm = "round" | "square";

export function unite(a: Box | null, b: Box): Box {
  if (a === null) return b;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/** The part of a box that lies on a sheet of this size; null where none does. */
export function clip(box: Box, width: number, height: number): Box | null {
  const clipped = {
    left: Math.max(0, box.left),
    top: Math.max(0, box.top),
    right: Math.min(width, box.right),
    bottom: Math.min(height, box.bottom),
  };
  return clipped.left < clipped.right && clipped.top < clipped.bottom ? clipped : null;
}

/** The box whose corners are two pixels, both inside. */
export function boxOf(a: Point, b: Point): Box {
  return {
    left: Math.min(a.x, b.x),
    top: Math.min(a.y, b.y),
    right: Math.max(a.x, b.x) + 1,
    bottom: Math.max(a.y, b.y) + 1,
  };
}

export function contains(box: Box, point: Point): boolean {
  return point.x >= box.left && point.x < box.right && point.y >= box.top && point.y < box.bottom;
}

export function shift(box: Box, by: Point): Box {
  return { left: box.left + by.x, top: box.top + by.y, right: box.right + by.x, bottom: box.bottom + by.y };
}

export function rectangle(box: Box): Span[] {
  const spans = [];
  for (let y = box.top; y < box.bottom; y++) spans.push({ y, left: box.left, right: box.right });
  return spans;
}

/** The pixels whose centres the ellipse in the box covers; of a thin one, at least the middle of each row. */
export function ellipse(box: Box): Span[] {
  const centre = (box.left + box.right) / 2;
  const middle = (box.top + box.bottom) / 2;
  const across = (box.right - box.left) / 2;
  const down = (box.bottom - box.top) / 2;
  const spans = [];
  for (let y = box.top; y < box.bottom; y++) {
    const height = (y + 0.5 - middle) / down;
    const half = Math.max(0.5, across * Math.sqrt(Math.max(0, 1 - height * height)));
    spans.push({ y, left: Math.ceil(centre - half - 0.5), right: Math.floor(centre + half - 0.5) + 1 });
  }
  return spans;
}

/** The pixels of a straight line, both ends included. */
export function line(from: Point, to: Point): Point[] {
  const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
  const points = [];
  for (let step = 0; step <= steps; step++) {
    points.push({
      x: Math.round(from.x + ((to.x - from.x) * step) / steps),
      y: Math.round(from.y + ((to.y - from.y) * step) / steps),
    });
  }
  return points;
}

/** What a brush of this form and diameter covers on its way along a line. It is convex, so each row is one span. */
export function sweep(form: BrushForm, size: number, from: Point, to: Point): Span[] {
  const half = Math.floor(size / 2);
  const box = { left: -half, top: -half, right: size - half, bottom: size - half };
  const brush = form === "round" ? ellipse(box) : rectangle(box);
  const rows = new Map<number, Span>();
  for (const point of line(from, to)) {
    for (const span of brush) {
      const y = point.y + span.y;
      const row = rows.get(y);
      const left = point.x + span.left;
      const right = point.x + span.right;
      rows.set(y, row ? { y, left: Math.min(row.left, left), right: Math.max(row.right, right) } : { y, left, right });
    }
  }
  return [...rows.values()];
}

/** The pixels inside a polygon, by the even-odd rule, and those of its edges. */
export function polygon(corners: readonly Point[]): Span[] {
  const spans: Span[] = [];
  const edges = corners.map((corner, index): [Point, Point] => [corner, corners[(index + 1) % corners.length]!]);
  const rows = corners.map((corner) => corner.y);
  for (let y = Math.min(...rows); y <= Math.max(...rows); y++) {
    const crossings = edges
      .filter(([a, b]) => a.y <= y !== b.y <= y)
      .map(([a, b]) => a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y))
      .sort((a, b) => a - b);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      spans.push({ y, left: Math.ceil(crossings[pair]!), right: Math.floor(crossings[pair + 1]!) + 1 });
    }
  }
  for (const [a, b] of edges) spans.push(...sweep("square", 1, a, b));
  return spans;
}

/** The connected pixels of the same value as the one at `start`, over edges and not over corners. */
export function flood(valueAt: (index: number) => number, width: number, height: number, start: Point): Span[] {
  const value = valueAt(start.y * width + start.x);
  const seen = new Uint8Array(width * height);
  const fits = (x: number, y: number) => seen[y * width + x] === 0 && valueAt(y * width + x) === value;
  const spans: Span[] = [];
  const waiting: Point[] = [start];
  for (let point = waiting.pop(); point; point = waiting.pop()) {
    const { x, y } = point;
    if (!fits(x, y)) continue;
    let left = x;
    let right = x + 1;
    while (left > 0 && fits(left - 1, y)) left--;
    while (right < width && fits(right, y)) right++;
    seen.fill(1, y * width + left, y * width + right);
    spans.push({ y, left, right });
    for (const next of [y - 1, y + 1]) {
      if (next < 0 || next >= height) continue;
      for (let column = left; column < right; column++) {
        if (fits(column, next) && (column === left || !fits(column - 1, next))) waiting.push({ x: column, y: next });
      }
    }
  }
  return spans;
}
