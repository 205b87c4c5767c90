// PNG files sample by sample: what is stored, not what a browser would show. Source: PNG specification, third edition.

const GREY = 0;
export const INDEXED = 3;
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const MOST_PIXELS_A_SIDE = 2048;

type Bytes = Uint8Array<ArrayBuffer>;

export interface Png {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
  readonly channels: number;
  /** Samples, pixel by pixel; of an indexed file the indices. */
  readonly samples: Uint16Array;
  /** Colours 0xRRGGBB of an indexed file. */
  readonly palette: readonly number[];
  /** Alpha of the palette's colours, as far as the file says. */
  readonly alphas: Uint8Array;
}

/** A file that is not read; `reason` says why. */
export class PngError extends Error {
  constructor(readonly reason: "not-png" | "damaged" | "too-large") {
    super(reason);
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

async function pass(bytes: Bytes, through: GenericTransformStream): Promise<Bytes> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(through)).arrayBuffer());
}

/** Unpacks what is to be of a length; what is longer is not read to its end. */
async function inflate(packed: Blob, length: number): Promise<Bytes> {
  const unpacked = new Uint8Array(length);
  let at = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (at + part.value.length > length) {
      await reader.cancel();
      throw new PngError("damaged");
    }
    unpacked.set(part.value, at);
    at += part.value.length;
  }
  if (at < length) throw new PngError("damaged");
  return unpacked;
}

function chunk(kind: string, content: Uint8Array): Bytes {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = kind.charCodeAt(i);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, crc32(bytes.subarray(4, content.length + 8)));
  return bytes;
}

async function encode(
  width: number,
  height: number,
  samples: Uint8Array | Uint16Array,
  colorType: number,
  palette: Uint8Array | null,
): Promise<Bytes> {
  const size = samples.BYTES_PER_ELEMENT;
  const rows = new Uint8Array((width * size + 1) * height);
  const view = new DataView(rows.buffer);
  for (let y = 0, to = 0; y < height; y++) {
    to++; // the filter: none, which suits class ids
    for (let x = 0; x < width; x++, to += size) {
      const sample = samples[y * width + x]!;
      if (size === 1) rows[to] = sample;
      else view.setUint16(to, sample);
    }
  }
  const header = new Uint8Array(13);
  const headerView = new DataView(header.buffer);
  headerView.setUint32(0, width);
  headerView.setUint32(4, height);
  header.set([8 * size, colorType], 8);
  const data = await pass(rows, new CompressionStream("deflate"));
  return assembled(header, palette ? [chunk("PLTE", palette)] : [], data);
}

async function assembled(header: Bytes, between: readonly Bytes[], data: Bytes): Promise<Bytes> {
  const rest = [...between, chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  return new Uint8Array(await new Blob([Uint8Array.from(SIGNATURE), chunk("IHDR", header), ...rest]).arrayBuffer());
}

/** An indexed file as a grey one, whose values are its indices. Rejects with PngError. */
export async function withoutColors(bytes: Bytes): Promise<Bytes> {
  const { header, data } = readChunks(bytes);
  const grey = new Uint8Array(header.buffer as ArrayBuffer, header.byteOffset, header.byteLength).slice();
  grey[9] = GREY;
  return assembled(grey, [], new Uint8Array(await data.arrayBuffer()));
}

/** An indexed file of 8 bits: the indices are the labels, `colors` (0xRRGGBB) what viewers show for them. */
export function encodeIndexed(width: number, height: number, labels: Uint8Array, colors: readonly number[]): Promise<Bytes> {
  const palette = Uint8Array.from(colors.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]));
  return encode(width, height, labels, INDEXED, palette);
}

/** A grey file, of 8 or 16 bits as the samples are. */
export function encodeGrey(width: number, height: number, samples: Uint8Array | Uint16Array): Promise<Bytes> {
  return encode(width, height, samples, GREY, null);
}

/** So many bytes at the beginning tell what `readHeader` reads. */
export const HEADER_BYTES = 33;

/** Size and form of a PNG, from its beginning. Throws PngError. */
export function readHeader(bytes: Bytes): Pick<Png, "width" | "height" | "colorType"> {
  if (SIGNATURE.some((byte, index) => bytes[index] !== byte)) throw new PngError("not-png");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWhole = bytes.length >= HEADER_BYTES && view.getUint32(8) === 13;
  if (!isWhole || crc32(bytes.subarray(12, 29)) !== view.getUint32(29)) throw new PngError("damaged");
  return { width: view.getUint32(16), height: view.getUint32(20), colorType: view.getUint8(25) };
}

