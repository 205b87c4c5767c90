// The studio: a model, a drawing in its classes, and the picture of it.

import type { Album } from "./album";
import { part } from "./dom";
import { askForKey, askForNewMap } from "./dialogs";
import { Drawing } from "./drawing";
import { Editor } from "./editor";
import { examplesOf, readExample, type Surroundings } from "./files";
import { Generation, type Made, type Progress, type Source } from "./generation";
import type { Step } from "./history";
import { Keeper } from "./keeper";
import { blankOf, checkIds, MapError, translated, wordsOfLost, writeInstances, writeMap } from "./maps";
import type { Palette } from "./palette";
import type { PicturePanel } from "./picture";
import type { Project } from "./project";
import type { JobRequest, Model, Service } from "./service";
import { BY_SEED, type Style, wantedStyle } from "./style";
import { fillFrom, type Work } from "./storage";
import { text } from "./texts";
import type { View } from "./view";

const LIVE_PAUSE_MILLISECONDS = 120;
const NOTICE_MILLISECONDS = 8000;

export interface Parts {
  readonly service: Service;
  readonly editor: Editor;
  readonly view: View;
  readonly palette: Palette;
  readonly picture: PicturePanel;
  readonly album: Album;
}

export class Studio implements Surroundings {
  readonly editor: Editor;
  readonly picture: PicturePanel;
  readonly #generation: Generation;
  readonly #keeper = new Keeper(() => this.#work());
  readonly #live = part<HTMLInputElement>("live");
  #model: Model;
  #livePause = 0;
  /** How many pictures were asked for at a time. */
  #count = 1;
  #notice = 0;
  /** Whether the drawing may take the place of the one that was kept: what the person did not paint may not. */
  #isWorthKeeping = true;

