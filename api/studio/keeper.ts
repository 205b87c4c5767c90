// Keeps the work in the browser a moment after each change, and tells where it cannot.

import { part } from "./dom";
import { Signal } from "./signal";
import { keepWork, type Work } from "./storage";
import { text } from "./texts";

/** Short, since browsers give up what is put only while the page goes away now and then. */
const PAUSE_MILLISECONDS = 30;

export class Keeper {
  /** The work is not kept, and was before. */
  readonly failed = new Signal();
  readonly #mark = part("unkept");
  #pause = 0;
  #putAside = () => Promise.resolve(true);
  #isAside = Promise.resolve(true);

  constructor(private readonly work: () => Work) {
    this.#mark.title = text("notKept");
    addEventListener("pagehide", () => this.atOnce());
    document.addEventListener("visibilitychange", () => document.hidden && this.atOnce());
  }

  soon(): void {
    this.rest();
    this.#pause = setTimeout(() => void this.#keep(), PAUSE_MILLISECONDS);
  }

  /** Keeps what was to be kept soon: the page may be gone before the pause is over. */
  atOnce(): void {
    if (!this.#pause) return;
    this.rest();
    void this.#keep();
  }

  /** Keeps nothing of what changed last. */
  rest(): void {
    clearTimeout(this.#pause);
    this.#pause = 0;
  }

  /** Lets nothing take the place of what is kept before `putAside` has put that elsewhere; it tells whether it has. */
  after(putAside: () => Promise<boolean>): void {
    this.#putAside = putAside;
    this.#isAside = putAside();
  }

  async #keep(): Promise<void> {
    this.#pause = 0;
    const work = this.work();
    const isKept = (await this.#hasPutAside()) && (await keepWork(work).then(() => true, () => false));
    const wasKept = this.#mark.hidden;
    this.#mark.hidden = isKept;
    if (wasKept && !isKept) this.failed.emit();
  }

  async #hasPutAside(): Promise<boolean> {
    if (!(await this.#isAside)) this.#isAside = this.#putAside();
    return this.#isAside;
  }
}
