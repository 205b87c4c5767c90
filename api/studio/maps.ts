// Label maps as files: PNG to class ids and back.

import { cellOf, classOf, Drawing, NOTHING, objectOf, UNKNOWN } from "./drawing";
import { nameOf } from "./materials";
import { colorOf, hex, idOfName, type PaletteName, palettesOf } from "./painters";
import { decodePng, encodeGrey, encodeIndexed, INDEXED, type Png, PngError } from "./png";
import type { LabelClass, Model } from "./service";
import { text } from "./texts";

/** What is where nothing is known; a class where the model wants one for every pixel. */
export const blankOf = (model: Model): number => (model.unknown_id === null ? model.classes[0]!.id : UNKNOWN);

/** What is said of pixels whose material the model lacks; nothing where there are none. */
export function wordsOfLost(count: number, model: Model): string {
  const blank = model.classes.find(({ id }) => id === blankOf(model));
  return count ? text("lost", { count, material: blank ? nameOf(blank) : text("unknown") }) : "";
}

export interface ReadMap {
  readonly drawing: Drawing;
  /** Whose colours it was read by; null where its values are the ids. */
  readonly palette: PaletteName | null;
  /** Pixels of what the model lacks, which became blank. */
  readonly lost: number;
}

/** A file that is no label map of the model; `reason` is a text's key, `values` what it names. */
export class MapError extends Error {
  constructor(
    readonly reason:
      | "not-png"
      | "damaged"
      | "too-large"
      | "ids-unknown"
      | "unknown-refused"
      | "colors-unknown"
      | "example-away"
      | "project-unknown"
      | "project-version"
      | "project-model"
      | "link-foreign"
      | "link-version"
      | "link-style-picture"
      | "link-too-long",
    readonly values: Readonly<Record<string, string>> = {},
  ) {
    super(reason);
  }
}

const indexedColor = ({ palette, alphas }: Png, index: number) => ((alphas[index] ?? 255) ? (palette[index] ?? -1) : -1);

/** Colours 0xRRGGBB of all pixels, or -1 where one is transparent. */
function colorsOf(png: Png): Int32Array {
  const { samples, channels, depth, colorType } = png;
  const shift = depth === 16 ? 8 : 0;
  return Int32Array.from({ length: samples.length / channels }, (_, pixel) => {
    const at = pixel * channels;
    if (colorType === INDEXED) return indexedColor(png, samples[at]!);
    const isGrey = channels < 3;
    if (channels % 2 === 0 && samples[at + channels - 1] === 0) return -1;
    const [red, green, blue] = isGrey ? [0, 0, 0] : [0, 1, 2];
    return (
      ((samples[at + red]! >> shift) << 16) | ((samples[at + green]! >> shift) << 8) | (samples[at + blue]! >> shift)
    );
  });
}

function someOf(values: Iterable<string>): string {
  const all = [...values];
  return all.slice(0, 5).join(", ") + (all.length > 5 ? " …" : "");
}

/** The different values of a PNG in colours, and the colour of each, -1 where it is transparent. */
export interface Shades {
  /** Whether the values are indices; else they are the colours themselves. */
  readonly isIndexed: boolean;
  readonly colors: ReadonlyMap<number, number>;
}

/** Null of a grey file, which has no colours. */
export function shadesOf(png: Png): Shades | null {
  const isIndexed = png.colorType === INDEXED;
  if (!isIndexed && png.channels < 3) return null;
  const colors = new Map<number, number>();
  if (isIndexed) for (const index of png.samples) if (!colors.has(index)) colors.set(index, indexedColor(png, index));
  if (!isIndexed) for (const color of colorsOf(png)) colors.set(color, color);
  return { isIndexed, colors };
}

/**
 * The palette by whose colours a map is to be read; null where its values are the ids.
 *
 * What the studio saves shows each class in its colour: there the indices are the ids, and tell apart what has one
 * colour. Where colours that are known contradict the indices, some program has put them into another order.
 */
export function paletteFor(shades: Shades, model: Model): PaletteName | null {
  const { isIndexed, colors } = shades;
  if (showsIds(shades, model)) return null;
  const used = [...new Set(colors.values())].filter((color) => color >= 0);
  for (const [name, palette] of used.length ? palettesOf(model) : []) {
    // Any program may show any index in black, which by itself is nobody's.
    const isMeant = !isIndexed || used.some((color) => palette.get(color) !== UNKNOWN);
    if (isMeant && used.every((color) => palette.has(color))) return name;
  }
  return null;
}

