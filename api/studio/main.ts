// Puts the studio together.

import { Album } from "./album";
import { BatchDialog } from "./batch_dialog";
import { droppedFiles } from "./batch_files";
import { Compare } from "./compare";
import { Controls } from "./controls";
import { askForKey, keptKey, showHelp } from "./dialogs";
import { make, part } from "./dom";
import { Drawing } from "./drawing";
import { Editor } from "./editor";
import { examplesOf, Files } from "./files";
import { Filmstrip } from "./filmstrip";
import { FullView } from "./fullview";
import type { Point } from "./geometry";
import { type Act, CanvasKeys, isForField, listenForShortcuts } from "./keyboard";
import { Overlay } from "./overlay";
import { Palette } from "./palette";
import { PicturePanel } from "./picture";
import { wordsOfRefusal } from "./refusals";
import { Pointers } from "./pointers";
import { type Model, Refusal, Service } from "./service";
import { Sharing } from "./sharing";
import { keptWork } from "./storage";
import { Studio } from "./studio";
import { isChinese, text, translate } from "./texts";
import { TOOL_KEYS, Toolbox, type ToolName } from "./toolbox";
import { offerVariations } from "./variations";
import { View } from "./view";
import { Viewport } from "./viewport";

const RETRY_MILLISECONDS = 3000;
const SLOW_MILLISECONDS = 1000;
const BRUSH_STEP = 1.25;
const MENU_PIXELS = 230;

document.documentElement.lang = isChinese ? "zh" : "en";
translate(document);

