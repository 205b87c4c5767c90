// What is to become of the label maps of a batch: the part of the dialog where that is chosen.

import { type Batch, bytesOf, type LeftOut, type Packing } from "./batch_maps";
import { make, part } from "./dom";
import { paletteFor, readMap, type Shades, showsIds } from "./maps";
import { paletteCsv, type PaletteName } from "./painters";
import type { BatchRequest, Model } from "./service";
import { BY_SEED, fitting, isBlend, isPicture, type Style, wantedStyle, wordsOfStyle } from "./style";
import { sizeOf, text, type TextKey } from "./texts";

const MOST_VARIATIONS = 64;

interface Start {
  readonly model: string;
  readonly style: Style;
  readonly seed: number;
}

/** A row of a list of files: its path, and a word on it. */
export function rowOf(path: string, note: string, isBad: boolean): HTMLLIElement {
  const row = make("li", {}, make("span", { textContent: path }), make("span", { textContent: note }));
  if (isBad) row.dataset["tone"] = "bad";
  return row;
}

const wordsOf = ({ reason }: LeftOut): string => (typeof reason === "string" ? text(reason) : reason.said);

export class BatchChoice {
  readonly #model = part<HTMLSelectElement>("batch-model");
  readonly #style = part<HTMLSelectElement>("batch-style");
  readonly #seed = part<HTMLInputElement>("batch-seed");
  readonly #variations = part<HTMLInputElement>("batch-variations");
  readonly #palette = part<HTMLSelectElement>("batch-palette");
  #batch: Batch | null = null;
  /** Whether the person chose the palette, for the maps in strange colours too. */
  #isPaletteChosen = false;
  /** By the places of their options. */
  #styles: readonly Style[] = [BY_SEED];
  /** The style of the map at work, which is offered too where it is none that all know. */
  #panelStyle: Style = BY_SEED;

