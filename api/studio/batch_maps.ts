// Which files are label maps that can be sent, as far as their names and first bytes tell; and all of them in one ZIP.

import type { FoundFiles } from "./batch_files";
import { type Shades, shadesOf } from "./maps";
import { decodePng, HEADER_BYTES, INDEXED, PngError, readHeader, withoutColors } from "./png";
import type { TextKey } from "./texts";
import { type Readable, ZipWriter } from "./zip";

// What the service reads of one map.
const MOST_BYTES = 32 * 2 ** 20;
const MOST_SIDE_PIXELS = 8192;
const MOST_PIXELS = 2 ** 25;
/** Of all maps, which lie in memory while they are packed. */
const MOST_BYTES_IN_ALL = 2 ** 29;
const INSTANCES = ".instance.png";
/** Colour types of PNGs whose values are colours and no ids. */
const COLORED: readonly number[] = [2, 6];

interface CheckedFile {
  readonly file: Readable;
  readonly width: number;
  readonly height: number;
  readonly isColored: boolean;
  /** Of an indexed map that can be read. */
  readonly shades: Shades | null;
}

export interface BatchMap extends CheckedFile {
  /** `NAME.instance.png` of `NAME.png`. */
  readonly instances: Readable | null;
}

/** A file that is not sent. `reason` is a text's key, or what the service said. */
export interface LeftOut {
  readonly path: string;
  readonly reason: TextKey | { readonly said: string };
}

export interface Batch {
  readonly maps: readonly BatchMap[];
  readonly leftOut: readonly LeftOut[];
}

/** A file of the batch cannot be read any more. */
export class FileGoneError extends Error {
  constructor(readonly path: string) {
    super(path);
  }
}

const order = new Intl.Collator(undefined, { numeric: true });

const filesOf = ({ file, instances }: BatchMap, withInstances: boolean): Readable[] =>
  instances && withInstances ? [file, instances] : [file];

export function bytesOf({ maps }: Batch): number {
  return maps.flatMap((map) => filesOf(map, true)).reduce((sum, { size }) => sum + size, 0);
}

/** Reads the beginning of every file, and the content of indexed maps, whose colours may tell how they are meant. */
export async function checkFiles({ files, unopened }: FoundFiles): Promise<Batch> {
  const leftOut: LeftOut[] = [...unopened];
  const checked = new Map<string, CheckedFile>();
  let bytes = 0;
  for (const file of [...files].sort((a, b) => order.compare(a.path, b.path))) {
    bytes += file.size;
    const isTooMuch = bytes > MOST_BYTES_IN_ALL;
    const result = checked.has(file.path) ? "twice" : isTooMuch ? "batchTooMuch" : await check(file);
    if (typeof result === "string") leftOut.push({ path: file.path, reason: result });
    else checked.set(file.path, { file, ...result });
  }
  return { maps: paired(checked, leftOut), leftOut };
}

/** Label maps with their instance maps; what lacks its other half is left out. */
function paired(checked: ReadonlyMap<string, CheckedFile>, leftOut: LeftOut[]): BatchMap[] {
  const maps: BatchMap[] = [];
  const used = new Set<string>();
  const faulty = new Set(leftOut.map(({ path }) => path));
  for (const [path, map] of checked) {
    if (path.endsWith(INSTANCES)) continue;
    const other = path.replace(/\.png$/, "") + INSTANCES;
    used.add(other);
    if (faulty.has(other)) leftOut.push({ path, reason: "instancesFaulty" });
    else maps.push({ ...map, instances: checked.get(other)?.file ?? null });
  }
  for (const path of checked.keys()) {
    if (path.endsWith(INSTANCES) && !used.has(path)) leftOut.push({ path, reason: "strayInstances" });
  }
  return maps;
}

async function check(file: Readable): Promise<TextKey | Omit<CheckedFile, "file">> {
  if (file.size > MOST_BYTES) return "mapTooLarge";
  try {
    const { width, height, colorType } = readHeader(await file.head(HEADER_BYTES));
    if (!width || !height) return "mapDamaged";
    const isLarge = Math.max(width, height) > MOST_SIDE_PIXELS || width * height > MOST_PIXELS;
    if (isLarge) return "mapTooLarge";
    const shades = colorType === INDEXED && !file.path.endsWith(INSTANCES) ? await shadesIn(file) : null;
    return { width, height, isColored: COLORED.includes(colorType), shades };
  } catch (error) {
    if (error instanceof PngError) return error.reason === "not-png" ? "noPng" : "mapDamaged";
    return "unreadable";
  }
}

/** Null where the map is damaged, which the service says better. */
async function shadesIn(file: Readable): Promise<Shades | null> {
  const png = await decodePng(await file.read(), MOST_SIDE_PIXELS).catch(() => null);
  return png && shadesOf(png);
}

/** The batch without the files that the service found fault with; `faults` are by path, as the service shows it. */
export function without({ maps, leftOut }: Batch, faults: ReadonlyMap<string, string>): Batch {
  const faultOf = (map: BatchMap) => filesOf(map, true).map(({ path }) => faults.get(shown(path))).find(Boolean);
  const faulty = maps.flatMap((map): LeftOut[] => {
    const said = faultOf(map);
    return said ? [{ path: map.file.path, reason: { said } }] : [];
  });
  return { maps: maps.filter((map) => !faultOf(map)), leftOut: [...faulty, ...leftOut] };
}

const LONGEST_NAME = 200;

/** The service shows the end of a name that is too long for a line. */
const shown = (path: string): string => [...path].slice(-LONGEST_NAME).join("");

/** How the maps are sent. */
export interface Packing {
  readonly withInstances: boolean;
  /** Whether a map is read by its values although others are read by their colours. */
  readonly isByValues: (map: BatchMap) => boolean;
}

/** All maps in a ZIP. Rejects with FileGoneError. */
export async function pack({ maps }: Batch, { withInstances, isByValues }: Packing, signal: AbortSignal): Promise<Blob> {
  const zip = new ZipWriter();
  for (const map of maps) {
    for (const file of filesOf(map, withInstances)) {
      signal.throwIfAborted();
      const isPlain = file === map.file && isByValues(map);
      const reading = isPlain ? file.read().then(withoutColors) : file.read();
      const content = await reading.catch(() => {
        throw new FileGoneError(file.path);
      });
      zip.add(file.path, content);
    }
  }
  return zip.finish();
}