/** Whether each index that is used is shown in the colour of its class, or as itself in grey. */
export function showsIds({ isIndexed, colors }: Shades, model: Model): boolean {
  if (!isIndexed) return false;
  const own = new Map([[UNKNOWN, 0], ...model.classes.map((item) => [item.id, colorOf(item)] as const)]);
  if (model.unknown_id !== null) own.set(model.unknown_id, 0);
  const all = [...colors];
  return all.every(([index, color]) => own.get(index) === color) || all.every(([index, color]) => color === index * 0x010101);
}

/** Reads a label map for a model: by the colours of a palette that has all of them, or by its values. */
export async function readMap(bytes: Uint8Array<ArrayBuffer>, model: Model): Promise<ReadMap> {
  const png = await decodePng(bytes).catch((error: unknown) => {
    throw error instanceof PngError ? new MapError(error.reason) : error;
  });
  const shades = shadesOf(png);
  const palette = shades && paletteFor(shades, model);
  if (palette) return readColors(png, palette, model);
  if (shades && !shades.isIndexed) throw strangeColors(shades, model);
  const drawing = new Drawing(png.width, png.height);
  readIds(png, model, drawing);
  return { drawing, palette: null, lost: 0 };
}

function readColors(png: Png, name: PaletteName, model: Model): ReadMap {
  const palette = palettesOf(model).get(name)!;
  const drawing = new Drawing(png.width, png.height);
  let lost = 0;
  colorsOf(png).forEach((color, pixel) => {
    const id = palette.get(color) ?? UNKNOWN;
    drawing.background[pixel] = id === UNKNOWN ? blankOf(model) : id;
    if (id === UNKNOWN && (color > 0 || model.unknown_id === null)) lost++;
  });
  return { drawing, palette: name, lost };
}

function strangeColors({ colors }: Shades, model: Model): MapError {
  const known = [...palettesOf(model).values()];
  const strange = [...colors.keys()].filter((color) => color >= 0 && !known.some((palette) => palette.has(color)));
  return new MapError("colors-unknown", { values: someOf(strange.map(hex)), count: String(strange.length) });
}

function readIds(png: Png, model: Model, drawing: Drawing): void {
  for (let pixel = 0; pixel < drawing.background.length; pixel++) {
    const id = png.samples[pixel * png.channels]!;
    drawing.background[pixel] = id === model.unknown_id ? UNKNOWN : id;
  }
  checkIds(drawing, model);
}

/** Throws MapError if there are cells of no class of the model, unknown ones included where it wants a class everywhere. */
export function checkIds({ background, objects }: Drawing, model: Model): void {
  const known = new Set(model.classes.map(({ id }) => id));
  if (model.unknown_id !== null) known.add(UNKNOWN);
  const strange = new Set<number>();
  for (const cell of background) if (!known.has(cell)) strange.add(cell);
  for (const cell of objects) if (cell !== NOTHING && !known.has(classOf(cell))) strange.add(classOf(cell));
  if (strange.delete(UNKNOWN) && !strange.size) throw new MapError("unknown-refused");
  if (strange.size) {
    throw new MapError("ids-unknown", { values: someOf([...strange].map(String)), count: String(strange.size) });
  }
}

/** The same map in the classes of another model, by their names, blank where it lacks them; null where it lacks all. */
export function translated(drawing: Drawing, from: Model, to: Model): Omit<ReadMap, "palette"> | null {
  const ids = new Uint16Array(256).fill(UNKNOWN);
  for (const { id, name } of from.classes) ids[id] = idOfName(name, to.classes);
  const labels = drawing.labels();
  if (labels.every((label) => ids[label] === UNKNOWN)) return null;
  const lost = labels.filter((label) => label !== UNKNOWN && ids[label] === UNKNOWN).length;
  const translatedCell = (cell: number) => {
    const id = ids[classOf(cell)]!;
    return cellOf(objectOf(cell), id === UNKNOWN ? blankOf(to) : id);
  };
  const result = drawing.copy();
  drawing.background.forEach((cell, index) => (result.background[index] = translatedCell(cell)));
  drawing.objects.forEach((cell, index) => (result.objects[index] = cell === NOTHING ? NOTHING : translatedCell(cell)));
  return { drawing: result, lost };
}

/** The map as an indexed PNG in the model's colours, unknown as 255 and black. */
export function writeMap(drawing: Drawing, classes: readonly LabelClass[]): Promise<Uint8Array<ArrayBuffer>> {
  const colors = new Array<number>(256).fill(0);
  for (const labelClass of classes) if (labelClass.id < UNKNOWN) colors[labelClass.id] = colorOf(labelClass);
  return encodeIndexed(drawing.width, drawing.height, drawing.labels(), colors);
}

/** The map of instances as a grey PNG of 16 bits. */
export function writeInstances(drawing: Drawing): Promise<Uint8Array<ArrayBuffer>> {
  return encodeGrey(drawing.width, drawing.height, drawing.instances());
}