  constructor(private readonly models: readonly Model[]) {
    this.#model.append(...models.map(({ name, title }) => make("option", { value: name, textContent: title })));
    this.#model.addEventListener("input", () => {
      this.#offerStyles(BY_SEED);
      void this.#guessPalette();
    });
    for (const field of [this.#model, this.#style, this.#variations]) {
      field.addEventListener("input", () => this.#render());
    }
    this.#palette.addEventListener("input", () => (this.#isPaletteChosen = true));
    for (const field of [this.#seed, this.#variations]) {
      field.addEventListener("change", () => (field.value = String(this.#numberIn(field))));
    }
  }

  get batch(): Batch | null {
    return this.#batch;
  }

  /** Null where there is nothing to choose for. */
  set batch(batch: Batch | null) {
    this.#batch = batch;
    this.#render();
    void this.#guessPalette();
  }

  /** Goes on with what is left of the batch, as it was chosen for. */
  reduceTo(rest: Batch): void {
    this.#batch = rest;
    this.#render();
  }

  begin({ model, style, seed }: Start): void {
    this.#model.value = model;
    this.#seed.value = String(seed);
    this.#panelStyle = style;
    this.#offerStyles(style);
    this.#render();
  }

  /** Goes on after the style of the map at work may have become another. */
  offerAnew(style: Style): void {
    const chosen = this.#chosenStyle();
    this.#panelStyle = style;
    this.#offerStyles(typeof chosen === "string" ? chosen : style);
    this.#render();
  }

  request(): BatchRequest {
    const { name, version, seed_matters } = this.#chosen();
    const style = this.#chosenStyle();
    const wanted = wantedStyle(style);
    const bySeed = { seed: this.#numberIn(this.#seed), variations: this.#numberIn(this.#variations) };
    const palette = this.#paletteName();
    return {
      params: {
        model: `${name}@${version}`,
        priority: "bulk",
        ...(style === BY_SEED && seed_matters ? bySeed : wanted.params),
        ...(palette === "model" ? { palette } : {}),
      },
      palette: palette && palette !== "model" ? paletteCsv(palette, this.#chosen()) : null,
      styleImage: wanted.image,
    };
  }

  packing(): Packing {
    const model = this.#chosen();
    const isPaletteNamed = this.#paletteName() !== null;
    const isByValues = (shades: Shades) => showsIds(shades, model) || (!this.#isPaletteChosen && !paletteFor(shades, model));
    return {
      withInstances: model.uses_instances,
      isByValues: ({ shades }) => isPaletteNamed && shades !== null && isByValues(shades),
    };
  }

  #chosen(): Model {
    return this.models.find(({ name }) => name === this.#model.value)!;
  }

  #chosenStyle(): Style {
    return this.#styles[this.#style.selectedIndex] ?? BY_SEED;
  }

  #hasColors(): boolean {
    return Boolean(this.#batch?.maps.some(({ isColored, shades }) => isColored || shades));
  }

  #paletteName(): PaletteName | null {
    return this.#hasColors() ? (this.#palette.value as PaletteName) || null : null;
  }

  /** Chooses the palette by whose colours the first map that needs one can be read; values are the ids where none does. */
  async #guessPalette(): Promise<void> {
    const { maps } = this.#batch ?? { maps: [] };
    const model = this.#chosen();
    this.#isPaletteChosen = false;
    const colored = maps.find(({ isColored }) => isColored);
    if (!colored) {
      this.#palette.value = maps.map(({ shades }) => shades && paletteFor(shades, model)).find(Boolean) ?? "";
      return;
    }
    const read = await readMap(await colored.file.read(), model).catch(() => null);
    if (model === this.#chosen()) this.#palette.value = read?.palette ?? "model";
  }

  #numberIn(field: HTMLInputElement): number {
    const [least, most] = field === this.#seed ? [0, Number.MAX_SAFE_INTEGER - MOST_VARIATIONS] : [1, MOST_VARIATIONS];
    return Math.min(most, Math.max(least, Math.round(Number(field.value)) || 0));
  }

  #offerStyles(chosen: Style): void {
    const { styles } = this.#chosen();
    const own = fitting(this.#panelStyle, this.#chosen());
    this.#styles = [BY_SEED, ...styles, ...(isBlend(own) || isPicture(own) ? [own] : [])];
    const words = (style: Style) => (style === BY_SEED ? text("bySeed") : wordsOfStyle(style));
    this.#style.replaceChildren(...this.#styles.map((style) => make("option", { textContent: words(style) })));
    this.#style.selectedIndex = Math.max(0, this.#styles.indexOf(chosen));
    part("batch-style-row").hidden = this.#styles.length === 1;
  }

  #render(): void {
    const { maps, leftOut } = this.#batch ?? { maps: [], leftOut: [] };
    const model = this.#chosen();
    const bySeed = model.seed_matters && this.#chosenStyle() === BY_SEED;
    this.#seed.disabled = this.#variations.disabled = !bySeed;
    const rows = [
      ...leftOut.map((file) => rowOf(file.path, wordsOf(file), true)),
      ...maps.map(({ file, width, height }) => rowOf(file.path, `${width} × ${height}`, false)),
    ];
    part("batch-list").replaceChildren(...rows);
    part("batch-list").hidden = !rows.length;
    part("batch-settings").hidden = !maps.length;
    part("batch-palette-row").hidden = !this.#hasColors();
    part("batch-no-instances").hidden = model.uses_instances || !maps.some(({ instances }) => instances);
    part("batch-found").textContent = this.#batch ? this.#wordsOfFound(this.#batch) : "";
    const count = maps.length * (bySeed ? this.#numberIn(this.#variations) : 1);
    part("batch-plan").textContent = count ? text("batchPlan", { count, ...model.size }) : "";
    part<HTMLButtonElement>("batch-send").disabled = !count;
  }

  #wordsOfFound(batch: Batch): string {
    const { maps, leftOut } = batch;
    const found: [TextKey, number] = maps.length ? ["batchFound", maps.length] : ["batchNothing", 0];
    const words = text(found[0], { count: found[1], size: sizeOf(bytesOf(batch)) });
    return leftOut.length ? `${words} · ${text("batchLeftOut", { count: leftOut.length })}` : words;
  }
}
