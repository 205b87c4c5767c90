// The drawing at work: what it is painted with, what was done to it, and who is told.

import { cellOf, classOf, Drawing, type LayerName, NOTHING, objectOf, UNKNOWN } from "./drawing";
import type { Box, BrushForm, Point } from "./geometry";
import { applyRuns, History, type Making, type Scene, type Step } from "./history";
import { Signal } from "./signal";
import { type Stamp, Stroke } from "./stroke";

export interface Settings {
  readonly material: number;
  readonly size: number;
  readonly form: BrushForm;
  readonly isMirrored: boolean;
  readonly layer: LayerName;
}

const LARGEST_BRUSH = 128;

export class Editor {
  /** Pixels have other values, during a stroke too. */
  readonly painted = new Signal<Box>();
  /** A step was made, taken back or taken again; null when all began anew. */
  readonly stepped = new Signal<Step | null>();
  /** Another drawing, perhaps of another size or another model. */
  readonly replaced = new Signal();
  readonly configured = new Signal();
  /** There were too few numbers for new objects. */
  readonly objectsUsedUp = new Signal();

  #scene: Scene;
  #history = new History();
  #settings: Settings = { material: 0, size: 24, form: "round", isMirrored: false, layer: "background" };
  #previousMaterial = UNKNOWN;
  #stroke: Stroke | null = null;

  #blank = UNKNOWN;

  constructor(drawing: Drawing) {
    this.#scene = { model: "", drawing };
  }

  /** What is painted where nothing is known; a class where the model wants one for every pixel. */
  get blank(): number {
    return this.#blank;
  }

  get drawing(): Drawing {
    return this.#scene.drawing;
  }

  /** The name of the model in whose classes the drawing is. */
  get model(): string {
    return this.#scene.model;
  }

  /** How the picture is made, if the step that led here says so. */
  get making(): Making | undefined {
    return this.#scene.making;
  }

  get settings(): Settings {
    return this.#settings;
  }

  get history(): History {
    return this.#history;
  }

  /** The value that erases on the layer at work. */
  get erased(): number {
    return this.#settings.layer === "objects" ? NOTHING : this.blank;
  }

  configure(changes: Partial<Settings>): void {
    const before = this.#settings;
    const size = Math.min(LARGEST_BRUSH, Math.max(1, Math.round(changes.size ?? before.size)));
    this.#settings = { ...before, ...changes, size };
    if (this.#settings.material !== before.material) this.#previousMaterial = before.material;
    this.configured.emit();
  }

  /** Goes on with the materials of another model, of which none was in hand before. */
  useMaterials(blank: number): void {
    this.#blank = blank;
    this.#previousMaterial = blank;
  }

  exchangeMaterials(): void {
    this.configure({ material: this.#previousMaterial });
  }

  indexOf(point: Point): number {
    return point.y * this.drawing.width + point.x;
  }

  isInside(point: Point): boolean {
    return point.x >= 0 && point.y >= 0 && point.x < this.drawing.width && point.y < this.drawing.height;
  }

  /** Class at a pixel as seen from above. */
  materialAt(point: Point): number {
    return classOf(this.drawing.cellAt(this.indexOf(point)));
  }

  /**
   * The value to paint with in a stroke that begins at `point`. On the layer of objects a stroke that begins on an
   * object of the same material goes on with it; any other makes a new object. Null where no number is left.
   */
  valueFor(point: Point): number | null {
    const { material, layer } = this.#settings;
    if (layer === "background") return material;
    const under = this.isInside(point) ? this.drawing.objects[this.indexOf(point)]! : NOTHING;
    if (objectOf(under) && classOf(under) === material) return under;
    const [object] = this.#numbersFor(1);
    return object ? cellOf(object, material) : null;
  }

  /** The same cells as objects of their own: with other numbers, as many as they have. Null where too few are left. */
  asNew(stamp: Stamp): Stamp | null {
    const objects = [...new Set(stamp.cells.map(objectOf))].filter(Boolean);
    const numbers = this.#numbersFor(objects.length);
    if (numbers.length < objects.length) return null;
    const numberOf = new Map(objects.map((object, place) => [object, numbers[place]!]));
    return { ...stamp, cells: stamp.cells.map((cell) => cellOf(numberOf.get(objectOf(cell)) ?? 0, classOf(cell))) };
  }

  begin({ isMirrored = this.#settings.isMirrored } = {}): Stroke {
    this.cancel();
    this.#stroke = new Stroke(this.drawing, this.#settings.layer, isMirrored, (box) => this.painted.emit(box));
    return this.#stroke;
  }

  /** Ends the stroke that was begun; it becomes one step if it changed anything. */
  commit(): void {
    const change = this.#stroke?.change();
    this.#close();
    if (change) this.#add(change);
  }

  /** Takes back the stroke that was begun. */
  cancel(): void {
    this.#stroke?.restart();
    this.#close();
  }

  /** Another drawing; `making` is how the picture was made before and is after that, where the step changes it. */
  replace(drawing: Drawing, model = this.model, making?: { readonly before: Making; readonly after: Making }): void {
    this.cancel();
    // What an earlier step said of the making may have changed since then.
    const before = { model: this.model, drawing: this.drawing, ...(making && { making: making.before }) };
    const after = { model, drawing, ...(making && { making: making.after }) };
    this.#show(after);
    this.#add({ kind: "replacement", before, after });
  }

  /** A drawing to begin with: nothing leads back from it. */
  restart(drawing: Drawing, model: string): void {
    this.#close();
    this.#history = new History();
    this.#show({ model, drawing });
    this.stepped.emit(null);
  }

  undo(): void {
    this.cancel();
    this.#take(this.#history.undo(), "before");
  }

  redo(): void {
    this.cancel();
    this.#take(this.#history.redo(), "after");
  }

  #add(step: Step): void {
    this.#history.add(step);
    this.stepped.emit(step);
  }

  #take(step: Step | undefined, which: "before" | "after"): void {
    if (!step) return;
    if (step.kind === "replacement") {
      this.#show(step[which]);
    } else {
      applyRuns(this.drawing[step.layer], step.runs, which);
      this.painted.emit(step.box);
    }
    this.stepped.emit(step);
  }

  /** Numbers for so many new objects; none where too few are left. */
  #numbersFor(count: number): number[] {
    const numbers = this.drawing.freeNumbers(count);
    if (numbers.length === count) return numbers;
    this.objectsUsedUp.emit();
    return [];
  }

  #close(): void {
    this.#stroke?.close();
    this.#stroke = null;
  }

  #show(scene: Scene): void {
    this.#scene = scene;
    this.replaced.emit();
  }
}
