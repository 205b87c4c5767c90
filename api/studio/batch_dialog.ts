// The dialog of a batch: what is chosen, how far the job is, and what came of it.

import { saveArchive, SaveError } from "./archive";
import { BatchChoice, rowOf } from "./batch_choice";
import { chosenFiles, droppedFiles, type FoundFiles } from "./batch_files";
import { BatchJob, type BatchProgress } from "./batch_job";
import { checkFiles, FileGoneError, pack, without } from "./batch_maps";
import { keptKey } from "./dialogs";
import { make, part } from "./dom";
import { LongWait } from "./long_wait";
import { wordsOfFailure, wordsOfRefusal } from "./refusals";
import { type Counts, type Fault, type Item, type Job, Refusal, type Service } from "./service";
import type { Studio } from "./studio";
import { sizeOf, text, type TextKey } from "./texts";

const MOST_PREVIEWS = 12;
const MOST_SECONDS_SHOWN = 90;
const MOST_OFFENDERS = 5;
const TOO_LARGE = 413;

type Phase = "choosing" | "working" | "stuck" | "ended";

const BUTTONS: Readonly<Record<Phase, readonly string[]>> = {
  choosing: ["batch-send"],
  working: ["batch-cancel"],
  stuck: ["batch-again", "batch-new"],
  ended: ["batch-save", "batch-new"],
};

const doneOf = ({ total, queued, running }: Counts) => (total ? (total - queued - running) / total : 0);

export class BatchDialog {
  readonly #dialog = part<HTMLDialogElement>("batch-dialog");
  readonly #bar = part<HTMLProgressElement>("batch-bar");
  readonly #status = part("batch-status");
  readonly #longWait = new LongWait(() => this.#say(text("queuedLong"), true));
  readonly #job: BatchJob;
  readonly #choice: BatchChoice;
  #phase: Phase = "choosing";
  #previews: string[] = [];
  #taken: Promise<FoundFiles> | null = null;

