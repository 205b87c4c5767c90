// Label maps as files: PNG to class ids and back.

import { cellOf, classOf, Drawing, NOTHING, objectOf, UNKNOWN } from "./drawing";
import { decodePng, encodeGrey, encodeIndexed, INDEXED, type Png, PngError } from "./png";
import type { LabelClass, Model } from "./service";

// The materials that two known painters offer, in their colours.
const GAUGAN =
  "bridge 5e5bc5 bush 606e32 clouds 696969 dirt 6e6e28 fence 706419 flower 760000 fog 77ba1d grass 7bc800 " +
  "gravel 7c32c8 ground-other 7d3054 hill 7ec864 house 7f4502 mountain 869664 mud 87716f pavement 8b3027 " +
  "platform 8f2a91 river 9364c8 road 946e28 rock 956432 roof 9600b1 sand 999900 sea 9ac6da sky 9ceedd " +
  "snow 9e9eaa stone a1a164 straw a2a3eb tree a8c832 wall-brick aad16a wall-stone ae2974 wall-wood b0c1c3 " +
  "water b1c8ff wood b57b00";
const SMART_SKETCH =
  "sea 384f83 clouds efefef dirt 2c1e16 bush 5d6e32 grass b7d24e mountain 3c3b4b road 987e6a sky 759edf " +
  "tree 352613 flower e670b6 fog c1c3c9 hill 776c2d leaves bf602c river 32604d snow fafafa";
/** What a model that lacks a material takes instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  clouds: "sky",
  fog: "sky",
  bush: "tree",
  leaves: "tree",
  hill: "grass",
  mountain: "grass",
  straw: "grass",
  flower: "grass",
  mud: "dirt",
  dirt: "sand",
  gravel: "sand",
  river: "water",
  sea: "water",
  stone: "rock",
  pavement: "road",
  house: "building",
  "ground-other": "grass",
};

export interface ReadMap {
  readonly drawing: Drawing;
  /** Whose colours it was read by; null where its values are the ids. */
  readonly palette: string | null;
  /** Pixels of materials that the model lacks, which became unknown. */
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

const plainName = (name: string) => name.replace(/-other$/, "");

function idOfName(name: string, classes: readonly LabelClass[]): number {
  for (let wanted: string | undefined = name; wanted; wanted = INSTEAD[wanted]) {
    const found = classes.find(({ name: own }) => own === wanted || plainName(own) === plainName(wanted!));
    if (found) return found.id;
  }
  return UNKNOWN;
}

function namedPalette(text: string, classes: readonly LabelClass[]): Map<number, number> {
  const words = text.split(" ");
  const palette = new Map([[0, UNKNOWN]]);
  for (let i = 0; i < words.length; i += 2) palette.set(parseInt(words[i + 1]!, 16), idOfName(words[i]!, classes));
  return palette;
}

export const colorOf = (labelClass: LabelClass): number => parseInt(labelClass.color.slice(1), 16);

/** Palettes by name, in the order in which they are tried. */
function palettesOf(model: Model): Map<string, Map<number, number>> {
  const own = new Map(model.classes.map((labelClass) => [colorOf(labelClass), labelClass.id]));
  if (!own.has(0)) own.set(0, UNKNOWN);
  return new Map([
    ["model", own],
    ["GauGAN", namedPalette(GAUGAN, model.classes)],
    ["smart-sketch", namedPalette(SMART_SKETCH, model.classes)],
  ]);
}

/** Colours 0xRRGGBB of all pixels, or -1 where one is transparent. */
function colorsOf({ samples, channels, depth, colorType, palette, alphas }: Png): Int32Array {
  const shift = depth === 16 ? 8 : 0;
  return Int32Array.from({ length: samples.length / channels }, (_, pixel) => {
    const at = pixel * channels;
    if (colorType === INDEXED) {
      const index = samples[at]!;
      return (alphas[index] ?? 255) ? (palette[index] ?? -1) : -1;
    }
    const isGrey = channels < 3;
    if (channels % 2 === 0 && samples[at + channels - 1] === 0) return -1;
    const [red, green, blue] = isGrey ? [0, 0, 0] : [0, 1, 2];
    return (
      ((samples[at + red]! >> shift) << 16) | ((samples[at + green]! >> shift) << 8) | (samples[at + blue]! >> shift)
    );
  });
}

