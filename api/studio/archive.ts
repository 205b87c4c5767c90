// All pictures of a job as one file, on its way from the service to the disk.

import { download, make } from "./dom";
import { archivePath, noAnswer, type Service } from "./service";

/** What of the File System Access API is used; not all browsers have it. */
interface SavePicker {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<FileSystemFileHandle>;
}

/** The file could not be written. */
export class SaveError extends Error {}

/** Saves the pictures of a job that has ended; `onBytes` is told how many bytes have come. False if
 * the person thought better of it. Rejects with Refusal or SaveError.
 *
 * The browser itself fetches what is open to it, and writes it to disk meanwhile. It sends no key, though: with one, the
 * page fetches the file, and writes it to disk where the browser lets it, or else holds it until it is whole.
 */
export async function saveArchive(
  service: Service,
  id: string,
  needsKey: boolean,
  onBytes: (bytes: number) => void,
): Promise<boolean> {
  const name = `${id}.zip`;
  if (!needsKey) {
    make("a", { href: archivePath(id), download: name }).click();
    return true;
  }
  const { showSaveFilePicker } = window as SavePicker;
  try {
    const handle = await showSaveFilePicker?.({ suggestedName: name });
    const counted = (await service.archive(id)).pipeThrough(counting(onBytes));
    if (handle) await counted.pipeTo(await handle.createWritable());
    else download(await new Response(counted).blob(), name);
    return true;
  } catch (error) {
    if (error instanceof TypeError) throw noAnswer(); // the connection was cut
    if (!(error instanceof DOMException)) throw error;
    if (error.name !== "AbortError") throw new SaveError(error.message);
    return false;
  }
}

function counting(onBytes: (bytes: number) => void): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      onBytes((bytes += chunk.length));
      controller.enqueue(chunk);
    },
  });
}
