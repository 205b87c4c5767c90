// Before and after: the map that the picture was made of lies over it, up to a line that the person moves.

import { imageOf } from "./coloring";
import { part } from "./dom";
import type { Made } from "./generation";
import type { PicturePanel } from "./picture";
import type { LabelClass } from "./service";
import { text } from "./texts";

export class Compare {
  readonly #switch = part<HTMLInputElement>("compare");
  readonly #divider = part<HTMLInputElement>("divider");
  readonly #frame = part("picture-frame");
  #made: Made | null = null;

  constructor(
    picture: PicturePanel,
    private readonly classesOf: (model: string) => readonly LabelClass[],
  ) {
    picture.shown.on((made) => {
      this.#made = made;
      this.#switch.disabled = false;
      this.#show();
    });
    picture.cleared.on(() => {
      this.#made = null;
      this.#switch.disabled = true;
      this.#switch.checked = false;
      this.#show();
    });
    // The frame has the picture's form, so that map and picture lie exactly on each other.
    const image = part<HTMLImageElement>("picture");
    image.addEventListener("load", () => {
      this.#frame.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
    });
    this.#switch.addEventListener("change", () => this.#show());
    this.#divider.addEventListener("input", () => this.#move());
    this.#move();
  }

  toggle(): void {
    if (this.#switch.disabled) return;
    this.#switch.checked = !this.#switch.checked;
    this.#show();
  }

  #show(): void {
    const isOn = this.#switch.checked;
    for (const id of ["compare-map", "divider", "divider-handle"]) part(id).hidden = !isOn;
    if (!isOn || !this.#made) return;
    const { drawing, model } = this.#made.source;
    const canvas = part<HTMLCanvasElement>("compare-map");
    canvas.width = drawing.width;
    canvas.height = drawing.height;
    canvas.getContext("2d")?.putImageData(imageOf(drawing, this.classesOf(model)), 0, 0);
  }

  #move(): void {
    const percent = this.#divider.valueAsNumber;
    this.#frame.style.setProperty("--divider", `${percent}%`);
    this.#divider.setAttribute("aria-valuetext", text("compareShare", { percent: Math.round(percent) }));
  }
}
