// The service's public API, as far as the studio uses it. Knows nothing of the page.

export interface LabelClass {
  readonly id: number;
  readonly name: string;
  readonly color: string;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Model {
  readonly name: string;
  readonly version: string;
  readonly title: string;
  readonly description: string;
  readonly training: string;
  readonly size: Size;
  readonly size_multiple: number | null;
  readonly classes: readonly LabelClass[];
  readonly unknown_id: number | null;
  readonly uses_instances: boolean;
  readonly seed_matters: boolean;
  readonly styles: readonly string[];
  /** JPEG in base64 by the names of styles. */
  readonly style_thumbnails: Readonly<Record<string, string>>;
  readonly reads_styles: boolean;
}

export interface Item {
  readonly index: number;
  readonly file: string;
  readonly seed: number;
  readonly state: string;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly image: { readonly href: string } | null;
}

/** Why there is no picture of an item. */
export type Failure = Pick<Item, "state" | "reason" | "detail">;

/** Items of a job by state; all but `total` add up to that. */
export interface Counts {
  readonly total: number;
  readonly queued: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly canceled: number;
  readonly expired: number;
}

export interface Job {
  readonly id: string;
  readonly state: "queued" | "running" | "succeeded" | "failed" | "canceled" | "expired";
  readonly seed: number;
  readonly size: Size;
  readonly counts: Counts;
  readonly queue: { readonly position: number; readonly eta_seconds: number | null } | null;
  readonly items: readonly Item[];
  readonly items_next: string | null;
}

/** A job as it was told, and the tag of that. */
export interface SeenJob {
  readonly job: Job;
  readonly tag: string;
}

export interface JobRequest {
  readonly params: Readonly<Record<string, unknown>>;
  readonly labelMap: Blob;
  readonly instanceMap: Blob | null;
  readonly styleImage: File | null;
}

/** What is to be made of all maps of a ZIP. */
export interface BatchRequest {
  readonly params: JobRequest["params"];
  /** CSV. */
  readonly palette: File | null;
  readonly styleImage: File | null;
}

/** One thing that is wrong with a request. */
export interface Fault {
  readonly file?: string;
  readonly detail: string;
  /** Values that may not occur in a label map. */
  readonly offenders?: readonly { readonly value: number | string }[];
}

/** As `fetch`. */
export type Send = (path: string, options: RequestInit) => Promise<Response>;

/** What proxies answer too while the service is away. */
const AWAY: readonly number[] = [502, 503, 504];

/** The service refused, and said why; of status 0 it did not answer at all. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    /** The last part of the problem's type, such as `queue-full`. */
    readonly slug: string,
    readonly title: string,
    readonly detail: string,
    readonly retryAfterSeconds: number | null,
    readonly faults: readonly Fault[] = [],
  ) {
    super(detail || title || slug);
  }

  get isTemporary(): boolean {
    return this.status === 0 || AWAY.includes(this.status) || this.retryAfterSeconds !== null;
  }

  get wantsKey(): boolean {
    return this.slug === "key-required" || this.slug === "scope-missing";
  }
}

const LONGEST_WAIT_SECONDS = 20;
/** After that there is no answer: nothing else tells of a network that swallows what is sent. */
const LONGEST_ANSWER_SECONDS = LONGEST_WAIT_SECONDS + 10;
/** So long a picture may take on its way to the service, or from it. */
const LONGEST_TRANSFER_SECONDS = 120;
/** As `itemsAfter`: a job is told without its items. */
export const BEHIND_ALL_ITEMS = 2 ** 31;

export const archivePath = (id: string): string => `/v1/jobs/${id}/archive`;

interface Problem {
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly Fault[];
}

export const noAnswer = (): Refusal => new Refusal(0, "no-answer", "", "", null);

