// Everything by keyboard: shortcuts, and a cursor on the map that paints as a pointer does.

import type { Editor } from "./editor";
import type { Point } from "./geometry";
import { part } from "./dom";
import type { Overlay } from "./overlay";
import { text } from "./texts";
import type { Toolbox } from "./toolbox";

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};
const LONG_STEP = 10;

/** The map's own keys, while it has the focus. */
export class CanvasKeys {
  #at: Point | null = null;
  #isDown = false;

  constructor(
    stage: HTMLElement,
    private readonly editor: Editor,
    private readonly toolbox: Toolbox,
    private readonly overlay: Overlay,
    private readonly nameOf: (material: number) => string,
  ) {
    stage.addEventListener("keydown", (event) => this.#press(event));
    stage.addEventListener("keyup", (event) => event.key === " " && this.#lift());
    stage.addEventListener("blur", () => {
      this.#lift();
      overlay.showCursor(null);
    });
    stage.addEventListener("pointerdown", () => overlay.showCursor(null));
    editor.replaced.on(() => (this.#at = null));
  }

  #press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.#move(arrow, event.shiftKey ? LONG_STEP : 1);
    else if (event.key === " ") this.#lower(event);
    else if (event.key === "Enter") this.#enter(event);
    else return;
    event.preventDefault();
  }

  #move(arrow: Point, pixels: number): void {
    const { width, height } = this.editor.drawing;
    const from = this.#position();
    this.#at = {
      x: Math.min(width - 1, Math.max(0, from.x + arrow.x * pixels)),
      y: Math.min(height - 1, Math.max(0, from.y + arrow.y * pixels)),
    };
    if (this.#isDown) this.toolbox.tool.drag?.(this.#at, 1);
    this.overlay.showCursor(this.#at);
    const { x, y } = this.#at;
    part("announcer").textContent = text("cursorAt", { x, y, material: this.nameOf(this.editor.materialAt(this.#at)) });
  }

  #lower(event: KeyboardEvent): void {
    if (event.repeat || this.#isDown) return;
    this.#isDown = true;
    this.overlay.showCursor(this.#position());
    this.toolbox.tool.press(this.#position(), 1);
  }

  #lift(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.toolbox.tool.release?.(this.#position());
  }

  #enter(event: KeyboardEvent): void {
    if (this.toolbox.tool.finish) this.toolbox.tool.finish();
    else if (this.#isDown) this.#lift();
    else this.#lower(event);
  }

  #position(): Point {
    const { width, height } = this.editor.drawing;
    this.#at ??= { x: Math.floor(width / 2), y: Math.floor(height / 2) };
    return this.#at;
  }
}

const TYPED_INTO = "input:is([type=number], [type=search], [type=password], [type=text]), select, textarea";

const isTypedInto = (event: Event) => event.target instanceof Element && event.target.matches(TYPED_INTO);
export const isDialogOpen = () => document.querySelector("dialog[open]") !== null;

/** Whether what the person does is meant for a field or a dialog, and not for the map. */
export const isForField = (event: Event): boolean => isDialogOpen() || isTypedInto(event);

/** What a shortcut does; false where it had nothing to do, and the browser may do what it does with the key. */
export type Act = () => boolean | void;

/** Shortcuts of the whole page by key, such as `b` or `Ctrl+z`; Command counts as Ctrl. They rest while one types. */
export function listenForShortcuts(shortcuts: Readonly<Record<string, Act>>): void {
  document.addEventListener("keydown", (event) => {
    if (isDialogOpen()) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const isCommand = event.ctrlKey || event.metaKey;
    if (event.altKey || (isTypedInto(event) && !(isCommand && key === "Enter"))) return;
    const wanted = (isCommand ? "Ctrl+" : "") + (event.shiftKey && isCommand ? "Shift+" : "") + key;
    const act = shortcuts[wanted];
    if (act && act() !== false) event.preventDefault();
  });
}
