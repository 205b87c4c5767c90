// A project as one file: both layers exactly, and how its picture was made.

import { fromBase64, toBase64 } from "./base64";
import type { Drawing } from "./drawing";
import { decodeLayers, encodeLayers } from "./layers";
import { MapError } from "./maps";
import { PngError } from "./png";
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
  /** The layers' PNG files in base64. */
  readonly background: string;
  readonly objects: string;
}

export const isSeed = (seed: number): boolean => Number.isSafeInteger(seed) && seed >= 0;

export async function writeProject({ drawing, style, ...how }: Project): Promise<Blob> {
  const { background, objects } = await encodeLayers(drawing);
  const layers = { background: toBase64(background), objects: toBase64(objects) };
  const content: Content = { format: FORMAT, version: VERSION, ...how, style: styleToJson(style), ...layers };
  return new Blob([JSON.stringify(content)], { type: "application/json" });
}

/** Rejects with MapError where the text is no project. */
export async function readProject(content: string): Promise<Project> {
  try {
    const { format, version, model, seed, style, background, objects } = JSON.parse(content) as Content;
    if (format !== FORMAT) throw new MapError("project-unknown");
    if (version !== VERSION) throw new MapError("project-version");
    const drawing = await decodeLayers({ background: fromBase64(background), objects: fromBase64(objects) });
    if (!isSeed(seed)) throw new MapError("project-unknown");
    return { model: String(model), seed, style: styleFromJson(style), drawing };
  } catch (error) {
    if (error instanceof MapError) throw error;
    const isLarge = error instanceof PngError && error.reason === "too-large";
    throw new MapError(isLarge ? "too-large" : "project-unknown");
  }
}