/** Aborted after a while, or as `signal`. */
function within(seconds: number, signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(1000 * seconds);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

const hasTimedOut = ({ reason }: AbortSignal) => reason instanceof DOMException && reason.name === "TimeoutError";

async function refusalOf(answer: Response): Promise<Refusal> {
  const problem = (await answer.json().catch(() => ({}))) as Problem;
  const after = Number(answer.headers.get("Retry-After"));
  const { type = "", title = "", detail = "", errors } = problem;
  return new Refusal(answer.status, type.split(":").at(-1)!, title, detail, after > 0 ? after : null, errors);
}

async function readJob(answer: Response): Promise<SeenJob> {
  return { job: (await answer.json()) as Job, tag: answer.headers.get("ETag") ?? "" };
}

export class Service {
  constructor(private readonly key: () => string | null) {}

  /** The newest version of each model. */
  async models(): Promise<Model[]> {
    const signal = within(LONGEST_ANSWER_SECONDS);
    const { models } = await this.#ask<{ models: Model[] }>("/v1/models", { signal }, (answer) => answer.json());
    return [...new Map(models.map((model) => [model.name, model])).values()];
  }

  /** `key` makes it safe to send the same again where no answer came. */
  submit({ params, labelMap, instanceMap, styleImage }: JobRequest, key: string): Promise<Job> {
    const form = new FormData();
    form.append("params", JSON.stringify(params));
    form.append("label_map", labelMap, "map.png");
    if (instanceMap) form.append("instance_map", instanceMap, "map.instance.png");
    if (styleImage) form.append("style_image", styleImage);
    const signal = within(LONGEST_TRANSFER_SECONDS);
    const options = { method: "POST", body: form, headers: { "Idempotency-Key": key }, signal };
    return this.#ask("/v1/jobs", options, (answer) => answer.json());
  }

  /** The job once it is another than `seen`, or has ended, or after a while. Rejects too once `signal` is aborted. */
  poll(seen: SeenJob, signal: AbortSignal, itemsAfter = -1): Promise<SeenJob> {
    const headers = seen.tag ? { "If-None-Match": seen.tag } : {};
    const path = `/v1/jobs/${seen.job.id}?wait=${LONGEST_WAIT_SECONDS}&items_after=${itemsAfter}`;
    const options = { headers, signal: within(LONGEST_ANSWER_SECONDS, signal) };
    return this.#ask(path, options, (answer) => (answer.status === 304 ? Promise.resolve(seen) : readJob(answer)));
  }

  async cancel(id: string): Promise<void> {
    const options = { method: "POST", signal: within(LONGEST_ANSWER_SECONDS) };
    await this.#ask(`/v1/jobs/${id}/cancel`, options, (answer) => answer.blob());
  }

  picture(href: string): Promise<Blob> {
    return this.#ask(`${href}?proxy=1`, { signal: within(LONGEST_TRANSFER_SECONDS) }, (answer) => answer.blob());
  }

  /** One job of all maps in a ZIP. As for `submit`. */
  submitZip(request: BatchRequest, zip: Blob, key: string, signal: AbortSignal, send: Send): Promise<Job> {
    const form = new FormData();
    form.append("params", JSON.stringify(request.params));
    form.append("label_map", zip, "label-maps.zip");
    if (request.palette) form.append("palette", request.palette);
    if (request.styleImage) form.append("style_image", request.styleImage);
    const options = { method: "POST", body: form, headers: { "Idempotency-Key": key }, signal };
    return this.#ask("/v1/jobs", options, (answer) => answer.json(), send);
  }

  /** The job with the items after one, or without any where that is behind all. */
  job(id: string, itemsAfter: number, signal: AbortSignal): Promise<SeenJob> {
    const options = { signal: within(LONGEST_ANSWER_SECONDS, signal) };
    return this.#ask(`/v1/jobs/${id}?items_after=${itemsAfter}`, options, readJob);
  }

  /** All pictures of a job that has ended, as a ZIP on its way. */
  archive(id: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    return this.#ask(archivePath(id), {}, async (answer) => answer.body!);
  }

  /** What `read` makes of the answer; one that breaks off is none. */
  async #ask<T>(
    path: string,
    options: RequestInit,
    read: (answer: Response) => Promise<T>,
    send: Send = fetch,
  ): Promise<T> {
    const key = this.key();
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    let answer: Response;
    try {
      answer = await send(path, { ...options, headers, cache: "no-store" });
      if (answer.ok || answer.status === 304) return await read(answer);
    } catch (error) {
      if (options.signal?.aborted && !hasTimedOut(options.signal)) throw error;
      throw noAnswer();
    }
    throw await refusalOf(answer);
  }
}
