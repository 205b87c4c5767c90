// The row that blends the chosen preset with another: a slider from the one to the other.

import { make, part } from "./dom";
import { Signal } from "./signal";
import { nameOfStyle, type Style } from "./style";
import { text } from "./texts";

const NONE = "";
const MIDDLE = 0.5;

export class BlendSlider {
  readonly changed = new Signal();
  readonly #second = part<HTMLSelectElement>("blend-second");
  readonly #weight = part<HTMLInputElement>("blend-weight");
  #first = "";

  constructor() {
    this.#second.addEventListener("change", () => {
      this.#setWeight(this.#second.value === NONE ? 0 : MIDDLE);
      this.changed.emit();
    });
    this.#weight.addEventListener("input", () => {
      this.#tell();
      this.changed.emit();
    });
  }

  /** The first preset, or its blend with the other. */
  get style(): Style {
    const second = this.#second.value;
    return second === NONE ? this.#first : { blend: [this.#first, second], weight: Number(this.#weight.value) / 100 };
  }

  /** Offers to blend `first` with the others of `presets`. */
  offer(presets: readonly string[], first: string, second: string = NONE, weight: number = 0): void {
    this.#first = first;
    const others = presets.filter((name) => name !== first);
    const options = others.map((name) => make("option", { value: name, textContent: nameOfStyle(name) }));
    this.#second.replaceChildren(make("option", { value: NONE, textContent: text("blendNone") }), ...options);
    this.#second.value = others.includes(second) ? second : NONE;
    part("blend-first").textContent = nameOfStyle(first);
    part("blend").hidden = !others.length;
    this.#setWeight(this.#second.value === NONE ? 0 : weight);
  }

  /** Goes on with another first preset, as far as that is no blend with itself. */
  changeFirst(presets: readonly string[], first: string): void {
    this.offer(presets, first, this.#second.value, Number(this.#weight.value) / 100);
  }

  #setWeight(weight: number): void {
    this.#weight.value = String(Math.round(weight * 100));
    this.#tell();
  }

  #tell(): void {
    const isBlended = this.#second.value !== NONE;
    const percent = Number(this.#weight.value);
    const [first, second] = [nameOfStyle(this.#first), nameOfStyle(this.#second.value)];
    this.#weight.disabled = !isBlended;
    const words = isBlended ? text("blendOf", { first, rest: 100 - percent, second, percent }) : first;
    this.#weight.setAttribute("aria-valuetext", words);
    part("blend-number").textContent = isBlended ? `${percent} %` : "";
  }
}
