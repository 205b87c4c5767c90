// One picture at a time, or its variations: the newest request counts, those before it are canceled.

import { newKey, pause, patiently, RETRY_SECONDS } from "./patience";
import type { Project } from "./project";
import { type Failure, type Job, type JobRequest, Refusal, type Service } from "./service";

/** What a picture is made of, as it was when it was asked for. */
export interface Source extends Project {
  /** Whether live mode asked for it, and not the person. */
  readonly isLive: boolean;
}

export interface Made {
  readonly source: Source;
  readonly picture: Blob;
  readonly seed: number;
  readonly milliseconds: number;
}

export type Progress =
  | { readonly kind: "sending"; readonly count: number }
  | { readonly kind: "waiting"; readonly job: Job }
  | { readonly kind: "made"; readonly made: Made }
  /** What there is of several variations, by their places. */
  | { readonly kind: "varying"; readonly variations: readonly (Made | null)[] }
  | { readonly kind: "varied"; readonly variations: readonly (Made | null)[]; readonly milliseconds: number }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly retrySeconds: number | null }
  | { readonly kind: "canceled" };

/** Between two questions for a job: a service with many who wait answers at once. */
const LEAST_SECONDS_BETWEEN_POLLS = 1;

const isOpen = (job: Job) => job.state === "queued" || job.state === "running";

export class Generation {
  #superseding = new AbortController();

  constructor(
    private readonly service: Service,
    private readonly onProgress: (progress: Progress) => void,
  ) {}

  /** Makes the picture of `source`, which `request` puts in words, or `count` variations, in place of what is being made. */
  async make(source: Source, request: () => Promise<JobRequest>, count = 1): Promise<void> {
    const superseding = this.#supersede();
    const { signal } = superseding;
    const started = performance.now();
    try {
      this.#tell({ kind: "sending", count }, signal);
      const job = await this.#submit(await request(), signal);
      const variations = await this.#follow(job, source, started, signal);
      const milliseconds = performance.now() - started;
      if (count > 1) this.#tell({ kind: "varied", variations, milliseconds }, signal);
      else this.#tell({ kind: "made", made: variations[0]! }, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal) this.#tell({ kind: "refused", refusal: error, retrySeconds: null }, signal);
      else if (error instanceof JobEnded) this.#tell(error.progress, signal);
      else throw error;
    } finally {
      // What has ended is superseded by nothing.
      if (this.#superseding === superseding) this.#superseding = new AbortController();
    }
  }

  /** Gives up what is being made. */
  stop(): void {
    this.#supersede();
    this.onProgress({ kind: "canceled" });
  }

  /** A job that is superseded while it is being sent has no id yet, so it is canceled when that comes. */
  async #submit(request: JobRequest, signal: AbortSignal): Promise<Job> {
    signal.throwIfAborted();
    const key = newKey();
    const job = await this.#patiently(() => this.service.submit(request, key), signal);
    const cancel = () => void this.#cancel(job.id);
    if (signal.aborted) cancel();
    signal.throwIfAborted();
    signal.addEventListener("abort", cancel);
    return job;
  }

  /** The pictures of a job by their places, told as they come; JobEnded where there is none in the end. */
  async #follow(submitted: Job, source: Source, started: number, signal: AbortSignal): Promise<(Made | null)[]> {
    const variations = submitted.items.map((): Made | null => null);
    let seen = { job: submitted, tag: "" };
    for (;;) {
      for (const [place, { image, seed }] of seen.job.items.entries()) {
        if (!image || variations[place]) continue;
        const picture = await this.#patiently(() => this.service.picture(image.href), signal);
        variations[place] = { source, picture, seed, milliseconds: performance.now() - started };
        if (variations.length > 1) this.#tell({ kind: "varying", variations }, signal);
      }
      if (!isOpen(seen.job)) break;
      this.#tell({ kind: "waiting", job: seen.job }, signal);
      const asked = performance.now();
      seen = await this.#patiently(() => this.service.poll(seen, signal), signal);
      const passedSeconds = (performance.now() - asked) / 1000;
      if (isOpen(seen.job)) await pause(LEAST_SECONDS_BETWEEN_POLLS - passedSeconds, signal);
    }
    if (!variations.some(Boolean)) throw new JobEnded(seen.job);
    return variations;
  }

  /** Twice at most. Whether it works matters to nobody any more: a job that is not canceled ends by itself. */
  async #cancel(id: string): Promise<void> {
    try {
      await this.service.cancel(id);
    } catch (error) {
      if (!(error instanceof Refusal && error.isTemporary)) return;
      await pause(error.retryAfterSeconds ?? RETRY_SECONDS, new AbortController().signal);
      await this.service.cancel(id).catch(() => undefined);
    }
  }

  #patiently<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return patiently(act, signal, (refusal, retrySeconds) => this.#tell({ kind: "refused", refusal, retrySeconds }, signal));
  }

  #tell(progress: Progress, signal: AbortSignal): void {
    signal.throwIfAborted();
    this.onProgress(progress);
  }

  #supersede(): AbortController {
    this.#superseding.abort();
    this.#superseding = new AbortController();
    return this.#superseding;
  }
}

/** The job ended without a picture. */
class JobEnded extends Error {
  readonly progress: Progress;

  constructor({ state, items: [item] }: Job) {
    super(state);
    const failure = { state, reason: item?.reason ?? null, detail: item?.detail ?? null };
    this.progress = state === "canceled" ? { kind: "canceled" } : { kind: "failed", failure };
  }
}
