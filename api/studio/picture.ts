// The panel of the picture: how it is to be made, how far it is, and what was made.

import { part } from "./dom";
import type { Made, Progress } from "./generation";
import type { Making } from "./history";
import { LongWait } from "./long_wait";
import { wordsOfFailure, wordsOfRefusal } from "./refusals";
import type { Job, Model } from "./service";
import { Signal } from "./signal";
import { BY_SEED, type Style } from "./style";
import { StyleChooser } from "./styles";
import { text } from "./texts";
import { VariationGrid } from "./variations";

const DRAWN_SEEDS = 1_000_000;
/** Variations take the seeds behind it. */
const MOST_SEED = Number.MAX_SAFE_INTEGER - 64;

type Tone = "calm" | "busy" | "bad";

export class PicturePanel {
  /** Seed or style is another. */
  readonly changed = new Signal();
  /** Another picture is shown. */
  readonly shown = new Signal<Made>();
  /** None is shown any more. */
  readonly cleared = new Signal();
  /** One of several variations is the picture now, its seed the one to keep. */
  readonly picked = new Signal();
  readonly styles = new StyleChooser();
  readonly #variations = new VariationGrid();
  readonly #seed = part<HTMLInputElement>("seed");
  readonly #lock = part<HTMLInputElement>("seed-lock");
  readonly #image = part<HTMLImageElement>("picture");
  readonly #status = part("status");
  #made: Made | null = null;
  readonly #longWait = new LongWait(() => this.#say(text("queuedLong"), "bad"));

  constructor() {
    this.#seed.addEventListener("change", () => {
      this.settleSeed();
      this.changed.emit();
    });
    part("seed-dice").addEventListener("click", () => {
      this.drawSeed();
      this.changed.emit();
    });
    this.styles.changed.on(() => {
      this.#showSeedUse();
      this.changed.emit();
    });
    this.#variations.chosen.on((made) => {
      this.seed = made.seed;
      this.#lock.checked = true;
      this.styles.leaveToSeed(); // perhaps another style was chosen since
      this.#showSeedUse();
      this.picked.emit();
      this.#showMade(made);
    });
  }

  get seed(): number {
    return Math.min(MOST_SEED, Math.max(0, Math.round(Number(this.#seed.value)) || 0));
  }

  set seed(seed: number) {
    this.#seed.value = String(seed);
  }

  get style(): Style {
    return this.styles.style;
  }

  get isSeedLocked(): boolean {
    return this.#lock.checked;
  }

  get made(): Made | null {
    return this.#made;
  }

  get making(): Making {
    return { seed: this.seed, style: this.style, made: this.#made };
  }

  /** Shows the seed that is used, whatever was typed. */
  settleSeed(): void {
    this.seed = this.seed;
  }

  drawSeed(): void {
    this.seed = Math.floor(Math.random() * DRAWN_SEEDS);
  }

  /** Offers the styles of a model, `style` chosen if it has it. */
  setModel(model: Model, style: Style): void {
    this.styles.show(model, style);
    part("seed-row").hidden = !model.seed_matters;
    this.#showSeedUse();
  }

  show(progress: Progress): void {
    const isBusy = ["sending", "waiting", "varying"].includes(progress.kind) || Boolean(retryOf(progress));
    if (!isBusy && document.activeElement === part("stop")) part("generate").focus(); // rather than nowhere
    part("stop").hidden = !isBusy;
    part("picture-stage").classList.toggle("busy", isBusy);
    if (!["sending", "waiting"].includes(progress.kind)) this.#longWait.end();
    if (!isBusy) this.#variations.end();
    switch (progress.kind) {
      case "sending":
        if (progress.count > 1) this.#variations.open(progress.count);
        else this.#variations.close();
        return this.#say(text("sending"), "busy");
      case "waiting":
        return this.#showWaiting(progress.job);
      case "made":
        this.#variations.close(); // they lie over it where it comes from the history
        return this.#showMade(progress.made);
      case "varying":
        this.#variations.fill(progress.variations);
        return this.#say(madeOf(progress.variations), "busy");
      case "varied":
        return this.#say(wordsOfVaried(progress), "calm");
      case "failed":
        return this.#say(text("failed", { detail: wordsOfFailure(progress.failure) }), "bad");
      case "canceled":
        return this.#say(text("canceled"), "calm");
      case "refused":
        return this.#say(wordsOfRefusal(progress.refusal, progress.retrySeconds), "bad");
    }
  }

  /** A preset decides what otherwise the seed does. */
  #showSeedUse(): void {
    for (const id of ["seed", "seed-lock", "seed-dice"]) {
      part<HTMLInputElement | HTMLButtonElement>(id).disabled = this.style !== BY_SEED;
    }
  }

  #showWaiting({ state, queue, items }: Job): void {
    if (state === "running") {
      this.#longWait.end();
      const done = items.filter(({ image }) => image).length;
      return this.#say(items.length > 1 ? text("madeOf", { done, count: items.length }) : text("running"), "busy");
    }
    const position = queue?.position ?? 0;
    this.#longWait.at(position);
    if (this.#longWait.isLong) return;
    const ahead = position ? text("queuedBehind", { count: position }) : text("queued");
    const eta = queue?.eta_seconds ? ` · ${text("eta", { seconds: Math.ceil(queue.eta_seconds) })}` : "";
    this.#say(ahead + eta, "busy");
  }

  /** Shows no picture, as before the first. */
  clear(): void {
    this.#variations.close();
    this.#release();
    this.#made = null;
    this.#image.removeAttribute("src");
    this.#image.hidden = true;
    part("no-picture").hidden = false;
    part<HTMLButtonElement>("save-picture").disabled = true;
    this.#say("", "calm");
    this.cleared.emit();
  }

  #release(): void {
    if (this.#image.src) URL.revokeObjectURL(this.#image.src);
  }

  #showMade(made: Made): void {
    this.#release();
    this.#made = made;
    this.#image.src = URL.createObjectURL(made.picture);
    this.#image.alt = text("pictureOf", { seed: made.seed });
    this.#image.hidden = false;
    part("no-picture").hidden = true;
    part<HTMLButtonElement>("save-picture").disabled = false;
    this.#say(madeIn(made.milliseconds), "calm");
    this.shown.emit(made);
  }

  #say(words: string, tone: Tone): void {
    this.#status.textContent = words;
    this.#status.dataset["tone"] = tone;
  }
}

const madeIn = (milliseconds: number) => text("made", { seconds: (milliseconds / 1000).toFixed(1) });

const madeOf = (variations: readonly (Made | null)[]) =>
  text("madeOf", { done: variations.filter(Boolean).length, count: variations.length });

/** Some of the variations may have failed. */
function wordsOfVaried({ variations, milliseconds }: Extract<Progress, { kind: "varied" }>): string {
  return variations.every(Boolean) ? madeIn(milliseconds) : madeOf(variations);
}

function retryOf(progress: Progress): number | null {
  return progress.kind === "refused" ? progress.retrySeconds : null;
}