  constructor(
    private readonly parts: Parts,
    readonly models: readonly Model[],
  ) {
    this.editor = parts.editor;
    this.picture = parts.picture;
    this.#model = models.find(({ training }) => training !== "untrained") ?? models[0]!;
    this.#generation = new Generation(parts.service, (progress) => this.#show(progress));
    this.editor.replaced.on(() => this.#followScene());
    this.editor.stepped.on((step) => {
      if (step) this.#isWorthKeeping = !this.#isOtherModel(step);
      this.#changed();
    });
    this.picture.changed.on(() => this.#changed());
    this.picture.picked.on(() => {
      this.#generation.stop(); // further variations, if some are still being made, and what a change had begun
      this.#keepSoon();
    });
    this.picture.styles.unreadable.on((name) => this.notify(text("style-unreadable", { name })));
    this.#live.addEventListener("change", () => this.#changed());
    this.#keeper.failed.on(() => this.notify(text("notKept")));
    part("stop").addEventListener("click", () => this.#generation.stop());
  }

  model(): Model {
    return this.#model;
  }

  modelNamed(name: string): Model | undefined {
    return this.models.find((model) => model.name === name);
  }

  titleOf(name: string): string {
    return this.modelNamed(name)?.title ?? name;
  }

  project(): Project {
    const { seed, style } = this.picture;
    return { model: this.#model.name, seed, style, drawing: this.editor.drawing };
  }

  get isLive(): boolean {
    return this.#live.checked;
  }

  /** Goes on with the work that was kept, or begins with an example. */
  async begin(kept: Work | null): Promise<void> {
    const drawing = kept && fillFrom(new Drawing(kept.width, kept.height), kept);
    const model = this.models.find(({ name }) => name === kept?.model);
    this.picture.drawSeed();
    if (kept && drawing && model && fits(drawing, model)) {
      this.picture.seed = kept.seed;
      this.#live.checked = kept.isLive;
      this.#setModel(model, kept.style);
      this.editor.restart(drawing, model.name);
      return;
    }
    this.#isWorthKeeping = false;
    this.#setModel(this.#model, this.#model.styles[0] ?? BY_SEED);
    this.editor.restart(await this.#firstDrawing(this.#model), this.#model.name);
    if (!kept || !drawing) return;
    this.#putAside({ ...kept, drawing });
    this.notify(text("workAside", { model: kept.model }));
  }

  /** Goes on with another model, the map in its classes as far as it has them; a step that can be taken back. */
  async changeModel(name: string): Promise<void> {
    const [before, after] = [this.#model, this.models.find((model) => model.name === name)!];
    if (before === after) return;
    const { width, height } = after.size;
    // An example that nobody painted on gives way to one of the other model's own.
    const known = this.#isWorthKeeping ? translated(this.editor.drawing, before, after) : null;
    const drawing = known?.drawing.resized(width, height) ?? (await this.#firstDrawing(after));
    // While an example was fetched, the person may have chosen yet another.
    if (part<HTMLSelectElement>("model").value !== name) return;
    this.#keeper.atOnce();
    if (this.#isWorthKeeping) this.#putAside(this.project());
    this.editor.replace(drawing, name);
    if (known?.lost) this.notify(wordsOfLost(known.lost, after));
  }

  /** Goes on with a project, and shows the picture that was made of it, if any was. One step that can be taken back. */
  openProject({ model: name, seed, style, drawing }: Project, made: Made | null = null): void {
    const model = this.modelNamed(name);
    if (!model) throw new MapError("project-model", { model: name });
    checkIds(drawing, model);
    this.#keeper.atOnce();
    this.editor.replace(drawing, name, { before: this.picture.making, after: { seed, style, made } });
    if (made) clearTimeout(this.#livePause); // its picture is there already
  }

  /** Goes on with what somebody shared, and makes its picture. Undo leads back, but only until the page is left. */
  openShared(project: Project): void {
    const [work, isWorthKeeping] = [this.project(), this.#isWorthKeeping];
    this.openProject(project);
    if (isWorthKeeping) this.#putAside(work);
    this.#make(false);
  }

  async newMap(): Promise<void> {
    const wanted = await askForNewMap(this.#model);
    if (wanted) this.editor.replace(new Drawing(wanted.width, wanted.height, wanted.fill));
  }

  clear(): void {
    const { width, height } = this.editor.drawing;
    this.editor.replace(new Drawing(width, height, this.editor.blank));
  }

  /** Makes a picture because the person asked for one. */
  generate(): void {
    if (!this.picture.isSeedLocked && !this.picture.style) this.picture.drawSeed();
    this.picture.settleSeed();
    this.#keepSoon();
    this.#make(false);
  }

  /** Makes as many pictures, of seeds in a row, in place of one. */
  vary(count: number): void {
    if (!this.picture.isSeedLocked) this.picture.drawSeed();
    this.picture.settleSeed();
    this.#keepSoon();
    this.#make(false, count);
  }

  notify(words: string): void {
    const notice = part("notice");
    clearTimeout(this.#notice);
    notice.textContent = words;
    notice.hidden = false;
    this.#notice = setTimeout(() => (notice.hidden = true), NOTICE_MILLISECONDS);
  }

  /** Undo and redo lead to drawings of other models too, and to what was made before. */
  #followScene(): void {
    const { model: name, making } = this.editor;
    const style = making?.style ?? this.picture.style;
    if (name !== this.#model.name) this.#setModel(this.modelNamed(name)!, style);
    if (!making) return;
    this.picture.seed = making.seed;
    this.picture.setModel(this.#model, style);
    this.#generation.stop();
    if (making.made) this.picture.show({ kind: "made", made: making.made });
    else this.picture.clear();
  }

  #isOtherModel(step: Step): boolean {
    // A project of another model is the person's own.
    if (step.kind === "change" || step.after.making || step.before.model === step.after.model) return false;
    return step.after.model === this.editor.model;
  }

  #setModel(model: Model, style: Style): void {
    this.#model = model;
    part<HTMLSelectElement>("model").value = model.name;
    part("model-note").textContent = model.description;
    this.editor.configure({ layer: "background" });
    this.parts.view.setClasses(model.classes);
    this.parts.palette.setModel(model);
    this.editor.useMaterials(blankOf(model));
    this.picture.setModel(model, style);
  }

  async #firstDrawing(model: Model): Promise<Drawing> {
    const [example] = examplesOf(model);
    const blank = new Drawing(model.size.width, model.size.height, blankOf(model));
    return example ? readExample(example, model).catch(() => blank) : blank;
  }

  #changed(): void {
    clearTimeout(this.#livePause);
    if (this.isLive) this.#livePause = setTimeout(() => this.#make(true), LIVE_PAUSE_MILLISECONDS);
    this.#keepSoon();
  }

  #keepSoon(): void {
    if (this.#isWorthKeeping) this.#keeper.soon();
    else this.#keeper.rest();
  }

  /** Puts work into the history before anything takes its place in the browser. */
  #putAside({ drawing, model, seed, style }: Project): void {
    const work = { model, seed, style, drawing: drawing.copy(), isLive: false };
    this.#keeper.after(() => this.parts.album.keepWork(work));
  }

  #make(isLive: boolean, count = 1): void {
    clearTimeout(this.#livePause);
    this.#count = count;
    // A copy, since the drawing goes on.
    const source = { ...this.project(), drawing: this.editor.drawing.copy(), isLive };
    void this.#generation.make(source, () => this.#request(source, count), count);
  }

  async #request({ drawing, seed, style }: Source, variations: number): Promise<JobRequest> {
    const model = this.#model;
    const multiple = model.size_multiple;
    const fits = multiple !== null && drawing.width % multiple === 0 && drawing.height % multiple === 0;
    const wanted = wantedStyle(style);
    const params = {
      model: `${model.name}@${model.version}`,
      seed,
      priority: "interactive",
      ...(variations > 1 ? { variations } : {}),
      ...wanted.params,
      ...(fits ? { size: { width: drawing.width, height: drawing.height } } : {}),
    };
    const png = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes], { type: "image/png" });
    const sendsInstances = model.uses_instances && drawing.hasObjects();
    return {
      params,
      labelMap: png(await writeMap(drawing, model.classes)),
      instanceMap: sendsInstances ? png(await writeInstances(drawing)) : null,
      styleImage: wanted.image,
    };
  }

  #show(progress: Progress): void {
    this.picture.show(progress);
    if (progress.kind !== "refused" || !progress.refusal.wantsKey) return;
    void askForKey().then((isGiven) => {
      if (isGiven) this.#make(false, this.#count);
      else this.#live.checked = false; // or each stroke would ask again
    });
  }

  #work(): Work {
    const { width, height, background, objects } = this.editor.drawing;
    const { seed, style } = this.picture;
    return { model: this.#model.name, width, height, background, objects, seed, style, isLive: this.isLive };
  }
}

function fits(drawing: Drawing, model: Model): boolean {
  try {
    checkIds(drawing, model);
    return true;
  } catch (error) {
    if (error instanceof MapError) return false;
    throw error;
  }
}
