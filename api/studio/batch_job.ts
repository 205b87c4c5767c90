// One job of many label maps: sent, followed until it has ended, also by a page that was loaded anew.

import { askForKey } from "./dialogs";
import { newKey, pause, patiently } from "./patience";
import { type BatchRequest, BEHIND_ALL_ITEMS, type Item, type Job, Refusal, type Service } from "./service";
import { upload } from "./upload";
import { forget, keep, readKept } from "./web_storage";

export type BatchProgress =
  | { readonly kind: "packing" }
  | { readonly kind: "sending"; readonly fraction: number }
  | { readonly kind: "following"; readonly job: Job }
  | { readonly kind: "ended"; readonly job: Job; readonly items: readonly Item[] }
  /** Where `retrySeconds` is null, that was it. */
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly retrySeconds: number | null }
  /** Nothing was queued. */
  | { readonly kind: "canceled" }
  /** The job that was followed is no longer kept. */
  | { readonly kind: "gone" };

const KEPT = "spade-studio-batch";
/** The first is this tab's own; the second outlives it. */
const AREAS = ["sessionStorage", "localStorage"] as const;
const LEAST_SECONDS_BETWEEN_POLLS = 1;
const GONE: readonly string[] = ["job-unknown", "job-expired"];

const isOpen = ({ state }: Job) => state === "queued" || state === "running";

export class BatchJob {
  /** Aborted when nobody wants to know any more. */
  #leaving = new AbortController();
  #id = readKept("sessionStorage", KEPT) ?? readKept("localStorage", KEPT);

  constructor(
    private readonly service: Service,
    private readonly onProgress: (progress: BatchProgress) => void,
  ) {}

  /** The job that this tab followed last, or else any page of this browser. */
  get id(): string | null {
    return this.#id;
  }

  /** Sends the ZIP that `pack` makes as one job, and follows that. Rejects as `pack`. */
  async send(request: BatchRequest, pack: (signal: AbortSignal) => Promise<Blob>): Promise<void> {
    this.forget();
    await this.#attend(async (signal) => {
      this.#tell({ kind: "packing" }, signal);
      const zip = await pack(signal);
      const key = newKey();
      const onSent = (fraction: number) => signal.aborted || this.#tell({ kind: "sending", fraction }, signal);
      const submit = () =>
        this.service.submitZip(request, zip, key, signal, (path, options) => upload(path, options, onSent));
      const job = await this.#patiently(submit, signal);
      if (signal.aborted) await patiently(() => this.service.cancel(job.id), new AbortController().signal, () => undefined);
      signal.throwIfAborted();
      this.#id = job.id;
      for (const area of AREAS) keep(area, KEPT, job.id);
      await this.#follow(job.id, signal);
    });
  }

  /** Follows the job that was followed last. */
  async resume(): Promise<void> {
    const id = this.#id;
    if (!id) return;
    await this.#attend((signal) => this.#follow(id, signal));
  }

  /** Cancels what is not made yet. What is still being sent is given up, or canceled when the service has it. */
  async cancel(): Promise<void> {
    const id = this.#id;
    const { signal } = this.#leaving;
    if (id) return this.#guarded(() => this.#patiently(() => this.service.cancel(id), signal), signal);
    this.forget();
    this.onProgress({ kind: "canceled" });
  }

  forget(): void {
    for (const area of AREAS) if (readKept(area, KEPT) === this.#id) forget(area, KEPT);
    this.#id = null;
    this.#leaving.abort();
  }

  async #attend(act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    await this.#guarded(() => act(signal), signal);
  }

  async #guarded(act: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      const isGone = GONE.includes(error.slug);
      if (isGone) this.forget();
      this.onProgress(isGone ? { kind: "gone" } : { kind: "refused", refusal: error, retrySeconds: null });
    }
  }

  async #follow(id: string, signal: AbortSignal): Promise<void> {
    // Its tag first: without one, the service tells nothing before the end.
    let seen = await this.#patiently(() => this.service.job(id, BEHIND_ALL_ITEMS, signal), signal);
    while (isOpen(seen.job)) {
      this.#tell({ kind: "following", job: seen.job }, signal);
      const asked = performance.now();
      seen = await this.#patiently(() => this.service.poll(seen, signal, BEHIND_ALL_ITEMS), signal);
      const passedSeconds = (performance.now() - asked) / 1000;
      if (isOpen(seen.job)) await pause(LEAST_SECONDS_BETWEEN_POLLS - passedSeconds, signal);
    }
    this.#tell({ kind: "ended", job: seen.job, items: await this.#items(id, signal) }, signal);
  }

  async #items(id: string, signal: AbortSignal): Promise<Item[]> {
    const items: Item[] = [];
    for (let after = -1; ; after = items.at(-1)!.index) {
      const { job: page } = await this.#patiently(() => this.service.job(id, after, signal), signal);
      items.push(...page.items);
      if (!page.items_next || !page.items.length) return items;
    }
  }

  /** Asks the service again while it is away or busy, and the person for a key where one is needed. */
  async #patiently<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await patiently(act, signal, (refusal, retrySeconds) => {
          this.#tell({ kind: "refused", refusal, retrySeconds }, signal);
        });
      } catch (error) {
        if (!(error instanceof Refusal && error.wantsKey && (await askForKey()))) throw error;
      }
    }
  }

  #tell(progress: BatchProgress, signal: AbortSignal): void {
    signal.throwIfAborted();
    this.onProgress(progress);
  }
}
