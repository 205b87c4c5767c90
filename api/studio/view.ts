// Draws the map: only the pixels that changed, once a frame.

import { classOf, type Drawing, objectOf, UNKNOWN } from "./drawing";
import type { Editor } from "./editor";
import { type Box, clip, unite } from "./geometry";
import { colorOf } from "./maps";
import type { LabelClass } from "./service";

const CHECK_PIXELS = 8;
const CHECKS = [0xffb4b0ac, 0xffa09c98] as const;
const OBJECT_EDGE = 0xff202020;

/** 0xRRGGBB as a canvas keeps it, on machines that write the low byte first, as all browsers' do. */
const asPixel = (color: number) => 0xff000000 | ((color & 255) << 16) | (color & 0xff00) | (color >> 16);

export class View {
  showsObjects = true;
  #colors = new Uint32Array(256);
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  #stale: Box | null = null;
  readonly #context: CanvasRenderingContext2D;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly editor: Editor,
  ) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no 2D canvas");
    this.#context = context;
    editor.painted.on((box) => this.#spoil(box));
    editor.replaced.on(() => this.refresh());
  }

  setClasses(classes: readonly LabelClass[]): void {
    for (const labelClass of classes) this.#colors[labelClass.id] = asPixel(colorOf(labelClass)) >>> 0;
    this.refresh();
  }

  refresh(): void {
    const { width, height } = this.editor.drawing;
    this.#spoil({ left: 0, top: 0, right: width, bottom: height });
  }

  #spoil(box: Box): void {
    if (!this.#stale) requestAnimationFrame(() => this.#draw());
    this.#stale = unite(this.#stale, box);
  }

  #draw(): void {
    const { drawing } = this.editor;
    const { width, height } = drawing;
    if (this.canvas.width !== width || this.canvas.height !== height || this.#image.width !== width) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
      this.#stale = { left: 0, top: 0, right: width, bottom: height };
    }
    // One pixel more all round: the edges of objects depend on their neighbours.
    const stale = this.#stale;
    const box = stale && clip(grown(stale), width, height);
    this.#stale = null;
    if (!box) return;
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) this.#pixels[y * width + x] = this.#pixel(drawing, x, y);
    }
    const { left, top } = box;
    this.#context.putImageData(this.#image, 0, 0, left, top, box.right - left, box.bottom - top);
  }

  #pixel(drawing: Drawing, x: number, y: number): number {
    const index = y * drawing.width + x;
    const cell = this.showsObjects ? drawing.cellAt(index) : drawing.background[index]!;
    if (objectOf(cell) && this.#isEdge(drawing, cell, x, y)) return OBJECT_EDGE;
    const classId = classOf(cell);
    return classId === UNKNOWN ? CHECKS[((x / CHECK_PIXELS) ^ (y / CHECK_PIXELS)) & 1]! : this.#colors[classId]!;
  }

  #isEdge({ objects, width, height }: Drawing, cell: number, x: number, y: number): boolean {
    const index = y * width + x;
    return (
      (x + 1 < width && objects[index + 1] !== cell) ||
      (y + 1 < height && objects[index + width] !== cell) ||
      (x > 0 && objects[index - 1] !== cell) ||
      (y > 0 && objects[index - width] !== cell)
    );
  }
}

function grown(box: Box): Box {
  return { left: box.left - 1, top: box.top - 1, right: box.right + 1, bottom: box.bottom + 1 };
}
