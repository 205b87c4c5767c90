// The last pictures and what made them, kept in the browser beside the work.

import { thumbnailOf } from "./coloring";
import type { Made, Source } from "./generation";
import { decodeLayers, encodeLayers, type Layers } from "./layers";
import type { LabelClass } from "./service";
import { Signal } from "./signal";
import { committed, finished, store } from "./storage";
import { isPicture, styleToJson } from "./style";

/** One of the last pictures. */
export interface Kept extends Layers, Omit<Source, "drawing"> {
  readonly id: number;
  /** Of work that nothing was made of there is none. */
  readonly picture: Blob | null;
  readonly milliseconds: number;
  /** The map in a small size. */
  readonly thumbnail: ImageData;
  /** Milliseconds since 1970. */
  readonly keptAt: number;
}

type New = Omit<Kept, "id">;

export const MAP_PIXELS = 32;
const MOST_PICTURES = 50;
const MOST_BYTES = 48 * 2 ** 20;
/** Pictures of live mode that follow each other within this time show one and the same idea grow. */
const BURST_MILLISECONDS = 10_000;

function sizeOf({ background, objects, thumbnail, picture, style }: New): number {
  const ofStyle = isPicture(style) ? style.bytes.length : 0;
  return background.length + objects.length + thumbnail.data.length + (picture?.size ?? 0) + ofStyle;
}

const isEqual = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);

function isSame(one: New, other: New): boolean {
  const how = ({ model, seed, style }: New) => JSON.stringify([model, seed, styleToJson(style)]);
  return how(one) === how(other) && isEqual(one.background, other.background) && isEqual(one.objects, other.objects);
}

/**
 * Whether the later takes the place of the earlier. While somebody paints, live mode makes a picture of every stroke, and
 * after a minute nothing else would be left; what is worth coming back to is the last of each burst of them. Pictures
 * that the person asked for stay.
 */
function isOfSameBurst(later: New, earlier: New): boolean {
  const isSoon = later.keptAt - earlier.keptAt < BURST_MILLISECONDS;
  return later.isLive && earlier.isLive && later.model === earlier.model && isSoon;
}

/** What remains, the newest first: without what is the same, and without the oldest that are too many. */
async function keepAmong(kept: readonly Kept[], added: Kept, pictures: IDBObjectStore): Promise<readonly Kept[]> {
  let bytes = 0;
  const others = kept.filter((one, place) => !isSame(added, one) && !(place === 0 && isOfSameBurst(added, one)));
  const remaining = [added, ...others].slice(0, MOST_PICTURES).filter((one) => (bytes += sizeOf(one)) <= MOST_BYTES);
  const dropped = [added, ...kept].filter((one) => !remaining.includes(one));
  await Promise.all(dropped.map(({ id }) => finished(pictures.delete(id))));
  return remaining;
}

const newestFirst = async (pictures: IDBObjectStore) => ((await finished(pictures.getAll())) as Kept[]).reverse();

export class Album {
  /** What is kept is another; the newest first. */
  readonly changed = new Signal<readonly Kept[]>();
  /** Shown once, a picture has been kept; it comes back by undo. */
  readonly #seen = new WeakSet<Made>();
  #busy: Promise<unknown> = Promise.resolve();

  constructor(private readonly classesOf: (model: string) => readonly LabelClass[]) {}

  load(): Promise<boolean> {
    return this.#inTurn(async () => newestFirst(await store("pictures", "readonly")));
  }

  clear(): Promise<boolean> {
    return this.#inTurn(async () => {
      await finished((await store("pictures", "readwrite")).clear());
      return [];
    });
  }

  keepPicture(made: Made): void {
    if (this.#seen.has(made)) return;
    this.#seen.add(made);
    const { source, seed, picture, milliseconds } = made;
    void this.#keep({ ...source, seed }, picture, milliseconds);
  }

  /** Keeps work that nothing may have been made of; whether the browser let it. */
  keepWork(source: Source): Promise<boolean> {
    return this.#keep(source, null, 0);
  }

  /** The picture as it was when it was made. Rejects with PngError where what was kept is damaged. */
  async take(kept: Kept): Promise<{ source: Source; made: Made | null }> {
    const { model, seed, style, isLive, picture, milliseconds } = kept;
    const source = { model, seed, style, isLive, drawing: await decodeLayers(kept) };
    if (!picture) return { source, made: null };
    const made = { source, seed, picture, milliseconds };
    this.#seen.add(made);
    return { source, made };
  }

  #keep({ drawing, ...how }: Source, picture: Blob | null, milliseconds: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const thumbnail = thumbnailOf(drawing, this.classesOf(how.model), MAP_PIXELS);
      const layers = await encodeLayers(drawing);
      const made: New = { ...how, ...layers, picture, milliseconds, thumbnail, keptAt: Date.now() };
      const pictures = await store("pictures", "readwrite");
      // Other tabs keep theirs here too, so that only the store knows what there is.
      const kept = await newestFirst(pictures);
      const same = kept.find((one) => isSame(made, one));
      if (same && !picture) return kept;
      // Asked for once, it stays so when live mode makes it again.
      const added = { ...made, isLive: made.isLive && (same?.isLive ?? true) };
      const id = (await finished(pictures.add(added))) as number;
      const remaining = await keepAmong(kept, { ...added, id }, pictures);
      await committed(pictures);
      return remaining;
    });
  }

  /** One after the other, so that the newest comes last; a browser that keeps nothing works all the same. */
  #inTurn(act: () => Promise<readonly Kept[]>): Promise<boolean> {
    const done = this.#busy.then(act).then(
      (kept) => {
        this.changed.emit(kept);
        return true;
      },
      () => false,
    );
    this.#busy = done;
    return done;
  }
}
