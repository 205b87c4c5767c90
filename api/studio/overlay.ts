// What is shown above the map and is no part of it: the brush, the cursor of the keyboard, selection, polygon, axis.

import type { Editor } from "./editor";
import { type Box, ellipse, type Point, rectangle, type Span } from "./geometry";
import { part } from "./dom";
import type { Toolbox } from "./toolbox";

export class Overlay {
  readonly #svg = part<SVGSVGElement>("overlay");
  readonly #brush = part<SVGPathElement>("overlay-brush");
  readonly #brushBack = part<SVGPathElement>("overlay-brush-back");
  readonly #cursor = part<SVGPathElement>("overlay-cursor");
  readonly #selection = part<SVGRectElement>("overlay-selection");
  readonly #corners = part<SVGPolylineElement>("overlay-corners");
  readonly #axis = part<SVGLineElement>("overlay-axis");
  #at: Point | null = null;

  constructor(
    private readonly editor: Editor,
    private readonly toolbox: Toolbox,
  ) {
    editor.replaced.on(() => this.#resize());
    editor.configured.on(() => this.#draw());
    toolbox.guided.on(() => this.#draw());
    toolbox.changed.on(() => this.#draw());
    this.#resize();
  }

  /** The pixel under the pointer; null when it is elsewhere. */
  hover(point: Point | null): void {
    this.#at = point;
    this.#draw();
  }

  /** Where the cursor of the keyboard is; null to hide it. */
  showCursor(point: Point | null): void {
    this.#cursor.toggleAttribute("hidden", point === null);
    if (!point) return;
    const [x, y] = [point.x + 0.5, point.y + 0.5];
    const arm = Math.max(4, this.editor.drawing.width / 32);
    this.#cursor.setAttribute("d", `M${x - arm},${y}H${x + arm}M${x},${y - arm}V${y + arm}`);
    this.#at = point;
    this.#draw();
  }

  #resize(): void {
    const { width, height } = this.editor.drawing;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#axis.setAttribute("x1", String(width / 2));
    this.#axis.setAttribute("x2", String(width / 2));
    this.#axis.setAttribute("y2", String(height));
    this.#draw();
  }

  #draw(): void {
    const size = this.toolbox.tool.size?.();
    const outline = size && this.#at ? outlineOf(size, this.editor.settings.form, this.#at) : "";
    for (const path of [this.#brush, this.#brushBack]) path.setAttribute("d", outline);
    const guide = this.toolbox.tool.guide?.() ?? {};
    this.#showSelection(guide.selection ?? null);
    const corners = guide.corners ?? [];
    const path = this.#at && corners.length ? [...corners, this.#at] : corners;
    this.#corners.setAttribute("points", path.map(({ x, y }) => `${x + 0.5},${y + 0.5}`).join(" "));
    this.#axis.toggleAttribute("hidden", !this.editor.settings.isMirrored);
  }

  #showSelection(box: Box | null): void {
    this.#selection.toggleAttribute("hidden", box === null);
    if (!box) return;
    this.#selection.setAttribute("x", String(box.left));
    this.#selection.setAttribute("y", String(box.top));
    this.#selection.setAttribute("width", String(box.right - box.left));
    this.#selection.setAttribute("height", String(box.bottom - box.top));
  }
}

/** The edge of exactly the pixels that a brush covers. */
function outlineOf(size: number, form: "round" | "square", at: Point): string {
  const half = Math.floor(size / 2);
  const box = { left: at.x - half, top: at.y - half, right: at.x - half + size, bottom: at.y - half + size };
  const spans: Span[] = form === "round" ? ellipse(box) : rectangle(box);
  const down = spans.map(({ y, right }) => `H${right}V${y + 1}`).join("");
  const up = spans.reverse().map(({ y, left }) => `H${left}V${y}`).join("");
  return `M${spans.at(-1)!.left},${box.top}${down}${up}Z`;
}
