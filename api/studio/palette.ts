// The panel of materials: search, groups, recent ones.

import { UNKNOWN } from "./drawing";
import { make, part } from "./dom";
import type { Editor } from "./editor";
import { GROUPS, groupOf, nameOf } from "./materials";
import type { LabelClass, Model } from "./service";
import { text } from "./texts";

const MOST_RECENT = 6;
/** With fewer materials, all are in sight anyway. */
const FEWEST_FOR_RECENT = 24;

export class Palette {
  readonly #list = part("palette-list");
  readonly #search = part<HTMLInputElement>("palette-search");
  #classes: readonly LabelClass[] = [];
  #recent: number[] = [];

  constructor(private readonly editor: Editor) {
    this.#search.addEventListener("input", () => this.#render());
    this.#search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.pick(0);
      if (event.key === "Escape") this.#clearSearch();
    });
    this.#list.addEventListener("keydown", (event) => this.#walk(event));
    editor.configured.on(() => this.#mark());
    editor.stepped.on((step) => step?.kind === "change" && this.#remember());
  }

  setModel(model: Model): void {
    this.#classes = model.classes.filter(({ id }) => id < UNKNOWN);
    this.#recent = [];
    this.#clearSearch();
    if (!this.#classes.some(({ id }) => id === this.editor.settings.material)) {
      this.editor.configure({ material: this.#classes[0]!.id });
    }
  }

  nameOf(material: number): string {
    const found = this.#classes.find(({ id }) => id === material);
    return found ? nameOf(found) : text("unknown");
  }

  /** Picks the material that is shown in this place, counted from 0. */
  pick(place: number): void {
    this.#buttons()[place]?.click();
  }

  focusSearch(): void {
    this.#search.focus();
  }

  #clearSearch(): void {
    this.#search.value = "";
    this.#render();
  }

  #buttons(): HTMLButtonElement[] {
    return [...this.#list.querySelectorAll("button")];
  }

  #render(): void {
    const wanted = this.#search.value.trim().toLowerCase();
    const fits = (item: LabelClass) => !wanted || [item.name, nameOf(item)].some((n) => n.toLowerCase().includes(wanted));
    const shown = this.#classes.filter(fits);
    const groups: [string, readonly LabelClass[]][] = GROUPS.map((group) => [
      text(`group-${group}`),
      shown.filter((item) => groupOf(item) === group),
    ]);
    if (!wanted && this.#classes.length >= FEWEST_FOR_RECENT) {
      groups.unshift([text("recent"), this.#recent.map((id) => this.#classes.find((item) => item.id === id)!)]);
    }
    const sections = groups.filter(([, items]) => items.length).map(([title, items]) => this.#section(title, items));
    this.#list.replaceChildren(
      ...(sections.length ? sections : [make("p", { className: "hint", textContent: text("noMaterial") })]),
    );
    this.#mark();
  }

  #section(title: string, items: readonly LabelClass[]): HTMLElement {
    const heading = make("h3", { textContent: title });
    const list = make("div", { className: "swatches" }, ...items.map((item) => this.#button(item)));
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", title);
    return make("section", {}, heading, list);
  }

  #button(item: LabelClass): HTMLButtonElement {
    const patch = make("i");
    patch.style.background = item.color;
    const button = make("button", { type: "button", className: "swatch" }, patch, make("span", { textContent: nameOf(item) }));
    button.dataset["material"] = String(item.id);
    button.addEventListener("click", () => this.editor.configure({ material: item.id }));
    return button;
  }

  #mark(): void {
    const { material } = this.editor.settings;
    for (const button of this.#buttons()) {
      button.setAttribute("aria-pressed", String(button.dataset["material"] === String(material)));
    }
  }

  #remember(): void {
    if (this.#classes.length < FEWEST_FOR_RECENT) return;
    const { material } = this.editor.settings;
    if (material === UNKNOWN || this.#recent.includes(material)) return;
    this.#recent = [material, ...this.#recent].slice(0, MOST_RECENT);
    if (!this.#search.value) this.#renderInPlace();
  }

  /** What was in sight stays where it was, and in focus. */
  #renderInPlace(): void {
    const focused = this.#buttons().indexOf(document.activeElement as HTMLButtonElement);
    const [height, top] = [this.#list.scrollHeight, this.#list.scrollTop];
    const fromEnd = this.#buttons().length - focused;
    this.#render();
    this.#list.scrollTop = top && top + this.#list.scrollHeight - height;
    if (focused >= 0) this.#buttons().at(-fromEnd)?.focus({ preventScroll: true });
  }

  /** Up and down go from material to material. */
  #walk(event: KeyboardEvent): void {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    if (!by || at < 0) return;
    event.preventDefault();
    buttons[(at + by + buttons.length) % buttons.length]?.focus();
  }
}
