// ZIP files: what is in one, and a new one of files that are packed already. Source: APPNOTE 6.3.10, PKWARE.

import { crc32 } from "./png";

type Bytes = Uint8Array<ArrayBuffer>;

/** A file to be read, on disk or in a ZIP. */
export interface Readable {
  readonly path: string;
  readonly size: number;
  /** Its first bytes, at most so many. */
  head(bytes: number): Promise<Bytes>;
  /** Rejects where it cannot be read, or is not what the ZIP says of it. */
  read(): Promise<Bytes>;
}

/** A ZIP that is not read; `reason` says why. */
export class ZipError extends Error {
  constructor(readonly reason: "zip-damaged" | "zip-unsupported") {
    super(reason);
  }
}

const END = 0x06054b50;
const END_BYTES = 22;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const IN_LARGE_FORM = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 0x0001;
const NAMES_ARE_UTF8 = 0x0800;
const VERSION = 20;
/** 1 January 1980, the first day that the format knows: the same files make the same ZIP. */
const FIRST_DAY = 0x0021;

async function viewOf(blob: Blob): Promise<DataView> {
  return new DataView(await blob.arrayBuffer());
}

/** Names without the mark for UTF-8 are of unknown encoding; any that keeps different names different will do. */
function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

async function firstBytes(stream: ReadableStream<Bytes>, most: number): Promise<Bytes> {
  const bytes = new Uint8Array(most);
  const reader = stream.getReader();
  let at = 0;
  while (at < most) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, most - at);
    bytes.set(part, at);
    at += part.length;
  }
  await reader.cancel();
  return bytes.subarray(0, at);
}

interface Entry {
  readonly path: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly offset: number;
}

async function open(zip: Blob, { flags, method, packedSize, offset }: Entry): Promise<ReadableStream<Bytes>> {
  const local = await viewOf(zip.slice(offset, offset + LOCAL_BYTES));
  if (local.byteLength < LOCAL_BYTES || local.getUint32(0, true) !== LOCAL) throw new ZipError("zip-damaged");
  if (flags & ENCRYPTED || ![STORED, DEFLATED].includes(method)) throw new ZipError("zip-unsupported");
  const start = offset + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = zip.slice(start, start + packedSize).stream();
  return method === STORED ? packed : packed.pipeThrough(new DecompressionStream("deflate-raw"));
}

function readableOf(zip: Blob, entry: Entry): Readable {
  const { path, size, crc } = entry;
  return {
    path,
    size,
    head: async (bytes) => firstBytes(await open(zip, entry), Math.min(bytes, size)),
    read: async () => {
      const content = await firstBytes(await open(zip, entry), size);
      if (content.length !== size || crc32(content) !== crc) throw new ZipError("zip-damaged");
      return content;
    },
  };
}

/** The bytes of the directory of a ZIP, and where what it tells of begins. */
async function readDirectory(zip: Blob): Promise<[DataView, number]> {
  const start = Math.max(0, zip.size - END_BYTES - LONGEST_COMMENT);
  const tail = await viewOf(zip.slice(start));
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw new ZipError("zip-damaged");
  const [size, offset] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  if (offset === IN_LARGE_FORM) throw new ZipError("zip-unsupported");
  const begin = start + at - size;
  if (begin < offset) throw new ZipError("zip-damaged");
  return [await viewOf(zip.slice(begin, begin + size)), begin - offset];
}

/** The files of a ZIP by its directory; folders are none. Rejects with ZipError. */
export async function readZip(zip: Blob): Promise<Readable[]> {
  const [view, origin] = await readDirectory(zip);
  const files: Readable[] = [];
  for (let at = 0; at + ENTRY_BYTES <= view.byteLength; ) {
    if (view.getUint32(at, true) !== ENTRY) throw new ZipError("zip-damaged");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const name = new Uint8Array(view.buffer, at + ENTRY_BYTES, Math.min(nameLength!, view.byteLength - at - ENTRY_BYTES));
    const path = decodeName(name);
    const entry = {
      path,
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: origin + view.getUint32(at + 42, true),
    };
    if (!path.endsWith("/")) files.push(readableOf(zip, entry));
    at += ENTRY_BYTES + nameLength! + extraLength! + commentLength!;
  }
  return files;
}

function recordOf(bytes: number, fields: readonly (readonly [at: number, size: 2 | 4, value: number])[]): Bytes {
  const view = new DataView(new ArrayBuffer(bytes));
  for (const [at, size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  }
  return new Uint8Array(view.buffer);
}

/** A ZIP that is made file by file, each stored as it is. */
export class ZipWriter {
  readonly #parts: Bytes[] = [];
  readonly #directory: Bytes[] = [];
  #size = 0;
  #count = 0;

  add(path: string, content: Bytes): void {
    const name = new TextEncoder().encode(path);
    // What a file's own header and its entry in the directory have in common, from the version that is needed on.
    const shared = (at: number) =>
      [
        [at, 2, VERSION],
        [at + 2, 2, NAMES_ARE_UTF8],
        [at + 8, 2, FIRST_DAY],
        [at + 10, 4, crc],
        [at + 14, 4, content.length],
        [at + 18, 4, content.length],
        [at + 22, 2, name.length],
      ] as const;
    const crc = crc32(content);
    const entry = recordOf(ENTRY_BYTES, [[0, 4, ENTRY], [4, 2, VERSION], ...shared(6), [42, 4, this.#size]]);
    this.#directory.push(entry, name);
    this.#append(recordOf(LOCAL_BYTES, [[0, 4, LOCAL], ...shared(4)]), name, content);
    this.#count++;
  }

  finish(): Blob {
    const start = this.#size;
    this.#append(...this.#directory);
    const counts = [8, 10].map((at) => [at, 2, this.#count] as const);
    this.#append(recordOf(END_BYTES, [[0, 4, END], ...counts, [12, 4, this.#size - start], [16, 4, start]]));
    return new Blob(this.#parts, { type: "application/zip" });
  }

  #append(...parts: Bytes[]): void {
    this.#parts.push(...parts);
    this.#size += parts.reduce((sum, { length }) => sum + length, 0);
  }
}