/** The models, asked for until the service answers, lets us in, and has some. */
async function findModels(service: Service): Promise<readonly Model[]> {
  const slowness = setTimeout(() => showHindrance(text("loading")), SLOW_MILLISECONDS);
  for (;;) {
    try {
      const models = await service.models();
      clearTimeout(slowness);
      if (models.length) return models;
      showHindrance(text("noModels"));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      clearTimeout(slowness);
      if (error.wantsKey && (await askForKey())) continue;
      showHindrance(wordsOfRefusal(error, RETRY_MILLISECONDS / 1000));
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
  }
}

/** Why the page cannot be used yet. */
function showHindrance(words: string): void {
  part("hindrance").textContent = words;
  part("hindrance").hidden = false;
}

/** Nothing can be done on the page while it begins: what was painted by then would be lost. */
function setUsable(isUsable: boolean): void {
  for (const element of document.querySelectorAll<HTMLElement>("header, main, #history, .skip")) element.inert = !isUsable;
  if (isUsable) part("hindrance").hidden = true;
  document.body.classList.toggle("ready", isUsable);
}

function offerModels(studio: Studio): void {
  const select = part<HTMLSelectElement>("model");
  for (const model of studio.models) {
    const note = model.training === "untrained" ? ` (${text("untrained")})` : "";
    select.append(make("option", { value: model.name, textContent: model.title + note }));
  }
  select.addEventListener("change", () => void studio.changeModel(select.value));
}

/** Menu entries by the ids of their buttons; the menu closes behind each. */
function offerFiles(studio: Studio, files: Files): void {
  const acts: Readonly<Record<string, () => void>> = {
    "menu-new": () => void studio.newMap(),
    "menu-open": () => files.choose(),
    "menu-save-map": () => void files.saveMap(),
    "menu-save-project": () => void files.saveProject(),
    "menu-flip": () => studio.editor.replace(studio.editor.drawing.flipped()),
    "menu-clear": () => studio.clear(),
    "save-picture": () => files.savePicture(),
    "full-save": () => files.savePicture(),
  };
  for (const [id, act] of Object.entries(acts)) part(id).addEventListener("click", act);
  const menu = part("file-menu");
  menu.addEventListener("click", (event) => (event.target as Element).closest("button") && menu.hidePopover());
  menu.addEventListener("beforetoggle", () => {
    menu.style.left = `${Math.min(part("file").getBoundingClientRect().left, innerWidth - MENU_PIXELS)}px`;
    const entries = examplesOf(studio.model()).map((name) => {
      const button = make("button", { type: "button", textContent: text(`example-${name}`) });
      button.addEventListener("click", () => void files.openExample(name));
      return button;
    });
    part("menu-examples").replaceChildren(...entries);
    part("menu-examples-title").hidden = !entries.length;
  });
}

async function start(): Promise<void> {
  setUsable(false);
  const editor = new Editor(new Drawing(256, 256));
  const viewport = new Viewport(part("stage"), part("sheet"), editor);
  const view = new View(part<HTMLCanvasElement>("canvas"), editor);
  const toolbox = new Toolbox(editor);
  const overlay = new Overlay(editor, toolbox);
  const palette = new Palette(editor);
  const controls = new Controls(editor, toolbox, viewport, view);
  let under: Point | null = null;
  const tellUnder = () => {
    const words = under && editor.isInside(under) && `${under.x}, ${under.y}: ${palette.nameOf(editor.materialAt(under))}`;
    part("under").textContent = words || "";
  };
  editor.stepped.on(tellUnder);
  new Pointers(part("stage"), viewport, toolbox, (point) => {
    under = point;
    overlay.hover(point);
    tellUnder();
  });
  new CanvasKeys(part("stage"), editor, toolbox, overlay, (material) => palette.nameOf(material));

  const service = new Service(keptKey);
  const models = await findModels(service);
  const classesOf = (name: string) => models.find((model) => model.name === name)?.classes ?? [];
  const album = new Album(classesOf);
  const studio = new Studio({ service, editor, view, palette, picture: new PicturePanel(), album }, models);
  const files = new Files(studio);
  offerModels(studio);
  offerFiles(studio, files);
  editor.objectsUsedUp.on(() => studio.notify(text("objectsUsedUp")));
  const batch = new BatchDialog(service, studio);
  files.manyDropped.on((transfer) => void batch.take(droppedFiles(transfer)));
  part("generate").addEventListener("click", () => studio.generate());
  offerVariations((count) => studio.vary(count));
  part("help").addEventListener("click", showHelp);
  const compare = new Compare(studio.picture, classesOf);
  const fullView = new FullView(studio.picture);
  studio.picture.shown.on((made) => album.keepPicture(made));
  new Filmstrip(album, studio);
  const sharing = new Sharing(studio);

  const tools = Object.entries(TOOL_KEYS).map(([name, key]) => [key.toLowerCase(), () => toolbox.use(name as ToolName)]);
  const places = Array.from({ length: 9 }, (_, place) => [String(place + 1), () => palette.pick(place)]);
  listenForShortcuts({
    ...(Object.fromEntries([...tools, ...places]) as Record<string, Act>),
    m: () => editor.configure({ isMirrored: !editor.settings.isMirrored }),
    x: () => editor.exchangeMaterials(),
    "[": () => editor.configure({ size: Math.min(editor.settings.size - 1, editor.settings.size / BRUSH_STEP) }),
    "]": () => editor.configure({ size: Math.max(editor.settings.size + 1, editor.settings.size * BRUSH_STEP) }),
    c: () => compare.toggle(),
    w: () => fullView.show(),
    "/": () => palette.focusSearch(),
    "?": showHelp,
    "+": () => controls.zoom(1),
    "=": () => controls.zoom(1),
    "-": () => controls.zoom(-1),
    "0": () => viewport.fit(),
    "Ctrl+z": () => editor.undo(),
    "Ctrl+Shift+z": () => editor.redo(),
    "Ctrl+y": () => editor.redo(),
    "Ctrl+c": () => toolbox.select.copy(),
    "Ctrl+a": () => {
      toolbox.use("select");
      toolbox.select.selectAll();
    },
    "Ctrl+o": () => files.choose(),
    "Ctrl+s": () => void files.saveMap(),
    "Ctrl+Shift+s": () => void files.saveProject(),
    "Ctrl+Enter": () => studio.generate(),
    Delete: () => toolbox.select.erase(),
    Backspace: () => toolbox.select.erase(),
    Escape: () => (document.querySelector(":popover-open") ? false : toolbox.tool.cancel?.()),
  });
  document.addEventListener("paste", (event) => {
    if (isForField(event) || event.clipboardData?.files.length || !toolbox.select.paste()) return;
    toolbox.use("select");
  });

  await studio.begin(await keptWork());
  await album.load();
  await sharing.open();
  setUsable(true);
}

void start();
