// Mouse, pen and fingers on the stage: one paints, two move and enlarge.

import type { Point } from "./geometry";
import type { Toolbox } from "./toolbox";
import type { Viewport } from "./viewport";

const WHEEL_ZOOM = 0.0015;
const LIGHTEST = 0.25;
const MIDDLE_BUTTON = 1;

type Act = "none" | "paint" | "move" | "gesture";

export class Pointers {
  #act: Act = "none";
  readonly #fingers = new Map<number, { x: number; y: number }>();

  constructor(
    private readonly stage: HTMLElement,
    private readonly viewport: Viewport,
    private readonly toolbox: Toolbox,
    /** Told where the pointer is over the map; null when it has left. */
    private readonly onHover: (point: Point | null) => void,
  ) {
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#up(event, true));
    stage.addEventListener("pointerleave", () => this.onHover(null));
    stage.addEventListener("dblclick", () => this.toolbox.tool.finish?.());
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #down(event: PointerEvent): void {
    if (event.button > MIDDLE_BUTTON) return;
    this.stage.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#fingers.size > 1) {
      if (this.#act === "paint") this.toolbox.takeBack();
      this.#act = "gesture";
    } else if (this.toolbox.name === "hand" || event.button === MIDDLE_BUTTON) {
      this.#act = "move";
    } else {
      this.#act = "paint";
      this.toolbox.tool.press(this.#pixel(event), pressureOf(event));
    }
  }

  #move(event: PointerEvent): void {
    const finger = this.#fingers.get(event.pointerId);
    if (event.pointerType !== "touch") this.onHover(this.#pixel(event));
    if (!finger) return;
    if (this.#act === "paint") {
      const events = event.getCoalescedEvents();
      for (const part of events.length ? events : [event]) {
        this.toolbox.tool.drag?.(this.#pixel(part), pressureOf(part));
      }
    } else if (this.#act === "move") {
      this.viewport.pan(event.clientX - finger.x, event.clientY - finger.y);
    }
    const before = this.#spread();
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#act === "gesture") this.#pinch(before);
  }

  #up(event: PointerEvent, isCanceled = false): void {
    if (!this.#fingers.delete(event.pointerId)) return;
    if (this.#act === "paint") {
      if (isCanceled) this.toolbox.takeBack();
      else this.toolbox.tool.release?.(this.#pixel(event));
    }
    if (this.#fingers.size === 0) this.#act = "none";
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.shiftKey) this.viewport.pan(-event.deltaY, 0);
    else this.viewport.zoom(Math.exp(-event.deltaY * WHEEL_ZOOM), event.clientX, event.clientY);
  }

  /** The middle between the first two fingers and how far they are apart. */
  #spread(): { x: number; y: number; apart: number } | null {
    const [a, b] = [...this.#fingers.values()];
    if (!a || !b) return null;
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  #pinch(before: { x: number; y: number; apart: number } | null): void {
    const now = this.#spread();
    if (!before || !now) return;
    this.viewport.pan(now.x - before.x, now.y - before.y);
    if (before.apart > 0 && now.apart > 0) this.viewport.zoom(now.apart / before.apart, now.x, now.y);
  }

  #pixel(event: PointerEvent): Point {
    return this.viewport.pixelAt(event.clientX, event.clientY);
  }
}

function pressureOf(event: PointerEvent): number {
  return event.pointerType === "pen" ? LIGHTEST + (1 - LIGHTEST) * event.pressure : 1;
}
