// What is to become of the label maps of a batch: the part of the dialog where that is chosen.

import { type Batch, bytesOf, type LeftOut } from "./batch_maps";
import { make, part } from "./dom";
import { readMap } from "./maps";
import type { JobRequest, Model } from "./service";
import { BY_SEED, nameOfStyle } from "./style";
import { sizeOf, text, type TextKey } from "./texts";

const MOST_VARIATIONS = 64;

interface Start {
  readonly model: string;
  readonly style: string;
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

  constructor(private readonly models: readonly Model[]) {
    this.#model.append(...models.map(({ name, title }) => make("option", { value: name, textContent: title })));
    this.#model.addEventListener("input", () => {
      this.#offerStyles(BY_SEED);
      void this.#guessPalette();
    });
    for (const field of [this.#model, this.#style, this.#variations]) {
      field.addEventListener("input", () => this.#render());
    }
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

  get sendsInstances(): boolean {
    return this.#chosen().uses_instances;
  }

  begin({ model, style, seed }: Start): void {
    this.#model.value = model;
    this.#seed.value = String(seed);
    this.#offerStyles(style);
    this.#render();
  }

  params(): JobRequest["params"] {
    const { name, version, seed_matters } = this.#chosen();
    const bySeed = { seed: this.#numberIn(this.#seed), variations: this.#numberIn(this.#variations) };
    return {
      model: `${name}@${version}`,
      priority: "bulk",
      ...(this.#style.value ? { style: this.#style.value } : seed_matters ? bySeed : {}),
      ...(this.#isColored() && this.#palette.value ? { palette: this.#palette.value } : {}),
    };
  }

  #chosen(): Model {
    return this.models.find(({ name }) => name === this.#model.value)!;
  }

  #isColored(): boolean {
    return Boolean(this.#batch?.maps.some(({ isColored }) => isColored));
  }

  /** Chooses the palette by whose colours the first coloured map can be read. */
  async #guessPalette(): Promise<void> {
    const colored = this.#batch?.maps.find(({ isColored }) => isColored);
    if (!colored) return;
    const read = await readMap(await colored.file.read(), this.#chosen()).catch(() => null);
    this.#palette.value = read?.palette === "GauGAN" ? "gaugan" : "model";
  }

  #numberIn(field: HTMLInputElement): number {
    const [least, most] = field === this.#seed ? [0, Number.MAX_SAFE_INTEGER - MOST_VARIATIONS] : [1, MOST_VARIATIONS];
    return Math.min(most, Math.max(least, Math.round(Number(field.value)) || 0));
  }

  #offerStyles(style: string): void {
    const { styles } = this.#chosen();
    const words = (name: string) => (name === BY_SEED ? text("bySeed") : nameOfStyle(name));
    const options = [BY_SEED, ...styles].map((name) => make("option", { value: name, textContent: words(name) }));
    this.#style.replaceChildren(...options);
    this.#style.value = styles.includes(style) ? style : BY_SEED;
    part("batch-style-row").hidden = !styles.length;
  }

  #render(): void {
    const { maps, leftOut } = this.#batch ?? { maps: [], leftOut: [] };
    const model = this.#chosen();
    const bySeed = model.seed_matters && !this.#style.value;
    this.#seed.disabled = this.#variations.disabled = !bySeed;
    const rows = [
      ...leftOut.map((file) => rowOf(file.path, wordsOf(file), true)),
      ...maps.map(({ file, width, height }) => rowOf(file.path, `${width} × ${height}`, false)),
    ];
    part("batch-list").replaceChildren(...rows);
    part("batch-list").hidden = !rows.length;
    part("batch-settings").hidden = !maps.length;
    part("batch-palette-row").hidden = !this.#isColored();
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
