// The controls around the map: tools and their settings, layers, zoom, undo.

import type { LayerName } from "./drawing";
import { make, part } from "./dom";
import type { Editor } from "./editor";
import type { BrushForm } from "./geometry";
import { text } from "./texts";
import { TOOL_KEYS, type Toolbox, type ToolName } from "./toolbox";
import type { View } from "./view";
import type { Viewport } from "./viewport";

const ZOOM_STEP = 1.25;
const SVG = "http://www.w3.org/2000/svg";
const SIZED: readonly ToolName[] = ["brush", "line", "eraser"];

export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

function choose(name: string, value: string): void {
  const input = document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`);
  if (input) input.checked = true;
}

/** The focus of a button that can do no more goes to its counterpart, rather than nowhere. */
function enable(id: string, isEnabled: boolean, counterpart: string): void {
  const button = part<HTMLButtonElement>(id);
  const hadFocus = document.activeElement === button;
  button.disabled = !isEnabled;
  if (hadFocus && !isEnabled) part(counterpart).focus();
}

function listen(name: string, act: (value: string) => void): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    input.addEventListener("change", () => act(input.value));
  }
}

export class Controls {
  readonly #size = part<HTMLInputElement>("size");
  readonly #mirror = part<HTMLInputElement>("mirror");

  constructor(
    private readonly editor: Editor,
    private readonly toolbox: Toolbox,
    private readonly viewport: Viewport,
    view: View,
  ) {
    this.#makeTools();
    this.#size.addEventListener("input", () => editor.configure({ size: Number(this.#size.value) }));
    this.#mirror.addEventListener("change", () => editor.configure({ isMirrored: this.#mirror.checked }));
    listen("form", (value) => editor.configure({ form: value as BrushForm }));
    listen("layer", (value) => editor.configure({ layer: value as LayerName }));
    const copying = part<HTMLInputElement>("copying");
    copying.addEventListener("change", () => (toolbox.select.isCopying = copying.checked));
    const objects = part<HTMLInputElement>("show-objects");
    objects.addEventListener("change", () => {
      view.showsObjects = objects.checked;
      view.refresh();
    });
    part("finish").addEventListener("click", () => toolbox.tool.finish?.());
    part("undo").addEventListener("click", () => editor.undo());
    part("redo").addEventListener("click", () => editor.redo());
    part("zoom-in").addEventListener("click", () => this.zoom(1));
    part("zoom-out").addEventListener("click", () => this.zoom(-1));
    part("zoom-fit").addEventListener("click", () => viewport.fit());
    viewport.moved.on(() => (part("zoom").textContent = `${Math.round(viewport.scale * 100)} %`));
    toolbox.changed.on(() => this.#show());
    editor.configured.on(() => this.#show());
    editor.stepped.on(() => this.#show());
    editor.replaced.on(() => this.#show());
    this.#show();
  }

  zoom(steps: number): void {
    this.viewport.zoom(ZOOM_STEP ** steps);
  }

  #makeTools(): void {
    for (const [name, key] of Object.entries(TOOL_KEYS)) {
      const label = text(name as ToolName);
      const button = make("button", { type: "button", className: "tool", title: `${label} (${key})` }, icon(name));
      button.dataset["tool"] = name;
      button.setAttribute("aria-label", label);
      button.setAttribute("aria-keyshortcuts", key);
      button.addEventListener("click", () => this.toolbox.use(name as ToolName));
      part("tools").append(button);
    }
  }

  #show(): void {
    const { settings, history, drawing } = this.editor;
    for (const button of part("tools").children) {
      button.setAttribute("aria-pressed", String((button as HTMLElement).dataset["tool"] === this.toolbox.name));
    }
    part("stage").dataset["tool"] = this.toolbox.name;
    this.#size.value = String(settings.size);
    part("size-number").textContent = String(settings.size);
    this.#mirror.checked = settings.isMirrored;
    choose("form", settings.form);
    choose("layer", settings.layer);
    const isSized = SIZED.includes(this.toolbox.name);
    part("brush-options").hidden = !isSized;
    part("select-options").hidden = this.toolbox.name !== "select";
    part("finish").hidden = this.toolbox.name !== "polygon";
    enable("undo", history.canUndo, "redo");
    enable("redo", history.canRedo, "undo");
    part("map-size").textContent = `${drawing.width} × ${drawing.height}`;
  }
}
