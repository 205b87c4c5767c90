// The sheets above the page: a new map, the shortcuts, the API key.

import { UNKNOWN } from "./drawing";
import { make, part } from "./dom";
import { nameOf } from "./materials";
import type { Model, Size } from "./service";
import { text, type TextKey } from "./texts";
import { TOOL_KEYS } from "./toolbox";
import { keep, readKept } from "./web_storage";

const KEY = "spade-studio-key";
/** What can be sent in a header. */
const KEY_FORM = /^[\x21-\x7e]+$/;

export const keptKey = (): string | null => readKept("sessionStorage", KEY);

/** Asks for an API key and keeps it; false if the person gave none. */
export function askForKey(): Promise<boolean> {
  const dialog = part<HTMLDialogElement>("key-dialog");
  const input = part<HTMLInputElement>("key-text");
  input.oninput = () => input.setCustomValidity(KEY_FORM.test(input.value.trim()) ? "" : text("keyWrong"));
  if (!dialog.open) {
    dialog.returnValue = "";
    dialog.showModal();
  }
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const isGiven = dialog.returnValue === "use";
        if (isGiven && input.value) keep("sessionStorage", KEY, input.value.trim());
        input.value = "";
        resolve(isGiven);
      },
      { once: true },
    );
  });
}

export interface NewMap extends Size {
  readonly fill: number;
}

/** Asks for size and material of a new map; null if the person thinks better of it. */
export function askForNewMap(model: Model): Promise<NewMap | null> {
  const dialog = part<HTMLDialogElement>("new-dialog");
  const { width, height } = model.size;
  const sizes = [1, 2].map((times) => `${width * times} × ${height * times}`);
  part("new-size").replaceChildren(...sizes.map((size) => make("option", { textContent: size, value: size })));
  const fills = model.classes.map((item) => make("option", { textContent: nameOf(item), value: String(item.id) }));
  if (model.unknown_id !== null) fills.unshift(make("option", { textContent: text("unknown"), value: String(UNKNOWN) }));
  part("new-fill").replaceChildren(...fills);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "create") return resolve(null);
        const [wide, high] = part<HTMLSelectElement>("new-size").value.split(" × ").map(Number) as [number, number];
        resolve({ width: wide, height: high, fill: Number(part<HTMLSelectElement>("new-fill").value) });
      },
      { once: true },
    );
  });
}

const tools = Object.entries(TOOL_KEYS).map(([name, key]): [TextKey, string] => [name as TextKey, key]);
const SHEET: readonly (readonly [TextKey, readonly (readonly [TextKey, string])[]])[] = [
  ["help-paint", [...tools, ["mirror", "M"], ["helpSize", "[ ]"], ["helpDigits", "1 – 9"], ["search", "/"], ["helpExchange", "X"]]],
  [
    "help-edit",
    [
      ["undo", "Ctrl+Z"],
      ["redo", "Ctrl+Shift+Z, Ctrl+Y"],
      ["helpCopy", "Ctrl+C, Ctrl+V"],
      ["helpSelectAll", "Ctrl+A"],
      ["helpDelete", "Delete"],
      ["open", "Ctrl+O"],
      ["saveMap", "Ctrl+S"],
      ["saveProject", "Ctrl+Shift+S"],
    ],
  ],
  [
    "help-view",
    [
      ["helpArrows", "← ↑ → ↓"],
      ["helpSpace", "Space"],
      ["helpEnter", "Enter"],
      ["helpEscape", "Escape"],
      ["zoomIn", "+"],
      ["zoomOut", "−"],
      ["zoomFit", "0"],
      ["generate", "Ctrl+Enter"],
      ["compare", "C"],
      ["fullSize", "W"],
      ["help", "?"],
    ],
  ],
];

export function showHelp(): void {
  const sections = SHEET.map(([title, rows]) => {
    const list = make("dl");
    for (const [what, keys] of rows) {
      const shown = keys.split(", ").flatMap((key, index) => [...(index ? [", "] : []), make("kbd", { textContent: key })]);
      list.append(make("div", {}, make("dt", { textContent: text(what) }), make("dd", {}, ...shown)));
    }
    return make("section", {}, make("h3", { textContent: text(title) }), list);
  });
  part("help-sheet").replaceChildren(...sections);
  part<HTMLDialogElement>("help-dialog").showModal();
}
