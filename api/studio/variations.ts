// The grid of variations in place of the picture: each with its seed, one of them to be chosen.

import { make, part } from "./dom";
import type { Made } from "./generation";
import { Signal } from "./signal";
import { text } from "./texts";

const COUNTS = [4, 9];

/** Buttons that ask for variations. */
export function offerVariations(vary: (count: number) => void): void {
  for (const count of COUNTS) {
    const button = make("button", { type: "button", textContent: text("variationsOf", { count }) });
    button.addEventListener("click", () => vary(count));
    part("variations-row").append(button);
  }
}

/** Rather than nowhere, where what was in focus is gone. */
const focusOffer = () => part("variations-row").querySelector("button")!.focus();

export class VariationGrid {
  readonly chosen = new Signal<Made>();
  readonly #grid = part("variations");
  readonly #back = part("variations-back");
  #urls: string[] = [];

  constructor() {
    this.#back.addEventListener("click", () => {
      this.close();
      focusOffer();
    });
  }

  /** Shows places for as many pictures, in as many columns as rows. */
  open(count: number): void {
    this.close();
    this.#grid.style.setProperty("--columns", String(Math.ceil(Math.sqrt(count))));
    this.#grid.append(...Array.from({ length: count }, () => make("span", { className: "variation" })));
    this.#grid.hidden = false;
  }

  /** Puts pictures where they are not yet. */
  fill(variations: readonly (Made | null)[]): void {
    variations.forEach((made, place) => {
      const cell = this.#grid.children[place];
      if (made && cell?.matches("span")) cell.replaceWith(this.#buttonOf(made));
    });
  }

  /** No more pictures come: the places of those that did not are gone. */
  end(): void {
    for (const cell of this.#grid.querySelectorAll("span.variation")) cell.remove();
    if (this.#grid.children.length) this.#back.hidden = false;
    else this.close();
  }

  close(): void {
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
    this.#grid.replaceChildren();
    this.#grid.hidden = true;
    this.#back.hidden = true;
  }

  #buttonOf(made: Made): HTMLButtonElement {
    const url = URL.createObjectURL(made.picture);
    this.#urls.push(url);
    const picture = make("img", { src: url, alt: "", draggable: false });
    picture.addEventListener("load", () => {
      this.#grid.style.setProperty("--ratio", String(picture.naturalWidth / picture.naturalHeight));
    });
    const seed = make("span", { textContent: text("variation", { seed: made.seed }) });
    const button = make("button", { type: "button", className: "variation" }, picture, seed);
    button.addEventListener("click", () => {
      this.chosen.emit(made);
      this.close();
      focusOffer();
    });
    return button;
  }
}
