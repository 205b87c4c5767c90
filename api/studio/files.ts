// Files in and out: the menu, drag and drop, the clipboard.

import { isMany } from "./batch_files";
import { download, part } from "./dom";
import { Drawing } from "./drawing";
import type { Editor } from "./editor";
import { isDialogOpen, isForField } from "./keyboard";
import { MapError, readMap, wordsOfLost, writeMap } from "./maps";
import { PAINTERS } from "./painters";
import type { PicturePanel } from "./picture";
import { type Project, readProject, writeProject } from "./project";
import type { Model } from "./service";
import { Signal } from "./signal";
import { text } from "./texts";

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  landscape: ["lake", "beach", "canyon", "meadow", "snow"],
  street: ["avenue"],
};

export type Example = "lake" | "beach" | "canyon" | "meadow" | "snow" | "avenue";

/** What files need of the rest of the studio. */
export interface Surroundings {
  readonly editor: Editor;
  readonly picture: PicturePanel;
  model(): Model;
  /** What is drawn, and how its picture is to be made. */
  project(): Project;
  /** Shows a project, with its model. Throws MapError where the service lacks that, or that lacks materials. */
  openProject(project: Project): void;
  notify(words: string): void;
}

export const examplesOf = (model: Model): readonly Example[] => EXAMPLES[model.name] ?? [];

/** The drawing of an example that comes with the studio. Rejects with MapError. */
export async function readExample(name: Example, model: Model): Promise<Drawing> {
  const bytes = await fetch(`/studio/${name}.png`)
    .then((answer) => (answer.ok ? answer.arrayBuffer() : null))
    .catch(() => null);
  if (!bytes) throw new MapError("example-away");
  return (await readMap(new Uint8Array(bytes), model)).drawing;
}

export class Files {
  /** More than one file was dropped. */
  readonly manyDropped = new Signal<DataTransfer>();
  readonly #input = part<HTMLInputElement>("file-input");

  constructor(private readonly studio: Surroundings) {
    this.#input.addEventListener("change", () => {
      const [file] = this.#input.files ?? [];
      if (file) void this.open(file);
      this.#input.value = "";
    });
    this.#acceptDrops();
    document.addEventListener("paste", (event) => {
      const [file] = event.clipboardData?.files ?? [];
      if (file && !isForField(event)) void this.open(file, text("pasted"));
    });
  }

  choose(): void {
    this.#input.click();
  }

  open(file: File, name: string = file.name): Promise<void> {
    const act = () => (file.name.toLowerCase().endsWith(".json") ? this.#openProject(file, name) : this.#openMap(file, name));
    return this.#orSayWhyNot(name, act);
  }

  openExample(name: Example): Promise<void> {
    return this.#orSayWhyNot(text(`example-${name}`), async () => {
      const model = this.studio.model(); // there may be another once it is read
      this.studio.editor.replace(await readExample(name, model), model.name);
    });
  }

  async saveMap(): Promise<void> {
    const png = await writeMap(this.studio.editor.drawing, this.studio.model().classes);
    download(new Blob([png], { type: "image/png" }), "label-map.png");
  }

  async saveProject(): Promise<void> {
    download(await writeProject(this.studio.project()), "project.studio.json");
  }

  savePicture(): void {
    const { made } = this.studio.picture;
    if (made) download(made.picture, `picture-${made.seed}.png`);
  }

  async #orSayWhyNot(name: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof MapError)) throw error;
      this.studio.notify(text(error.reason, { ...error.values, name }));
    }
  }

  async #openMap(file: File, name: string): Promise<void> {
    const model = this.studio.model();
    const { drawing, palette, lost } = await readMap(new Uint8Array(await file.arrayBuffer()), model);
    this.studio.editor.replace(drawing, model.name);
    const painter = palette && PAINTERS[palette];
    const words = painter ? text("openedColors", { name, palette: painter }) : text("opened", { name });
    this.studio.notify(`${words} ${wordsOfLost(lost, model)}`.trim());
  }

  async #openProject(file: File, name: string): Promise<void> {
    this.studio.openProject(await readProject(await file.text()));
    this.studio.notify(text("opened", { name }));
  }

  #acceptDrops(): void {
    const target = part("drop");
    addEventListener("dragover", (event) => {
      event.preventDefault();
      target.hidden = isDialogOpen() || !event.dataTransfer?.types.includes("Files");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) target.hidden = true;
    });
    addEventListener("drop", (event) => {
      target.hidden = true;
      if (event.defaultPrevented) return; // a dialog took it
      event.preventDefault();
      if (isDialogOpen()) return;
      if (event.dataTransfer && isMany(event.dataTransfer)) return this.manyDropped.emit(event.dataTransfer);
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void this.open(file);
    });
  }
}
