// The work in progress, kept in the browser so that a reload loses nothing; and the browser's database, which others
// keep things in too.

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
const VERSION = 2;
const STORES: Readonly<Record<StoreName, IDBObjectStoreParameters>> = {
  work: {},
  pictures: { keyPath: "id", autoIncrement: true },
};
const KEY = "current";

export type StoreName = "work" | "pictures";

export function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** When what was put into a store stays there. Rejects where there is no room, which shows after the requests' success. */
export function committed({ transaction }: IDBObjectStore): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Open all the time: a page that is going away has no time to open it. */
let database: Promise<IDBDatabase> | null = null;

/** A store, in a transaction of its own. */
export async function store(name: StoreName, mode: IDBTransactionMode): Promise<IDBObjectStore> {
  database ??= open().catch((error: unknown) => {
    database = null; // another time it may open
    throw error;
  });
  return (await database).transaction(name, mode).objectStore(name);
}

async function open(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, VERSION);
  opening.onupgradeneeded = () => {
    const { objectStoreNames: known } = opening.result;
    for (const [name, options] of Object.entries(STORES)) {
      if (!known.contains(name)) opening.result.createObjectStore(name, options);
    }
  };
  const opened = await finished(opening);
  opened.onclose = () => (database = null);
  // A later release of the studio, in another tab, waits for this one to let go.
  opened.onversionchange = () => {
    opened.close();
    database = null;
  };
  return opened;
}

export async function keepWork(work: Work): Promise<void> {
  const kept = await store("work", "readwrite");
  kept.put(work, KEY);
  kept.transaction.commit(); // now, since a page that goes away hears of no answer, and commits nothing by itself
  await committed(kept);
}

/** What was kept; null where there is nothing, or the browser keeps nothing. */
export async function keptWork(): Promise<Work | null> {
  try {
    return ((await finished((await store("work", "readonly")).get(KEY))) as Work | undefined) ?? null;
  } catch {
    return null;
  }
}

export function fillFrom(drawing: Drawing, { background, objects }: Pick<Work, "background" | "objects">): Drawing {
  drawing.background.set(background);
  drawing.objects.set(objects);
  return drawing;
}
