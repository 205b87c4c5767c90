// The work in progress, kept in the browser so that a reload loses nothing.

import type { Drawing } from "./drawing";
import type { Style } from "./style";

export interface Work {
  readonly model: string;
  readonly width: number;
  readonly height: number;
  readonly background: Uint16Array;
  readonly objects: Uint16Array;
  readonly seed: number;
  readonly style: Style;
  readonly isLive: boolean;
}

const DATABASE = "spade-studio";
const STORE = "work";
const KEY = "current";

function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Open all the time: a page that is going away has no time to open it. */
let database: Promise<IDBDatabase> | null = null;

async function store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  database ??= open();
  return (await database).transaction(STORE, mode).objectStore(STORE);
}

async function open(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const opened = await finished(opening);
  opened.onclose = () => (database = null);
  return opened;
}

export async function keepWork(work: Work): Promise<void> {
  const kept = await store("readwrite");
  const putting = kept.put(work, KEY);
  kept.transaction.commit(); // now, since a page that goes away hears of no answer, and commits nothing by itself
  await finished(putting);
}

/** What was kept; null where there is nothing, or the browser keeps nothing. */
export async function keptWork(): Promise<Work | null> {
  try {
    return ((await finished((await store("readonly")).get(KEY))) as Work | undefined) ?? null;
  } catch {
    return null;
  }
}

export function fillFrom(drawing: Drawing, { background, objects }: Pick<Work, "background" | "objects">): Drawing {
  drawing.background.set(background);
  drawing.objects.set(objects);
  return drawing;
}
