// The panel of the picture: how it is to be made, how far it is, and what was made.

import { make, part } from "./dom";
import type { Made, Progress } from "./generation";
import type { Job, Model, Refusal } from "./service";
import { Signal } from "./signal";
import { isTextKey, text } from "./texts";

const DRAWN_SEEDS = 1_000_000;
const LONG_WAIT_MILLISECONDS = 8000;
const NO_STYLE = "";

type Tone = "calm" | "busy" | "bad";

export class PicturePanel {
  /** Seed or style is another. */
  readonly changed = new Signal();
  readonly #seed = part<HTMLInputElement>("seed");
  readonly #lock = part<HTMLInputElement>("seed-lock");
  readonly #styles = part("styles");
  readonly #image = part<HTMLImageElement>("picture");
  readonly #status = part("status");
  #made: Made | null = null;
  #waitingSince = 0;
  #longWait = 0;

  constructor() {
    this.#seed.addEventListener("change", () => {
      this.seed = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(Number(this.#seed.value)) || 0));
      this.changed.emit();
    });
    part("seed-dice").addEventListener("click", () => {
      this.drawSeed();
      this.changed.emit();
    });
    this.#styles.addEventListener("change", () => {
      this.#showSeedUse();
      this.changed.emit();
    });
  }

  get seed(): number {
    return Number(this.#seed.value);
  }

  set seed(seed: number) {
    this.#seed.value = String(seed);
  }

  get style(): string {
    return this.#styles.querySelector<HTMLInputElement>("input:checked")?.value ?? NO_STYLE;
  }

  get isSeedLocked(): boolean {
    return this.#lock.checked;
  }

  get made(): Made | null {
    return this.#made;
  }

  drawSeed(): void {
    this.seed = Math.floor(Math.random() * DRAWN_SEEDS);
  }

  /** Offers the styles of a model, `style` chosen if it has it. */
  setModel(model: Model, style: string): void {
    const chosen = model.styles.includes(style) ? style : NO_STYLE;
    const choices = [NO_STYLE, ...model.styles].map((name) => this.#choice(name, name === chosen));
    this.#styles.replaceChildren(...choices);
    this.#styles.hidden = !model.styles.length;
    part("seed-row").hidden = !model.seed_matters;
    this.#showSeedUse();
  }

  show(progress: Progress): void {
    const isBusy = progress.kind === "sending" || progress.kind === "waiting" || Boolean(retryOf(progress));
    part("stop").hidden = !isBusy;
    part("picture-stage").classList.toggle("busy", isBusy);
    if (progress.kind !== "waiting") this.#stopWaiting();
    switch (progress.kind) {
      case "sending":
        return this.#say(text("sending"), "busy");
      case "waiting":
        return this.#say(this.#wordsOf(progress.job), "busy");
      case "made":
        return this.#showMade(progress.made);
      case "failed":
        return this.#say(text("failed", { detail: progress.detail }), "bad");
      case "canceled":
        return this.#say(text("canceled"), "calm");
      case "refused":
        return this.#say(wordsOfRefusal(progress.refusal, progress.retrySeconds), "bad");
    }
  }

  #choice(name: string, isChosen: boolean): HTMLLabelElement {
    const input = make("input", { type: "radio", name: "style", value: name, checked: isChosen });
    return make("label", { className: "chip" }, input, make("span", { textContent: name || text("bySeed") }));
  }

  /** A preset decides what otherwise the seed does. */
  #showSeedUse(): void {
    for (const id of ["seed", "seed-lock", "seed-dice"]) {
      part<HTMLInputElement | HTMLButtonElement>(id).disabled = this.style !== NO_STYLE;
    }
  }

  #wordsOf({ state, queue }: Job): string {
    if (state === "running") {
      this.#stopWaiting();
      return text("running");
    }
    if (!this.#waitingSince) {
      this.#waitingSince = performance.now();
      this.#longWait = setTimeout(() => this.#say(text("queuedLong"), "bad"), LONG_WAIT_MILLISECONDS);
    }
    const ahead = queue?.position ? text("queuedBehind", { count: queue.position }) : text("queued");
    const eta = queue?.eta_seconds ? `, ${text("eta", { seconds: Math.ceil(queue.eta_seconds) })}` : "";
    return ahead + eta;
  }

  #stopWaiting(): void {
    clearTimeout(this.#longWait);
    this.#waitingSince = 0;
  }

  #showMade(made: Made): void {
    if (this.#image.src) URL.revokeObjectURL(this.#image.src);
    this.#made = made;
    this.#image.src = URL.createObjectURL(made.picture);
    this.#image.alt = text("pictureOf", { seed: made.seed });
    this.#image.hidden = false;
    part("no-picture").hidden = true;
    part<HTMLButtonElement>("save-picture").disabled = false;
    this.#say(text("made", { seconds: (made.milliseconds / 1000).toFixed(1) }), "calm");
  }

  #say(words: string, tone: Tone): void {
    this.#status.textContent = words;
    this.#status.dataset["tone"] = tone;
  }
}

function retryOf(progress: Progress): number | null {
  return progress.kind === "refused" ? progress.retrySeconds : null;
}

export function wordsOfRefusal({ status, slug, detail }: Refusal, retrySeconds: number | null): string {
  const what = isTextKey(slug) ? text(slug) : detail || text("answered", { status });
  return retrySeconds === null ? what : `${what} ${text("retry", { seconds: Math.ceil(retrySeconds) })}`;
}
