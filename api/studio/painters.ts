// Which colours mean which classes: a model's own, and those of two known painters.

import { UNKNOWN } from "./drawing";
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

export type PaletteName = "model" | "gaugan" | "smart-sketch";
/** What the painters among them are called. */
export const PAINTERS: Readonly<Record<PaletteName, string | null>> = {
  model: null,
  gaugan: "GauGAN",
  "smart-sketch": "smart-sketch",
};

type ColorPalette = ReadonlyMap<number, number>;

const plainName = (name: string) => name.replace(/-other$/, "");

/** The class of a material, or of what a model without it takes instead; UNKNOWN where there is neither. */
export function idOfName(name: string, classes: readonly LabelClass[]): number {
  for (let wanted: string | undefined = name; wanted; wanted = INSTEAD[wanted]) {
    const found = classes.find(({ name: own }) => own === wanted || plainName(own) === plainName(wanted!));
    if (found) return found.id;
  }
  return UNKNOWN;
}

function namedPalette(text: string, classes: readonly LabelClass[]): ColorPalette {
  const words = text.split(" ");
  const palette = new Map([[0, UNKNOWN]]);
  for (let i = 0; i < words.length; i += 2) palette.set(parseInt(words[i + 1]!, 16), idOfName(words[i]!, classes));
  return palette;
}

export const colorOf = (labelClass: LabelClass): number => parseInt(labelClass.color.slice(1), 16);

export const hex = (color: number): string => `#${color.toString(16).padStart(6, "0")}`;

/** Palettes by name, in the order in which they are tried; black, and materials that the model lacks, are UNKNOWN. */
export function palettesOf(model: Model): ReadonlyMap<PaletteName, ColorPalette> {
  const own = new Map(model.classes.map((labelClass) => [colorOf(labelClass), labelClass.id]));
  if (!own.has(0)) own.set(0, UNKNOWN);
  return new Map([
    ["model", own],
    ["gaugan", namedPalette(GAUGAN, model.classes)],
    ["smart-sketch", namedPalette(SMART_SKETCH, model.classes)],
  ]);
}

/** A painter's palette as the service reads it, of the materials that the model has: it refuses the others by name. */
export function paletteCsv(name: PaletteName, model: Model): File {
  const ids = (color: number, id: number) => (id === UNKNOWN && color === 0 ? model.unknown_id : id);
  const rows = [...palettesOf(model).get(name)!].map(([color, id]) => [hex(color), ids(color, id)] as const);
  const known = rows.filter(([, id]) => id !== null && id !== UNKNOWN).map((row) => row.join(","));
  return new File([["color,id", ...known].join("\n")], name, { type: "text/csv" });
}
