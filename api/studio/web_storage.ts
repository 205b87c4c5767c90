// Small things that the browser keeps for the page; where it keeps nothing, the page remembers them itself.

export type Area = "localStorage" | "sessionStorage";

const remembered = new Map<string, string>();

export function readKept(area: Area, key: string): string | null {
  try {
    return window[area].getItem(key);
  } catch {
    return remembered.get(key) ?? null;
  }
}

export function keep(area: Area, key: string, value: string): void {
  try {
    window[area].setItem(key, value);
  } catch {
    remembered.set(key, value);
  }
}

export function forget(area: Area, key: string): void {
  remembered.delete(key);
  try {
    window[area].removeItem(key);
  } catch {
    // It keeps nothing.
  }
}
