// The work in progress, kept in the browser so that a reload loses nothing; and the browser's database, which others
// keep things in too.

import type { Drawing } from "./drawing";
import { newKey } from "./patience";
import type { Style } from "./style";
import { keep, readKept } from "./web_storage";

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
const TAB = "spade-studio-tab";
/** Of so many tabs the work is kept, those that painted last. */
const MOST_TABS = 8;

interface KeptWork extends Work {
  readonly keptAt: number;
}

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

/** Under what the work of this tab is kept: a reload finds it again, and no other tab takes its place. */
function keyOfTab(): string {
  const key = readKept("sessionStorage", TAB) ?? newKey();
  keep("sessionStorage", TAB, key);
  return key;
}

export async function keepWork(work: Work): Promise<void> {
  const kept = await store("work", "readwrite");
  kept.put({ ...work, keptAt: Date.now() } satisfies KeptWork, keyOfTab());
  kept.transaction.commit(); // now, since a page that goes away hears of no answer, and commits nothing by itself
  await committed(kept);
}

/** What this tab kept, or else what any tab kept last; null where there is nothing, or the browser keeps nothing. */
export async function keptWork(): Promise<Work | null> {
  try {
    const kept = await store("work", "readwrite");
    const reading = [kept.getAllKeys(), kept.getAll()] as const;
    const [keys, works] = await Promise.all([finished(reading[0]), finished(reading[1] as IDBRequest<KeptWork[]>)]);
    const newestFirst = keys.map((key, place) => ({ key, work: works[place]! })).sort((a, b) => b.work.keptAt - a.work.keptAt);
    for (const { key } of newestFirst.slice(MOST_TABS)) kept.delete(key);
    const own = newestFirst.find(({ key }) => key === keyOfTab()) ?? newestFirst[0];
    return own?.work ?? null;
  } catch {
    return null;
  }
}

export function fillFrom(drawing: Drawing, { background, objects }: Pick<Work, "background" | "objects">): Drawing {
  drawing.background.set(background);
  drawing.objects.set(objects);
  return drawing;
}
