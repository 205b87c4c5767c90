// The two layers of a drawing as PNG files, which give back every cell.

import { Drawing, NOTHING, objectOf } from "./drawing";
import { decodePng, encodeGrey, type Png, PngError } from "./png";

type Bytes = Uint8Array<ArrayBuffer>;

export interface Layers {
  readonly background: Bytes;
  readonly objects: Bytes;
}

export async function encodeLayers({ width, height, background, objects }: Drawing): Promise<Layers> {
  return {
    // Cells of the background are classes alone, which a byte holds.
    background: await encodeGrey(width, height, Uint8Array.from(background)),
    objects: await encodeGrey(width, height, objects),
  };
}

/** Rejects with PngError where the two are no layers of one drawing. */
export async function decodeLayers({ background, objects }: Layers): Promise<Drawing> {
  return drawingOf(await decodePng(background), await decodePng(objects));
}

function drawingOf(background: Png, objects: Png): Drawing {
  const { width, height } = background;
  const isOne = objects.width === width && objects.height === height && background.channels * objects.channels === 1;
  const isObject = (cell: number) => cell === NOTHING || objectOf(cell) > 0;
  if (!isOne || background.samples.some((cell) => objectOf(cell) > 0) || !objects.samples.every(isObject)) {
    throw new PngError("damaged");
  }
  const drawing = new Drawing(width, height);
  drawing.background.set(background.samples);
  drawing.objects.set(objects.samples);
  return drawing;
}
