// A link that holds a whole project in its fragment, which browsers send to no server.

import { fromBase64, toBase64 } from "./base64";
import { decodeLayers, encodeLayers } from "./layers";
import { MapError } from "./maps";
import { PngError } from "./png";
import { isSeed, type Project } from "./project";
import { isPicture, styleFromJson } from "./style";

const VERSION = "1";
/** Browsers take more, but mail and messengers break longer links. */
const MOST_CHARACTERS = 16_000;

/** Base64 of letters that need no escape in an address. */
const toLetters = (bytes: Uint8Array) =>
  toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const fromLetters = (letters: string) => fromBase64(letters.replaceAll("-", "+").replaceAll("_", "/"));

/** A link to the page at `address`. Rejects with MapError where the project needs more letters than a link may have. */
export async function linkTo({ model, seed, style, drawing }: Project, address: string): Promise<string> {
  if (isPicture(style)) throw new MapError("link-style-picture");
  const { background, objects } = await encodeLayers(drawing);
  const content = { link: VERSION, model, seed: String(seed), style: JSON.stringify(style) };
  const layers = { background: toLetters(background), objects: toLetters(objects) };
  const link = `${address}#${new URLSearchParams({ ...content, ...layers })}`;
  if (link.length > MOST_CHARACTERS) {
    throw new MapError("link-too-long", { count: String(link.length), most: String(MOST_CHARACTERS) });
  }
  return link;
}

/** The project in the fragment of a link, without its `#`. Rejects with MapError where there is none. */
export async function readLink(fragment: string): Promise<Project> {
  const content = new URLSearchParams(fragment);
  const version = content.get("link");
  if (version === null) throw new MapError("link-foreign");
  if (version !== VERSION) throw new MapError("link-version");
  const [model, style, seed] = [content.get("model"), content.get("style"), Number(content.get("seed") || NaN)];
  const [background, objects] = [content.get("background"), content.get("objects")];
  if (!model || !style || !isSeed(seed) || !background || !objects) throw new MapError("damaged");
  try {
    const layers = { background: fromLetters(background), objects: fromLetters(objects) };
    return { model, seed, style: styleFromJson(JSON.parse(style)), drawing: await decodeLayers(layers) };
  } catch (error) {
    throw new MapError(error instanceof PngError && error.reason === "too-large" ? "too-large" : "damaged");
  }
}
