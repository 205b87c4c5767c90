// The tiles of styles: by seed, the model's presets, a picture of one's own; and what each of them lets one do.

import { BlendSlider } from "./blend";
import { icon } from "./controls";
import { make, part } from "./dom";
import type { Model } from "./service";
import { Signal } from "./signal";
import { BY_SEED, fitting, isBlend, isPicture, nameOfStyle, type Style, type StylePicture } from "./style";
import { readStylePicture } from "./style-picture";
import { text } from "./texts";

const OF_PICTURE = "style-of-picture";

export class StyleChooser {
  readonly changed = new Signal();
  /** A file, by its name, in which the browser sees no picture. */
  readonly unreadable = new Signal<string>();
  readonly #tiles = part("styles");
  readonly #blend = new BlendSlider();
  #model: Model | null = null;
  #picture: StylePicture | null = null;
  #pictureUrl = "";

  constructor() {
    this.#tiles.addEventListener("change", () => this.#choose());
    this.#blend.changed.on(() => this.changed.emit());
    const file = part<HTMLInputElement>("style-file");
    for (const id of ["style-open", "style-other"]) part(id).addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      if (chosen) void this.#take(chosen);
      file.value = "";
    });
    part("style-remove").addEventListener("click", () => {
      this.#setPicture(null);
      this.leaveToSeed();
      this.#checked()!.focus();
      this.changed.emit();
    });
    this.#acceptDrops();
  }

  get style(): Style {
    const checked = this.#checked();
    if (checked?.id === OF_PICTURE) return this.#picture!;
    return checked?.value ? this.#blend.style : BY_SEED;
  }

  /** Offers the styles of a model, `style` chosen if it has it. */
  show(model: Model, style: Style): void {
    this.#model = model;
    const chosen = fitting(style, model);
    const first = isBlend(chosen) ? chosen.blend[0] : isPicture(chosen) ? null : chosen;
    const presets = [BY_SEED, ...model.styles].map((name) => this.#tileOf(name, name === first));
    this.#tiles.replaceChildren(...presets);
    if (isPicture(chosen) && chosen !== this.#picture) this.#setPicture(chosen);
    const shown = model.reads_styles ? this.#picture : null;
    if (shown) this.#tiles.append(this.#tileOfPicture(shown, isPicture(chosen)));
    if (isBlend(chosen)) this.#blend.offer(model.styles, ...chosen.blend, chosen.weight);
    else this.#blend.offer(model.styles, first ?? BY_SEED);
    part("style-open").hidden = !model.reads_styles || shown !== null;
    part("style-drop").hidden = !model.reads_styles;
    part("style-tiles").hidden = !model.styles.length && !model.reads_styles;
    this.#showRows();
  }

  leaveToSeed(): void {
    this.show(this.#model!, BY_SEED);
  }

  #checked(): HTMLInputElement | null {
    return this.#tiles.querySelector<HTMLInputElement>("input:checked");
  }

  #choose(): void {
    const preset = this.#checked()!.value;
    if (preset) this.#blend.changeFirst(this.#model!.styles, preset);
    this.#showRows();
    this.changed.emit();
  }

  #tileOf(name: string, isChosen: boolean): HTMLElement {
    const input = make("input", { type: "radio", name: "style", value: name, checked: isChosen });
    if (name === BY_SEED) return tile(input, icon("dice"), text("bySeed"));
    const shown = nameOfStyle(name);
    const thumbnail = this.#model!.style_thumbnails[name];
    if (!thumbnail) return tile(input, make("b", { textContent: shown.slice(0, 1) }), shown);
    return tile(input, pictureAt(`data:image/jpeg;base64,${thumbnail}`), shown);
  }

  #tileOfPicture({ name }: StylePicture, isChosen: boolean): HTMLElement {
    part("style-name").textContent = name;
    const input = make("input", { type: "radio", name: "style", id: OF_PICTURE, checked: isChosen });
    return tile(input, pictureAt(this.#pictureUrl), text("ownStyle"));
  }

  #setPicture(picture: StylePicture | null): void {
    if (this.#pictureUrl) URL.revokeObjectURL(this.#pictureUrl);
    this.#picture = picture;
    this.#pictureUrl = picture ? URL.createObjectURL(new Blob([picture.bytes], { type: picture.type })) : "";
  }

  async #take(file: File): Promise<void> {
    const picture = await readStylePicture(file);
    if (!picture) return this.unreadable.emit(file.name);
    this.show(this.#model!, picture);
    this.changed.emit();
  }

  /** What the chosen tile lets one do. */
  #showRows(): void {
    const { style } = this;
    part("blend-row").hidden = style === BY_SEED || isPicture(style);
    part("style-picture-row").hidden = !isPicture(style);
    part("variations-row").hidden = style !== BY_SEED || !this.#model!.seed_matters;
  }

  /** On the tiles a picture is a style; elsewhere on the page it is a label map. */
  #acceptDrops(): void {
    part("style-box").addEventListener("drop", (event) => {
      const [file] = event.dataTransfer?.files ?? [];
      if (!file || !this.#model?.reads_styles) return;
      event.preventDefault();
      event.stopPropagation();
      part("drop").hidden = true;
      void this.#take(file);
    });
  }
}

function tile(input: HTMLInputElement, shown: Element, name: string): HTMLElement {
  return make("label", { className: "tile", title: name }, input, shown, make("span", { textContent: name }));
}

const pictureAt = (src: string) => make("img", { src, alt: "", draggable: false });
