// Where the sheet lies in its stage: zoom and pan.

import type { Editor } from "./editor";
import type { Point } from "./geometry";
import { Signal } from "./signal";

const LARGEST_SCALE = 48;
const MARGIN_PIXELS = 12;

export class Viewport {
  readonly moved = new Signal();
  #scale = 1;
  #left = 0;
  #top = 0;
  #fits = true;

  constructor(
    private readonly stage: HTMLElement,
    private readonly sheet: HTMLElement,
    private readonly editor: Editor,
  ) {
    new ResizeObserver(() => this.#fits && this.fit()).observe(stage);
    editor.replaced.on(() => this.fit());
  }

  /** Screen pixels for a pixel of the map. */
  get scale(): number {
    return this.#scale;
  }

  /** The pixel of the map under a point of the window; it may lie outside. */
  pixelAt(clientX: number, clientY: number): Point {
    const { left, top } = this.sheet.getBoundingClientRect();
    return { x: Math.floor((clientX - left) / this.#scale), y: Math.floor((clientY - top) / this.#scale) };
  }

  fit(): void {
    const { width, height } = this.editor.drawing;
    const across = (this.stage.clientWidth - 2 * MARGIN_PIXELS) / width;
    const down = (this.stage.clientHeight - 2 * MARGIN_PIXELS) / height;
    this.#scale = Math.max(0.05, Math.min(across, down));
    this.#left = (this.stage.clientWidth - width * this.#scale) / 2;
    this.#top = (this.stage.clientHeight - height * this.#scale) / 2;
    this.#fits = true;
    this.#place();
  }

  /** Larger by `factor`, what is at a point of the window staying there; without one, the middle. */
  zoom(factor: number, clientX?: number, clientY?: number): void {
    const stage = this.stage.getBoundingClientRect();
    const x = clientX === undefined ? stage.width / 2 : clientX - stage.left;
    const y = clientY === undefined ? stage.height / 2 : clientY - stage.top;
    const scale = Math.min(LARGEST_SCALE, Math.max(0.1, this.#scale * factor));
    this.#left = x - ((x - this.#left) * scale) / this.#scale;
    this.#top = y - ((y - this.#top) * scale) / this.#scale;
    this.#scale = scale;
    this.#fits = false;
    this.#place();
  }

  pan(x: number, y: number): void {
    this.#left += x;
    this.#top += y;
    this.#fits = false;
    this.#place();
  }

  #place(): void {
    const { width, height } = this.editor.drawing;
    const { style } = this.sheet;
    style.width = `${width * this.#scale}px`;
    style.height = `${height * this.#scale}px`;
    style.transform = `translate(${this.#left}px, ${this.#top}px)`;
    this.moved.emit();
  }
}
