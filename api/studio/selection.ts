import { type LayerName, NOTHING } from "./drawing";
import type { Editor } from "./editor";
import { type Box, boxOf, clip, contains, type Point, rectangle, shift } from "./geometry";
import { Signal } from "./signal";
import type { Stamp, Stroke } from "./stroke";
import type { Guide, Tool } from "./tools";

/** A rectangle of the layer at work: chosen, moved, copied, put down. */
export class SelectTool implements Tool {
  readonly guided = new Signal();
  /** Whether moving leaves behind what was there. */
  isCopying = false;

  #box: Box | null = null;
  #from: Point | null = null;
  #home: Box | null = null;
  #lifted: Stamp | null = null;
  #stroke: Stroke | null = null;
  #copied: Stamp | null = null;
  #copiedFrom = "";
  #copiedLayer: LayerName = "background";
  /** What was selected before the press under way. */
  #before: Box | null = null;

  constructor(private readonly editor: Editor) {
    editor.replaced.on(() => this.#select(null));
  }

  press(point: Point): void {
    this.#from = point;
    this.#before = this.#box;
    if (this.#box && contains(this.#box, point)) {
      const piece = this.#cut(this.#box);
      this.#lifted = this.isCopying ? this.editor.asNew(piece) : piece;
      if (!this.#lifted) {
        this.#from = null;
        return;
      }
      this.#home = this.#box;
      this.#stroke = this.editor.begin({ isMirrored: false });
    } else {
      this.#select(null);
    }
  }

  drag(point: Point): void {
    if (!this.#from) return;
    if (!this.#lifted || !this.#home || !this.#stroke) {
      const { width, height } = this.editor.drawing;
      this.#select(clip(boxOf(this.#from, point), width, height));
      return;
    }
    const by = { x: point.x - this.#from.x, y: point.y - this.#from.y };
    this.#stroke.restart();
    if (!this.isCopying) this.#stroke.paint(rectangle(this.#home), this.editor.erased);
    this.#stroke.put(this.#lifted, { x: this.#home.left + by.x, y: this.#home.top + by.y });
    this.#select(shift(this.#home, by));
  }

  release(): void {
    if (this.#stroke) this.editor.commit();
    this.#stroke = this.#lifted = this.#from = null;
  }

  cancel(): void {
    this.editor.cancel();
    this.release();
    this.#select(null);
  }

  takeBack(): void {
    const before = this.#before;
    this.cancel();
    this.#select(before);
  }

  selectAll(): void {
    const { width, height } = this.editor.drawing;
    this.#select({ left: 0, top: 0, right: width, bottom: height });
  }

  /** Erases what is selected; whether anything is. */
  erase(): boolean {
    if (!this.#box) return false;
    this.editor.begin({ isMirrored: false }).paint(rectangle(this.#box), this.editor.erased);
    this.editor.commit();
    return true;
  }

  /** Remembers what is selected; whether anything is. */
  copy(): boolean {
    if (!this.#box) return false;
    this.#copied = this.#cut(this.#box);
    this.#copiedFrom = this.editor.model;
    this.#copiedLayer = this.editor.settings.layer;
    return true;
  }

  /**
   * Puts down what was copied in the classes of this model, on its layer, in the middle, selected so that it can be moved.
   * Whether it did.
   */
  paste(): boolean {
    const isHere = this.#copied && this.#copiedFrom === this.editor.model;
    const stamp = isHere ? this.editor.asNew(this.#copied!) : null;
    if (!stamp) return false;
    this.editor.configure({ layer: this.#copiedLayer }); // cells of one layer mean nothing on the other
    const { width, height } = this.editor.drawing;
    const left = Math.floor((width - stamp.width) / 2);
    const top = Math.floor((height - stamp.height) / 2);
    this.editor.begin({ isMirrored: false }).put(stamp, { x: left, y: top });
    this.editor.commit();
    this.#select({ left, top, right: left + stamp.width, bottom: top + stamp.height });
    return true;
  }

  guide(): Guide {
    return { selection: this.#box };
  }

  #cut(box: Box): Stamp {
    const { drawing, settings } = this.editor;
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    const outside = settings.layer === "objects" ? NOTHING : this.editor.blank;
    const cells = new Uint16Array(width * height).fill(outside);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const point = { x: box.left + x, y: box.top + y };
        if (this.editor.isInside(point)) cells[y * width + x] = drawing[settings.layer][this.editor.indexOf(point)]!;
      }
    }
    return { width, height, cells };
  }

  #select(box: Box | null): void {
    this.#box = box;
    this.guided.emit();
  }
}
