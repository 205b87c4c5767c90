// The colours of a label map: of each class its own, unknown chequered, objects with an edge.

import { classOf, Drawing, objectOf, UNKNOWN } from "./drawing";
import type { Box } from "./geometry";
import { colorOf } from "./painters";
import type { LabelClass } from "./service";

const CHECK_PIXELS = 8;
const CHECKS = [0xffb4b0ac, 0xffa09c98] as const;
const OBJECT_EDGE = 0xff202020;

/** 0xRRGGBB as a canvas keeps it, on machines that write the low byte first, as all browsers' do. */
const asPixel = (color: number) => 0xff000000 | ((color & 255) << 16) | (color & 0xff00) | (color >> 16);

export class Coloring {
  readonly #colors = new Uint32Array(256);

  constructor(classes: readonly LabelClass[]) {
    for (const labelClass of classes) this.#colors[labelClass.id] = asPixel(colorOf(labelClass)) >>> 0;
  }

  /** Colours the pixels of a box. */
  fill(pixels: Uint32Array, drawing: Drawing, { left, top, right, bottom }: Box, showsObjects: boolean): void {
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) pixels[y * drawing.width + x] = this.#pixel(drawing, x, y, showsObjects);
    }
  }

  #pixel(drawing: Drawing, x: number, y: number, showsObjects: boolean): number {
    const index = y * drawing.width + x;
    const cell = showsObjects ? drawing.cellAt(index) : drawing.background[index]!;
    if (objectOf(cell) && isEdge(drawing, cell, x, y)) return OBJECT_EDGE;
    const classId = classOf(cell);
    return classId === UNKNOWN ? CHECKS[((x / CHECK_PIXELS) ^ (y / CHECK_PIXELS)) & 1]! : this.#colors[classId]!;
  }
}

function isEdge({ objects, width, height }: Drawing, cell: number, x: number, y: number): boolean {
  const index = y * width + x;
  return (
    (x + 1 < width && objects[index + 1] !== cell) ||
    (y + 1 < height && objects[index + width] !== cell) ||
    (x > 0 && objects[index - 1] !== cell) ||
    (y > 0 && objects[index - width] !== cell)
  );
}

/** The whole map, for a canvas of its size. */
export function imageOf(drawing: Drawing, classes: readonly LabelClass[]): ImageData {
  const { width, height } = drawing;
  const image = new ImageData(width, height);
  const box = { left: 0, top: 0, right: width, bottom: height };
  new Coloring(classes).fill(new Uint32Array(image.data.buffer), drawing, box, true);
  return image;
}

/** The map in a small size, objects without edges, which would cover them. */
export function thumbnailOf(drawing: Drawing, classes: readonly LabelClass[], pixels: number): ImageData {
  const scale = pixels / Math.max(drawing.width, drawing.height);
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  const small = drawing.resized(side(drawing.width), side(drawing.height));
  const flat = new Drawing(small.width, small.height);
  flat.background.set(small.labels());
  return imageOf(flat, classes);
}