  constructor(
    private readonly service: Service,
    private readonly studio: Studio,
  ) {
    this.#job = new BatchJob(service, (progress) => this.#show(progress));
    this.#choice = new BatchChoice(studio.models);
    part("batch").addEventListener("click", () => this.open());
    this.#chooseBy("batch-files", "batch-files-input");
    this.#chooseBy("batch-folder", "batch-folder-input");
    this.#dialog.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer) void this.take(droppedFiles(event.dataTransfer));
    });
    const acts: Readonly<Record<string, () => void>> = {
      "batch-send": () => void this.#send(),
      "batch-cancel": () => void this.#job.cancel(),
      "batch-again": () => void this.#job.resume(),
      "batch-new": () => this.#restart(),
      "batch-save": () => void this.#save(),
    };
    for (const [id, act] of Object.entries(acts)) part(id).addEventListener("click", act);
    addEventListener("beforeunload", (event) => this.#phase === "working" && !this.#job.id && event.preventDefault());
    this.#enter("choosing");
    void this.#job.resume();
  }

  open(): void {
    if (this.#dialog.open) return;
    const { style, seed } = this.studio.picture;
    if (this.#choice.batch) this.#choice.offerAnew(style);
    else this.#choice.begin({ model: this.studio.model().name, style, seed });
    this.#dialog.showModal();
  }

  /** Looks at files that were dropped or chosen, in place of those before; while a job is on its way, at none. */
  async take(found: Promise<FoundFiles>): Promise<void> {
    this.open();
    if (this.#phase === "working" || this.#phase === "stuck") return;
    this.#clear(); // a job that has ended stays known until the next is sent
    part("batch-found").textContent = text("batchReading");
    this.#taken = found;
    const batch = await checkFiles(await found);
    if (this.#taken === found) this.#choice.batch = batch; // or else others were dropped meanwhile
  }

  #chooseBy(button: string, input: string): void {
    const field = part<HTMLInputElement>(input);
    part(button).addEventListener("click", () => field.click());
    field.addEventListener("change", () => {
      if (field.files?.length) void this.take(chosenFiles([...field.files]));
      field.value = "";
    });
  }

  async #send(): Promise<void> {
    const { batch } = this.#choice;
    if (!batch) return;
    try {
      const packing = this.#choice.packing();
      await this.#job.send(this.#choice.request(), (signal) => pack(batch, packing, signal));
    } catch (error) {
      if (!(error instanceof FileGoneError)) throw error;
      this.#enter("choosing");
      this.#say(text("batchFileGone", { path: error.path }), true);
    }
  }

  async #save(): Promise<void> {
    const { id } = this.#job;
    if (!id) return;
    const needsKey = keptKey() !== null;
    const button = part<HTMLButtonElement>("batch-save");
    const tell = (bytes: number) => this.#say(text("batchSaving", { size: sizeOf(bytes) }));
    button.disabled = true;
    try {
      if (needsKey) tell(0);
      const isSaved = await saveArchive(this.service, id, needsKey, tell);
      if (needsKey) this.#say(isSaved ? text("batchSaved") : "");
    } catch (error) {
      if (error instanceof Refusal) this.#say(wordsOfRefusal(error, null), true);
      else if (error instanceof SaveError) this.#say(text("batchNotSaved", { detail: error.message }), true);
      else throw error;
    } finally {
      button.disabled = false;
    }
  }

  #restart(): void {
    this.#job.forget();
    this.#clear();
  }

  #clear(): void {
    this.#choice.batch = null;
    this.#say("");
    this.#enter("choosing");
  }

  #show(progress: BatchProgress): void {
    if (progress.kind !== "following") this.#longWait.end();
    switch (progress.kind) {
      case "packing":
        this.#enter("working");
        part("batch-counts").textContent = "";
        return this.#showAt(text("batchPacking"), null);
      case "sending":
        return progress.fraction < 1
          ? this.#showAt(text("batchSending", { percent: Math.floor(100 * progress.fraction) }), progress.fraction)
          : this.#showAt(text("batchChecking"), null);
      case "following":
        this.#enter("working");
        return this.#showJob(progress.job);
      case "ended":
        return this.#showEnd(progress.job, progress.items);
      case "refused":
        return this.#showRefusal(progress.refusal, progress.retrySeconds);
      case "canceled":
      case "gone":
        this.#enter("choosing");
        return this.#say(text(progress.kind === "gone" ? "batchGone" : "canceled"));
    }
  }

  #showJob({ state, counts, queue }: Job): void {
    const position = queue?.position ?? 0;
    if (state === "running") this.#longWait.end();
    else this.#longWait.at(position);
    if (!this.#longWait.isLong) {
      const queued = position ? text("queuedBehind", { count: position }) : text("queued");
      this.#showAt(state === "running" ? text("batchRunning") : queued, doneOf(counts));
    }
    part("batch-counts").textContent = wordsOfCounts(counts, queue?.eta_seconds ?? null);
  }

  #showEnd({ state, counts }: Job, items: readonly Item[]): void {
    const isNews = this.#phase === "working" && !this.#dialog.open;
    part<HTMLButtonElement>("batch-save").disabled = !counts.succeeded;
    this.#enter("ended");
    this.#bar.value = 1;
    const words = state === "succeeded" ? "batchDone" : state === "canceled" ? "batchStopped" : "batchPartly";
    this.#say(text(words), state === "failed");
    if (isNews) this.studio.notify(`${text("batch")}: ${text(words)}`);
    part("batch-counts").textContent = wordsOfCounts(counts, null);
    const failed = items.filter(({ state }) => state === "failed" || state === "expired");
    part("batch-failed").replaceChildren(
      ...failed.map((item) => rowOf(item.file, wordsOfFailure(item), true)),
    );
    part("batch-failed").hidden = !failed.length;
    void this.#preview(items.filter(({ image }) => image));
  }

  #showRefusal(refusal: Refusal, retrySeconds: number | null): void {
    if (retrySeconds === null) this.#enter(this.#job.id ? "stuck" : "choosing");
    const faults = new Map(refusal.faults.map((fault) => [fault.file ?? "", wordsOfFault(fault)]));
    const { batch } = this.#choice;
    const rest = batch && faults.size ? without(batch, faults) : batch;
    if (rest && rest.maps.length < batch!.maps.length) {
      this.#choice.reduceTo(rest);
      return this.#say(text("batchFaulty"), true);
    }
    this.#say(refusal.status === TOO_LARGE ? text("batchTooLarge") : wordsOfRefusal(refusal, retrySeconds), true);
  }

  /** Some of the pictures, small. */
  async #preview(made: readonly Item[]): Promise<void> {
    const count = Math.min(made.length, MOST_PREVIEWS);
    const items = Array.from({ length: count }, (_, place) => made[Math.floor((place * made.length) / count)]!);
    const pictures = await Promise.all(items.map(({ image }) => this.service.picture(image!.href).catch(() => null)));
    if (this.#phase !== "ended") return;
    for (const url of this.#previews) URL.revokeObjectURL(url);
    this.#previews = [];
    const shown = pictures.flatMap((picture, place) => {
      if (!picture) return [];
      const src = URL.createObjectURL(picture);
      this.#previews.push(src);
      return [make("img", { src, alt: items[place]!.file, title: items[place]!.file })];
    });
    part("batch-pictures").replaceChildren(...shown);
    part("batch-pictures").hidden = !shown.length;
  }

  #showAt(words: string, fraction: number | null): void {
    this.#say(words);
    if (fraction === null) this.#bar.removeAttribute("value");
    else this.#bar.value = fraction;
    this.#mark(fraction ?? 0);
  }

  /** The button of the dialog shows how far it is, also while the dialog is closed. */
  #mark(fraction: number | null): void {
    const button = part("batch");
    const label = fraction === null ? text("batch") : `${text("batch")}: ${Math.floor(100 * fraction)} %`;
    button.setAttribute("aria-label", label);
    button.title = label;
    button.classList.toggle("working", fraction !== null);
    button.style.setProperty("--done", String(fraction ?? 0));
  }

  #enter(phase: Phase): void {
    const focused = document.activeElement?.id ?? "";
    this.#phase = phase;
    part("batch-choice").hidden = phase !== "choosing";
    part("batch-run").hidden = phase === "choosing";
    for (const id of Object.values(BUTTONS).flat()) part(id).hidden = !BUTTONS[phase].includes(id);
    if (phase !== "ended") for (const id of ["batch-failed", "batch-pictures"]) part(id).hidden = true;
    if (phase !== "working") this.#mark(null);
    const isLost = Object.values(BUTTONS).flat().includes(focused) && part(focused).hidden;
    if (isLost) BUTTONS[phase].map((id) => part<HTMLButtonElement>(id)).find(({ disabled }) => !disabled)?.focus();
  }

  #say(words: string, isBad = false): void {
    if (this.#status.textContent !== words) this.#status.textContent = words;
    this.#status.dataset["tone"] = isBad ? "bad" : "calm";
  }
}

function wordsOfFault({ detail, offenders = [] }: Fault): string {
  const values = offenders.slice(0, MOST_OFFENDERS).map(({ value }) => value);
  return values.length ? `${detail}: ${values.join(", ")}${offenders.length > MOST_OFFENDERS ? " …" : ""}` : detail;
}

function wordsOfCounts({ total, succeeded, failed, canceled, expired }: Counts, etaSeconds: number | null): string {
  const others: [TextKey, number][] = [
    ["batchFailed", failed],
    ["batchCanceled", canceled],
    ["batchExpired", expired],
  ];
  const words = others.filter(([, count]) => count).map(([key, count]) => text(key, { count }));
  const eta = etaSeconds ? [wordsOfEta(etaSeconds)] : [];
  return [text("batchMade", { count: succeeded, total }), ...words, ...eta].join(" · ");
}

function wordsOfEta(seconds: number): string {
  const isLong = seconds > MOST_SECONDS_SHOWN;
  return isLong ? text("batchMinutes", { minutes: Math.ceil(seconds / 60) }) : text("eta", { seconds: Math.ceil(seconds) });
}
