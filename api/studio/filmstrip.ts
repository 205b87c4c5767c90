// The strip of the last pictures: each shows what made it, and brings that back.

import type { Album, Kept } from "./album";
import { make, part } from "./dom";
import type { Made, Source } from "./generation";
import { MapError } from "./maps";
import { PngError } from "./png";
import { BY_SEED, wordsOfStyle } from "./style";
import { isChinese, text } from "./texts";

const TIME = new Intl.DateTimeFormat(isChinese ? "zh" : "en-GB", { dateStyle: "medium", timeStyle: "short" });
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** What the strip needs of the rest of the studio. */
export interface Darkroom {
  titleOf(model: string): string;
  /** Throws MapError where the service lacks the model. */
  openProject(source: Source, made: Made | null): void;
  notify(words: string): void;
}

export class Filmstrip {
  readonly #list = part("film");
  readonly #clear = part<HTMLButtonElement>("film-clear");
  readonly #entries = new Map<number, HTMLElement>();
  /** Which one the person chose last; of two, the one that takes longer to read must not come last. */
  #chosen = 0;

  constructor(
    private readonly album: Album,
    private readonly studio: Darkroom,
  ) {
    album.changed.on((kept) => this.#show(kept));
    this.#list.addEventListener("keydown", (event) => this.#walk(event));
    this.#clear.addEventListener("click", () => void this.#forget());
  }

  #show(kept: readonly Kept[]): void {
    const ids = new Set(kept.map(({ id }) => id));
    for (const [id, entry] of this.#entries) if (!ids.has(id)) this.#drop(id, entry);
    // Only what is new is put in, so that pictures stay loaded and the focus where it is.
    for (const one of [...kept].reverse()) {
      if (this.#entries.has(one.id)) continue;
      const entry = this.#entry(one);
      this.#entries.set(one.id, entry);
      this.#list.prepend(entry);
    }
    this.#clear.disabled = !kept.length;
    part("film-empty").hidden = kept.length > 0;
    this.#makeReachable(this.#buttons()[0]);
  }

  #drop(id: number, entry: HTMLElement): void {
    const image = entry.querySelector("img");
    if (image) URL.revokeObjectURL(image.src);
    entry.remove();
    this.#entries.delete(id);
  }

  #entry(kept: Kept): HTMLElement {
    const model = this.studio.titleOf(kept.model);
    const how = kept.style === BY_SEED ? `${text("seed")} ${kept.seed}` : wordsOfStyle(kept.style);
    const label = text("filmEntry", { model, how, time: TIME.format(kept.keptAt) });
    const map = make("canvas", { width: kept.thumbnail.width, height: kept.thumbnail.height });
    map.getContext("2d")?.putImageData(kept.thumbnail, 0, 0);
    const frame = make("span", { className: "film-frame" }, map);
    if (kept.picture) frame.prepend(make("img", { src: URL.createObjectURL(kept.picture), alt: "", decoding: "async" }));
    const words = make("span", { className: "film-words" }, make("b", { textContent: model }), make("span", { textContent: how }));
    const button = make("button", { type: "button", title: label, tabIndex: -1 }, frame, words);
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => void this.#choose(kept, button));
    return make("li", {}, button);
  }

  async #choose(kept: Kept, button: HTMLButtonElement): Promise<void> {
    const choice = ++this.#chosen;
    this.#makeReachable(button);
    try {
      const { source, made } = await this.album.take(kept);
      if (choice !== this.#chosen) return;
      this.studio.openProject(source, made);
      part("announcer").textContent = text("filmRestored", { name: button.title });
    } catch (error) {
      const refused = error instanceof PngError ? new MapError(error.reason) : error;
      if (!(refused instanceof MapError)) throw error;
      this.studio.notify(text(refused.reason, { ...refused.values, name: text("filmPicture") }));
    }
  }

  async #forget(): Promise<void> {
    const dialog = part<HTMLDialogElement>("film-dialog");
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    if (dialog.returnValue === "clear") await this.album.clear();
  }

  #buttons(): HTMLButtonElement[] {
    return [...this.#list.querySelectorAll("button")];
  }

  /** One of the strip is reached by Tab, the others from there by arrow keys. */
  #makeReachable(button: HTMLButtonElement | undefined): void {
    for (const other of this.#buttons()) other.tabIndex = other === button ? 0 : -1;
  }

  #walk(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const next = buttons[Math.min(buttons.length - 1, Math.max(0, at + step))];
    this.#makeReachable(next);
    next?.focus();
  }
}
