// Pictures of one's own whose style is wanted, as they are sent.

import type { StylePicture } from "./style";

/** A picture goes along with every job, live with every stroke, and the service looks at it small. */
const MOST_BYTES = 1_000_000;
/** What the service reads. */
const SENT_TYPES: readonly string[] = ["image/png", "image/jpeg", "image/webp"];
const SHRUNK_SIDE_PIXELS = 1024;
const SHRUNK_QUALITY = 0.92;

/** The file as it is, or drawn anew if it is large or of another kind; null where the browser sees no picture in it. */
export async function readStylePicture(file: File): Promise<StylePicture | null> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const isSent = SENT_TYPES.includes(file.type) && file.size <= MOST_BYTES;
  const picture = isSent ? file : await shrunk(bitmap);
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
