import { type Cells, type Drawing, type LayerName, NOTHING } from "./drawing";
import { type Box, clip, type Point, type Span, unite } from "./geometry";
import { type Change, difference } from "./history";

/** Cells cut out of a layer, to be put elsewhere. */
export interface Stamp {
  readonly width: number;
  readonly height: number;
  readonly cells: Cells;
}

/** One act of painting on one layer. It can be begun anew while its shape is still being chosen. */
export class Stroke {
  readonly #before: Cells;
  readonly #cells: Cells;
  #box: Box | null = null;
  #isClosed = false;

  constructor(
    readonly drawing: Drawing,
    readonly layer: LayerName,
    private readonly isMirrored: boolean,
    private readonly onPaint: (box: Box) => void,
  ) {
    this.#cells = drawing[layer];
    this.#before = this.#cells.slice();
  }

  /** Ends it: whatever it is told from now on, it paints nothing. */
  close(): void {
    this.#isClosed = true;
  }

  paint(spans: readonly Span[], value: number): void {
    if (this.#isClosed) return;
    const { width } = this.drawing;
    let box: Box | null = null;
    for (const span of spans) {
      box = this.#fill(span, value, box);
      if (this.isMirrored) box = this.#fill({ y: span.y, left: width - span.right, right: width - span.left }, value, box);
    }
    this.#painted(box);
  }

  /** Changes the cells for which there is another value. */
  exchange(valueFor: (cell: number) => number): void {
    if (this.#isClosed) return;
    this.#cells.forEach((cell, index) => (this.#cells[index] = valueFor(cell)));
    this.#painted({ left: 0, top: 0, right: this.drawing.width, bottom: this.drawing.height });
  }

  /** Puts cells down with their top left corner at a pixel; what is nothing leaves what is there. */
  put(stamp: Stamp, at: Point): void {
    const { width, height } = this.drawing;
    const box = clip({ left: at.x, top: at.y, right: at.x + stamp.width, bottom: at.y + stamp.height }, width, height);
    if (box === null || this.#isClosed) return;
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const cell = stamp.cells[(y - at.y) * stamp.width + x - at.x]!;
        if (this.layer === "background" || cell !== NOTHING) this.#cells[y * width + x] = cell;
      }
    }
    this.#painted(box);
  }

  /** Takes back what this stroke did so far. */
  restart(): void {
    const box = this.#box;
    if (box === null || this.#isClosed) return;
    const { width } = this.drawing;
    for (let y = box.top; y < box.bottom; y++) {
      const row = y * width;
      this.#cells.set(this.#before.subarray(row + box.left, row + box.right), row + box.left);
    }
    this.#box = null;
    this.onPaint(box);
  }

  /** What it changed; null if nothing. */
  change(): Change | null {
    if (this.#box === null) return null;
    const runs = difference(this.#before, this.#cells, this.drawing.width, this.#box);
    return runs.length ? { kind: "change", layer: this.layer, box: this.#box, runs } : null;
  }

  #fill(span: Span, value: number, box: Box | null): Box | null {
    const { width, height } = this.drawing;
    const clipped = clip({ left: span.left, top: span.y, right: span.right, bottom: span.y + 1 }, width, height);
    if (clipped === null) return box;
    this.#cells.fill(value, span.y * width + clipped.left, span.y * width + clipped.right);
    return unite(box, clipped);
  }

  #painted(box: Box | null): void {
    if (box === null) return;
    this.#box = unite(this.#box, box);
    this.onPaint(box);
  }
}