function hex(color: number): string {
  return `#${color.toString(16).padStart(6, "0")}`;
}

function someOf(values: Iterable<string>): string {
  const all = [...values];
  return all.slice(0, 5).join(", ") + (all.length > 5 ? " …" : "");
}

/** Reads a label map for a model: by the colours of a palette that has all of them, or by its values. */
export async function readMap(bytes: Uint8Array<ArrayBuffer>, model: Model): Promise<ReadMap> {
  const png = await decodePng(bytes).catch((error: unknown) => {
    throw error instanceof PngError ? new MapError(error.reason) : error;
  });
  const drawing = new Drawing(png.width, png.height);
  const isColored = png.channels > 2 || (png.colorType === INDEXED && !isGreyRamp(png));
  const colors = isColored ? colorsOf(png) : new Int32Array(0);
  const used = new Set(colors);
  used.delete(-1);
  for (const [name, palette] of isColored ? palettesOf(model) : []) {
    if (!used.size || ![...used].every((color) => palette.has(color))) continue;
    drawing.background.set(colors.map((color) => palette.get(color) ?? UNKNOWN));
    const lost = colors.reduce((count, color) => count + (color > 0 && palette.get(color) === UNKNOWN ? 1 : 0), 0);
    return { drawing, palette: name, lost };
  }
  if (png.channels > 2) {
    const known = [...palettesOf(model).values()];
    const strange = [...used].filter((color) => !known.some((palette) => palette.has(color)));
    throw new MapError("colors-unknown", { values: someOf(strange.map(hex)), count: String(strange.length) });
  }
  readIds(png, model, drawing);
  return { drawing, palette: null, lost: 0 };
}

/** Whether each index that is used is shown as itself in grey: then colours tell nothing that the indices do not. */
function isGreyRamp({ samples, palette }: Png): boolean {
  return samples.every((index) => palette[index] === index * 0x010101);
}

function readIds(png: Png, model: Model, drawing: Drawing): void {
  for (let pixel = 0; pixel < drawing.background.length; pixel++) {
    const id = png.samples[pixel * png.channels]!;
    drawing.background[pixel] = id === model.unknown_id ? UNKNOWN : id;
  }
  checkIds(drawing, model);
}

/** Throws MapError if there are cells of no class of the model. */
export function checkIds({ background, objects }: Drawing, model: Model): void {
  const known = new Set(model.classes.map(({ id }) => id).concat(UNKNOWN));
  const strange = new Set<number>();
  for (const cell of background) if (!known.has(cell)) strange.add(cell);
  for (const cell of objects) if (cell !== NOTHING && !known.has(classOf(cell))) strange.add(classOf(cell));
  if (strange.size) {
    throw new MapError("ids-unknown", { values: someOf([...strange].map(String)), count: String(strange.size) });
  }
}

/** The same map in the classes of another model, by their names; what that lacks becomes unknown. */
export function translated(drawing: Drawing, from: Model, to: Model): Drawing {
  const ids = new Uint16Array(256).fill(UNKNOWN);
  for (const { id, name } of from.classes) ids[id] = idOfName(name, to.classes);
  const translatedCell = (cell: number) => cellOf(objectOf(cell), ids[classOf(cell)]!);
  const result = drawing.copy();
  drawing.background.forEach((cell, index) => (result.background[index] = translatedCell(cell)));
  drawing.objects.forEach((cell, index) => (result.objects[index] = cell === NOTHING ? NOTHING : translatedCell(cell)));
  return result;
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
