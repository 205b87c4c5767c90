// Draws the map: only the pixels that changed, once a frame.

import { Coloring } from "./coloring";
import type { Editor } from "./editor";
import { type Box, clip, unite } from "./geometry";
import type { LabelClass } from "./service";

export class View {
  showsObjects = true;
  #coloring = new Coloring([]);
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
    this.#coloring = new Coloring(classes);
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
    this.#coloring.fill(this.#pixels, drawing, box, this.showsObjects);
    const { left, top } = box;
    this.#context.putImageData(this.#image, 0, 0, left, top, box.right - left, box.bottom - top);
  }
}

function grown(box: Box): Box {
  return { left: box.left - 1, top: box.top - 1, right: box.right + 1, bottom: box.bottom + 1 };
}
