// The tools. Each is told where a pointer, or the cursor of the keyboard, goes down, moves and goes up.

import { cellOf, classOf, NOTHING, objectOf } from "./drawing";
import type { Editor } from "./editor";
import { type Box, boxOf, ellipse, flood, type Point, polygon, rectangle, type Span, sweep } from "./geometry";
import { Signal } from "./signal";
import type { Stroke } from "./stroke";

/** What a tool shows above the map without painting it. */
export interface Guide {
  readonly selection?: Box | null;
  readonly corners?: readonly Point[];
}

export interface Tool {
  /** `pressure` is 0 to 1; of what has none, 1. */
  press(point: Point, pressure: number): void;
  drag?(point: Point, pressure: number): void;
  release?(point: Point): void;
  /** Ends what takes several presses, as Enter does. */
  finish?(): void;
  /** Gives up all that was begun. */
  cancel?(): void;
  /** Gives up the press under way and nothing before it, where that is not the same as `cancel`. */
  takeBack?(): void;
  guide?(): Guide;
  readonly guided?: Signal;
  /** Diameter of what it paints, where it is like a brush. */
  size?(): number;
}

/** Paints along the way: brush, pencil, eraser. */
class Brush implements Tool {
  #last: Point | null = null;
  #value = 0;
  #stroke: Stroke | null = null;

  constructor(
    private readonly editor: Editor,
    private readonly valueFor: (point: Point) => number | null,
    readonly size: () => number = () => editor.settings.size,
  ) {}

  press(point: Point, pressure: number): void {
    const value = this.valueFor(point);
    if (value === null) return;
    this.#value = value;
    this.#stroke = this.editor.begin();
    this.#last = point;
    this.drag(point, pressure);
  }

  drag(point: Point, pressure: number): void {
    if (!this.#stroke || !this.#last) return;
    const size = Math.max(1, Math.round(this.size() * pressure));
    this.#stroke.paint(sweep(this.editor.settings.form, size, this.#last, point), this.#value);
    this.#last = point;
  }

  release(): void {
    if (this.#stroke) this.editor.commit();
    this.#stroke = null;
  }

  cancel(): void {
    this.#stroke = null;
    this.editor.cancel();
  }
}

/** A shape between where the pointer went down and where it is. */
class ShapeTool implements Tool {
  #from: Point | null = null;
  #value = 0;
  #stroke: Stroke | null = null;

  constructor(
    private readonly editor: Editor,
    private readonly shape: (from: Point, to: Point) => Span[],
  ) {}

  press(point: Point): void {
    const value = this.editor.valueFor(point);
    if (value === null) return;
    this.#value = value;
    this.#from = point;
    this.#stroke = this.editor.begin();
    this.drag(point);
  }

  drag(point: Point): void {
    if (!this.#stroke || !this.#from) return;
    this.#stroke.restart();
    this.#stroke.paint(this.shape(this.#from, point), this.#value);
  }

  release(): void {
    if (this.#stroke) this.editor.commit();
    this.#stroke = null;
  }

  cancel(): void {
    this.#stroke = null;
    this.editor.cancel();
  }
}

const CLOSE_PIXELS = 4;

/** A corner where each press ends; done with Enter, a double press, or a press on the first corner. */
class PolygonTool implements Tool {
  readonly guided = new Signal();
  #corners: Point[] = [];
  /** Where the next corner is to be, while it is pressed. */
  #pressed: Point | null = null;

  constructor(private readonly editor: Editor) {
    editor.replaced.on(() => this.cancel());
  }

  press(point: Point): void {
    this.#pressed = point;
    this.guided.emit();
  }

  drag(point: Point): void {
    if (this.#pressed) this.press(point);
  }

  release(): void {
    const point = this.#pressed;
    if (!point) return;
    this.#pressed = null;
    const near = (corner: Point | undefined, distance: number) =>
      corner && Math.max(Math.abs(corner.x - point.x), Math.abs(corner.y - point.y)) <= distance;
    if (this.#corners.length > 2 && (near(this.#corners[0], CLOSE_PIXELS) || near(this.#corners.at(-1), 1))) {
      this.finish();
      return;
    }
    this.#corners.push(point);
    this.guided.emit();
  }

  finish(): void {
    const [first] = this.#corners;
    const value = this.#corners.length > 2 && first ? this.editor.valueFor(first) : null;
    if (value !== null) {
      this.editor.begin().paint(polygon(this.#corners), value);
      this.editor.commit();
    }
    this.cancel();
  }

  cancel(): void {
    this.#corners = [];
    this.takeBack();
  }

  takeBack(): void {
    this.#pressed = null;
    this.guided.emit();
  }

  guide(): Guide {
    return { corners: this.#pressed ? [...this.#corners, this.#pressed] : this.#corners };
  }
}

/** Acts where it was pressed once it is released: until then a second finger may show that it was no press. */
abstract class OnRelease implements Tool {
  #pressed: Point | null = null;

  constructor(protected readonly editor: Editor) {}

  protected abstract act(point: Point): void;

  press(point: Point): void {
    this.#pressed = point;
  }

  release(): void {
    const point = this.#pressed;
    this.#pressed = null;
    if (point && this.editor.isInside(point)) this.act(point);
  }

  cancel(): void {
    this.#pressed = null;
  }
}

/** Fills what is connected. On the layer of objects, what is seen there becomes an object. */
class FillTool extends OnRelease {
  protected act(point: Point): void {
    const { drawing, settings } = this.editor;
    const value = this.editor.valueFor(point);
    if (value === null) return;
    const valueAt =
      settings.layer === "objects"
        ? (index: number) => drawing.cellAt(index)
        : (index: number) => drawing.background[index]!;
    this.editor.begin().paint(flood(valueAt, drawing.width, drawing.height, point), value);
    this.editor.commit();
  }
}

/** Turns a material into another, wherever it is on the layer. */
class SwapTool extends OnRelease {
  protected act(point: Point): void {
    const { drawing, settings } = this.editor;
    const under = drawing[settings.layer][this.editor.indexOf(point)]!;
    if (settings.layer === "objects" && under === NOTHING) return;
    this.editor.begin().exchange((cell) => {
      const isMeant = classOf(cell) === classOf(under) && (settings.layer === "background" || cell !== NOTHING);
      return isMeant ? cellOf(objectOf(cell), settings.material) : cell;
    });
    this.editor.commit();
  }
}

/** Takes the material under the pointer. */
class PickTool implements Tool {
  constructor(private readonly editor: Editor) {}

  press(point: Point): void {
    if (this.editor.isInside(point)) this.editor.configure({ material: this.editor.materialAt(point) });
  }

  drag(point: Point): void {
    this.press(point);
  }
}

export function paintingTools(editor: Editor) {
  const size = () => editor.settings.size;
  return {
    brush: new Brush(editor, (point) => editor.valueFor(point)),
    pencil: new Brush(editor, (point) => editor.valueFor(point), () => 1),
    eraser: new Brush(editor, () => editor.erased),
    line: new ShapeTool(editor, (from, to) => sweep(editor.settings.form, size(), from, to)),
    rectangle: new ShapeTool(editor, (from, to) => rectangle(boxOf(from, to))),
    ellipse: new ShapeTool(editor, (from, to) => ellipse(boxOf(from, to))),
    polygon: new PolygonTool(editor),
    fill: new FillTool(editor),
    swap: new SwapTool(editor),
    pick: new PickTool(editor),
  } satisfies Record<string, Tool>;
}