interface Chunks {
  readonly header: DataView;
  readonly palette: Uint8Array;
  readonly alphas: Uint8Array;
  readonly data: Blob;
}

function readChunks(bytes: Bytes): Chunks {
  if (SIGNATURE.some((byte, index) => bytes[index] !== byte)) throw new PngError("not-png");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Record<string, Bytes> = {};
  const data: Bytes[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length || crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) throw new PngError("damaged");
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IEND") break;
    if (kind === "IDAT") data.push(bytes.subarray(at + 8, end));
    else found[kind] = bytes.subarray(at + 8, end);
    at = end + 4;
  }
  const header = found["IHDR"];
  if (header?.length !== 13 || !data.length) throw new PngError("damaged");
  return {
    header: new DataView(header.buffer, header.byteOffset, header.length),
    palette: found["PLTE"] ?? new Uint8Array(0),
    alphas: found["tRNS"] ?? new Uint8Array(0),
    data: new Blob(data),
  };
}

/** Undoes the filters of the rows of one pass, in place. */
function unfilter(rows: Uint8Array, stride: number, height: number, step: number): void {
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1) + 1;
    const filter = rows[start - 1]!;
    for (let i = 0; i < stride; i++) {
      const left = i >= step ? rows[start + i - step]! : 0;
      const up = y > 0 ? rows[start + i - stride - 1]! : 0;
      const corner = y > 0 && i >= step ? rows[start + i - step - stride - 1]! : 0;
      rows[start + i]! += predict(filter, left, up, corner);
    }
  }
}

function predict(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const [byLeft, byUp, byCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
      return byLeft <= byUp && byLeft <= byCorner ? left : byUp <= byCorner ? up : corner;
    }
    default:
      throw new PngError("damaged");
  }
}

function sampleAt(row: Uint8Array, position: number, depth: number): number {
  if (depth === 8) return row[position]!;
  if (depth === 16) return (row[2 * position]! << 8) | row[2 * position + 1]!;
  const bit = position * depth;
  return (row[bit >> 3]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly across: number;
  readonly down: number;
  /** Bytes of a row, without that of its filter. */
  readonly stride: number;
}

function passesOf(width: number, height: number, bits: number, isInterlaced: boolean): Pass[] {
  const passes = (isInterlaced ? ADAM7 : [[0, 0, 1, 1] as const]).map(([left, top, stepX, stepY]) => {
    const [across, down] = [Math.ceil((width - left) / stepX), Math.ceil((height - top) / stepY)];
    return { left, top, stepX, stepY, across, down, stride: Math.ceil((across * bits) / 8) };
  });
  return passes.filter(({ across, down }) => across > 0 && down > 0);
}

/** Reads any PNG of at most `mostSide` pixels a side. Rejects with PngError. */
export async function decodePng(bytes: Bytes, mostSide = MOST_PIXELS_A_SIDE): Promise<Png> {
  const { header, palette, alphas, data } = readChunks(bytes);
  const [width, height] = [header.getUint32(0), header.getUint32(4)];
  const [depth, colorType, isInterlaced] = [header.getUint8(8), header.getUint8(9), header.getUint8(12) === 1];
  const channels = CHANNELS[colorType];
  if (!channels || ![1, 2, 4, 8, 16].includes(depth) || !width || !height) throw new PngError("damaged");
  if (Math.max(width, height) > mostSide) throw new PngError("too-large");
  const passes = passesOf(width, height, channels * depth, isInterlaced);
  const length = passes.reduce((bytes, { down, stride }) => bytes + down * (stride + 1), 0);
  const unpacked = await inflate(data, length).catch(() => {
    throw new PngError("damaged");
  });
  const samples = new Uint16Array(width * height * channels);
  let at = 0;
  for (const { left, top, stepX, stepY, across, down, stride } of passes) {
    const rows = unpacked.subarray(at, at + down * (stride + 1));
    unfilter(rows, stride, down, Math.max(1, (channels * depth) >> 3));
    for (let y = 0; y < down; y++) {
      const row = rows.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
      for (let x = 0; x < across; x++) {
        const to = ((top + y * stepY) * width + left + x * stepX) * channels;
        for (let c = 0; c < channels; c++) samples[to + c] = sampleAt(row, x * channels + c, depth);
      }
    }
    at += rows.length;
  }
  const colors = Array.from({ length: Math.floor(palette.length / 3) }, (_, i) => {
    return (palette[3 * i]! << 16) | (palette[3 * i + 1]! << 8) | palette[3 * i + 2]!;
  });
  return { width, height, depth, colorType, channels, samples, palette: colors, alphas };
}
