// A place in the queue that does not change: perhaps nobody works on it.

const LONG_MILLISECONDS = 8000;

export class LongWait {
  /** In the queue; null while nothing waits. */
  #position: number | null = null;
  #timer = 0;
  #isLong = false;

  constructor(private readonly onLong: () => void) {}

  /** Whether it was told, and still is so. */
  get isLong(): boolean {
    return this.#isLong;
  }

  at(position: number): void {
    if (position === this.#position) return;
    this.end();
    this.#position = position;
    this.#timer = setTimeout(() => {
      this.#isLong = true;
      this.onLong();
    }, LONG_MILLISECONDS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#position = null;
    this.#isLong = false;
  }
}
