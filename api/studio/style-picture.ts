// Pictures of one's own whose style is wanted, as they are sent.

import type { StylePicture } from "./style";

/** A picture goes along with every job, live with every stroke, and the service looks at it small. */
const MOST_BYTES = 1_000_000;
const SHRUNK_SIDE_PIXELS = 1024;
const SHRUNK_QUALITY = 0.92;

/** The kind of picture that the first bytes show, whatever the file's name says; null where it is none of these. */
async function typeOf(file: File): Promise<string | null> {
  const bytes = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const beginning = String.fromCharCode(...bytes);
  if (beginning.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (beginning.startsWith("\xff\xd8\xff")) return "image/jpeg";
  return /^RIFF[^]{4}WEBP/.test(beginning) ? "image/webp" : null;
}

/** The file as it is, or drawn anew if it is large or of another kind; null where the browser sees no picture in it. */
export async function readStylePicture(file: File): Promise<StylePicture | null> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const type = await typeOf(file);
  const picture = type && file.size <= MOST_BYTES ? file.slice(0, file.size, type) : await shrunk(bitmap);
  bitmap.close();
  return { name: file.name, type: picture.type, bytes: new Uint8Array(await picture.arrayBuffer()) };
}

function shrunk(bitmap: ImageBitmap): Promise<Blob> {
  const scale = Math.min(1, SHRUNK_SIDE_PIXELS / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width!, height!);
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width!, height!);
  return canvas.convertToBlob({ type: "image/jpeg", quality: SHRUNK_QUALITY });
}
