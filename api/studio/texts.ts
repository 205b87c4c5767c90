// Texts in the language of the browser, and where the page wants them.

import { CATALOGUE } from "./catalogue";

export type TextKey = keyof typeof CATALOGUE;

export const isChinese = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => /en|zh/.test(tag)) === "zh";

/** The text in the browser's language, `{name}` filled in from `values`. */
export function text(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  return CATALOGUE[key][isChinese ? 1 : 0].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** A number of bytes as a person reads it. */
export function sizeOf(bytes: number): string {
  const [unit, size] = bytes < 1e6 ? ["kilobyte", bytes / 1e3] : ["megabyte", bytes / 1e6];
  const digits = size < 10 ? 1 : 0;
  return size.toLocaleString(isChinese ? "zh" : "en", { style: "unit", unit, maximumFractionDigits: digits });
}

export function isTextKey(key: string): key is TextKey {
  return Object.hasOwn(CATALOGUE, key);
}

/** Puts texts where the page wants them: `data-text` as content, `data-label` as name and tooltip, `data-hint` into a field. */
export function translate(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = text(element.dataset["text"] as TextKey);
  }
  for (const element of root.querySelectorAll<HTMLInputElement>("[data-hint]")) {
    element.placeholder = text(element.dataset["hint"] as TextKey);
  }
  for (const element of root.querySelectorAll<HTMLElement>("[data-label]")) {
    const label = text(element.dataset["label"] as TextKey);
    element.setAttribute("aria-label", label);
    const keys = element.getAttribute("aria-keyshortcuts");
    if (element.matches("button, label, select, input")) element.title = keys ? `${label} (${keys})` : label;
  }
}
