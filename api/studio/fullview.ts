// The picture alone, as large as the window or pixel by pixel.

import { part } from "./dom";
import type { PicturePanel } from "./picture";

export class FullView {
  readonly #dialog = part<HTMLDialogElement>("full-dialog");
  readonly #image = part<HTMLImageElement>("full-picture");
  readonly #open = part<HTMLButtonElement>("full-open");

  constructor(picture: PicturePanel) {
    const small = part<HTMLImageElement>("picture");
    picture.shown.on(() => {
      this.#open.disabled = false;
      this.#image.src = small.src;
      this.#image.alt = small.alt;
    });
    picture.cleared.on(() => (this.#open.disabled = true));
    this.#image.addEventListener("load", () => {
      part("full-pixels").textContent = `${this.#image.naturalWidth} × ${this.#image.naturalHeight}`;
    });
    this.#open.addEventListener("click", () => this.show());
    small.addEventListener("click", () => this.show());
    const scale = part<HTMLFieldSetElement>("full-scale");
    scale.addEventListener("change", (event) => {
      part("full-stage").dataset["scale"] = (event.target as HTMLInputElement).value;
    });
  }

  show(): void {
    if (!this.#open.disabled) this.#dialog.showModal();
  }
}
