// The label map: whole numbers, never colours. A cell is `object * 256 + class`; the background has object 0.

export const UNKNOWN = 255;
/** A cell of the layer of objects where there is none. */
export const NOTHING = 0;
const MOST_OBJECTS = 255;

export type Cells = Uint16Array;
export type LayerName = "background" | "objects";

export const classOf = (cell: number): number => cell & 255;
export const objectOf = (cell: number): number => cell >> 8;
export const cellOf = (object: number, classId: number): number => (object << 8) | classId;

/** Two layers of cells, row by row. */
export class Drawing {
  readonly background: Cells;
  readonly objects: Cells;

  constructor(
    readonly width: number,
    readonly height: number,
    fill: number = UNKNOWN,
  ) {
    this.background = new Uint16Array(width * height).fill(fill);
    this.objects = new Uint16Array(width * height);
  }

  /** What is seen from above. */
  cellAt(index: number): number {
    return this.objects[index] || this.background[index]!;
  }

  /** Class ids as seen from above, 255 for unknown. */
  labels(): Uint8Array<ArrayBuffer> {
    const labels = new Uint8Array(this.background.length);
    for (let index = 0; index < labels.length; index++) labels[index] = classOf(this.cellAt(index));
    return labels;
  }

  /** A number for each object; where there is none the class's own. */
  instances(): Uint16Array {
    return this.background.map((_, index) => this.cellAt(index));
  }

  hasObjects(): boolean {
    return this.objects.some((cell) => cell !== NOTHING);
  }

  /** Numbers that no object has yet: as many as are wanted, or as are left. */
  freeNumbers(wanted: number): number[] {
    const used = new Uint8Array(MOST_OBJECTS + 1);
    for (const cell of this.objects) used[objectOf(cell)] = 1;
    return [...used.keys()].filter((number) => number > 0 && !used[number]).slice(0, wanted);
  }

  copy(): Drawing {
    const copy = new Drawing(this.width, this.height);
    copy.background.set(this.background);
    copy.objects.set(this.objects);
    return copy;
  }

  /** The same in another size, each pixel from the one under its centre. */
  resized(width: number, height: number): Drawing {
    const resized = new Drawing(width, height);
    for (let y = 0; y < height; y++) {
      const row = Math.floor(((2 * y + 1) * this.height) / (2 * height)) * this.width;
      for (let x = 0; x < width; x++) {
        const from = row + Math.floor(((2 * x + 1) * this.width) / (2 * width));
        resized.background[y * width + x] = this.background[from]!;
        resized.objects[y * width + x] = this.objects[from]!;
      }
    }
    return resized;
  }

  /** Left and right exchanged. */
  flipped(): Drawing {
    const flipped = this.copy();
    for (const layer of [flipped.background, flipped.objects]) {
      for (let row = 0; row < layer.length; row += this.width) layer.subarray(row, row + this.width).reverse();
    }
    return flipped;
  }
}
