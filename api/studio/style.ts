// What a picture is to look like: as its seed has it, as a preset, a blend of two, or a picture of one's own.

import { fromBase64, toBase64 } from "./base64";
import type { Model } from "./service";
import { isTextKey, text } from "./texts";

/** Two presets, as the service takes them: weight 0 is the first, 1 the second. */
export interface Blend {
  readonly blend: readonly [string, string];
  readonly weight: number;
}

/** A picture whose style is wanted. */
export interface StylePicture {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A text is the name of a preset, or `BY_SEED`. */
export type Style = string | Blend | StylePicture;

export const BY_SEED = "";

export const isBlend = (style: Style): style is Blend => typeof style === "object" && "blend" in style;
export const isPicture = (style: Style): style is StylePicture => typeof style === "object" && "bytes" in style;

/** The style where the model has it, or else the seed's. */
export function fitting(style: Style, model: Model): Style {
  const names = typeof style === "string" ? [style] : isBlend(style) ? style.blend : [];
  const isThere = isPicture(style) ? model.reads_styles : names.every((name) => model.styles.includes(name));
  return isThere ? style : BY_SEED;
}

/** A preset's name for people. */
export function nameOfStyle(name: string): string {
  const key = `preset-${name}`;
  return isTextKey(key) ? text(key) : name;
}

/** Any style but the seed's for people. */
export function wordsOfStyle(style: Style): string {
  if (isPicture(style)) return style.name;
  if (!isBlend(style)) return nameOfStyle(style);
  const [first, second] = style.blend.map(nameOfStyle);
  const percent = Math.round(style.weight * 100);
  return text("blendOf", { first: first!, second: second!, percent, rest: 100 - percent });
}

/** What a job is told of a style: a parameter, or the picture. */
export function wantedStyle(style: Style): { readonly params: { readonly style?: string | Blend }; readonly image: File | null } {
  if (isPicture(style)) return { params: {}, image: new File([style.bytes], style.name, { type: style.type }) };
  return { params: style === BY_SEED ? {} : { style }, image: null };
}

/** For files: `styleFromJson` reads it again. */
export function styleToJson(style: Style): unknown {
  return isPicture(style) ? { ...style, bytes: toBase64(style.bytes) } : style;
}

/** The seed's where `value` is no style. Throws where a picture's bytes are no base64. */
export function styleFromJson(value: unknown): Style {
  if (typeof value === "string") return value;
  const { blend, weight, name, type, bytes } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (Array.isArray(blend) && blend.length === 2 && typeof weight === "number" && weight >= 0 && weight <= 1) {
    return { blend: [String(blend[0]), String(blend[1])], weight };
  }
  if (typeof bytes === "string") return { name: String(name), type: String(type), bytes: fromBase64(bytes) };
  return BY_SEED;
}
