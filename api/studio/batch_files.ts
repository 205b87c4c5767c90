// From what a person chose or dropped to the files in it: of folders, however deep, and of ZIPs.

import type { TextKey } from "./texts";
import { type Readable, readZip, ZipError } from "./zip";

export interface FoundFiles {
  readonly files: readonly Readable[];
  /** What could not be opened, and why. */
  readonly unopened: readonly { readonly path: string; readonly reason: TextKey }[];
}

/** A file and its path below what was chosen; null where the browser does not hand it out. */
interface PlacedFile {
  readonly path: string;
  readonly file: File | null;
}

const ZIP_NAME = /\.zip$/i;
const ZIP_KIND = /zip/;

const isZip = (file: File) => ZIP_NAME.test(file.name) || ZIP_KIND.test(file.type);

/** Whether what is dropped is more than one map: several files, a folder, or a ZIP. */
export function isMany({ items, files }: DataTransfer): boolean {
  const [first] = files;
  return files.length > 1 || [...items].some((item) => item.webkitGetAsEntry()?.isDirectory) || (!!first && isZip(first));
}

/** The files that were dropped. To be called while the event lasts: afterwards the browser tells nothing of them. */
export async function droppedFiles({ items, files }: DataTransfer): Promise<FoundFiles> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  // Files that a page made up have no entry.
  const placed = entries.length ? Promise.all(entries.map(filesBelow)) : [[...files].map(placedFile)];
  return openZips((await placed).flat());
}

export function chosenFiles(files: Iterable<File>): Promise<FoundFiles> {
  return openZips([...files].map(placedFile));
}

const placedFile = (file: File): PlacedFile => ({ path: file.webkitRelativePath || file.name, file });

async function filesBelow(entry: FileSystemEntry): Promise<PlacedFile[]> {
  try {
    if (entry.isDirectory) {
      const entries = await entriesIn(entry as FileSystemDirectoryEntry);
      return (await Promise.all(entries.map(filesBelow))).flat();
    }
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: entry.fullPath, file }];
  } catch {
    return [{ path: entry.fullPath, file: null }];
  }
}

async function entriesIn(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    // Some at a time, until there are none.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return all;
    all.push(...entries);
  }
}

async function openZips(placed: readonly PlacedFile[]): Promise<FoundFiles> {
  const files: Readable[] = [];
  const unopened: { path: string; reason: TextKey }[] = [];
  for (const { path, file } of placed) {
    try {
      if (!file) unopened.push({ path: plainPath(path), reason: "unreadable" });
      else files.push(...(isZip(file) ? await readZip(file) : [readableOf(path, file)]));
    } catch (error) {
      unopened.push({ path: plainPath(path), reason: error instanceof ZipError ? error.reason : "unreadable" });
    }
  }
  const named = files.map((file) => ({ ...file, path: plainPath(file.path) }));
  return { files: named.filter(({ path }) => !isBeside(path)), unopened };
}

function readableOf(path: string, file: File): Readable {
  const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());
  return { path, size: file.size, head: (bytes) => bytesOf(file.slice(0, bytes)), read: () => bytesOf(file) };
}

/** A path that the service takes: without signs that some file system reads otherwise, and leading nowhere else. */
function plainPath(path: string): string {
  const parts = path.split(/[/\\]/).filter((part) => !["", ".", ".."].includes(part));
  return parts.join("/").replace(/[\x00-\x1f:]/g, "_");
}

/** What file managers put beside the files that were meant. */
function isBeside(path: string): boolean {
  const parts = path.split("/");
  return parts[0] === "__MACOSX" || parts.at(-1)!.startsWith(".");
}
