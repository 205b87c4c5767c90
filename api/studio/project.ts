// A project as one file: both layers exactly, and how its picture was made.

import { fromBase64, toBase64 } from "./base64";
import { Drawing, NOTHING, objectOf } from "./drawing";
import { MapError } from "./maps";
import { decodePng, encodeGrey, type Png, PngError } from "./png";
import { type Style, styleFromJson, styleToJson } from "./style";

export interface Project {
  readonly model: string;
  readonly seed: number;
  readonly style: Style;
  readonly drawing: Drawing;
}

const FORMAT = "spade-studio-project";
const VERSION = 1;

interface Content {
  readonly format: string;
  readonly version: number;
  readonly model: string;
  readonly seed: number;
  readonly style: unknown;
  /** PNG of 16-bit cells in base64. */
  readonly background: string;
  readonly objects: string;
}

export async function writeProject({ drawing, style, ...how }: Project): Promise<Blob> {
  const layer = async (cells: Uint16Array) => toBase64(await encodeGrey(drawing.width, drawing.height, cells));
  const [background, objects] = [await layer(drawing.background), await layer(drawing.objects)];
  const content: Content = { format: FORMAT, version: VERSION, ...how, style: styleToJson(style), background, objects };
  return new Blob([JSON.stringify(content)], { type: "application/json" });
}

/** Rejects with MapError where the text is no project. */
export async function readProject(content: string): Promise<Project> {
  try {
    const { format, version, model, seed, style, ...layers } = JSON.parse(content) as Content;
    if (format !== FORMAT) throw new MapError("project-unknown");
    if (version !== VERSION) throw new MapError("project-version");
    const drawing = drawingOf(await decodePng(fromBase64(layers.background)), await decodePng(fromBase64(layers.objects)));
    if (!drawing || !Number.isSafeInteger(seed) || seed < 0) throw new MapError("project-unknown");
    return { model: String(model), seed, style: styleFromJson(style), drawing };
  } catch (error) {
    if (error instanceof MapError) throw error;
    const isLarge = error instanceof PngError && error.reason === "too-large";
    throw new MapError(isLarge ? "too-large" : "project-unknown");
  }
}

/** Null where the two are no layers of one drawing. */
function drawingOf(background: Png, objects: Png): Drawing | null {
  const { width, height } = background;
  const isOne = objects.width === width && objects.height === height && background.channels * objects.channels === 1;
  const isObject = (cell: number) => cell === NOTHING || objectOf(cell) > 0;
  if (!isOne || background.samples.some((cell) => objectOf(cell) > 0) || !objects.samples.every(isObject)) return null;
  const drawing = new Drawing(width, height);
  drawing.background.set(background.samples);
  drawing.objects.set(objects.samples);
  return drawing;
}
