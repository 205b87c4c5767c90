// What was done, as differences: undo and redo cost what changed, however large the map is.

import type { Cells, Drawing, LayerName } from "./drawing";
import type { Made } from "./generation";
import type { Box } from "./geometry";
import type { Style } from "./style";

/** Runs of a layer, four numbers each: where one starts, its length, its value before and after. */
export interface Change {
  readonly kind: "change";
  readonly layer: LayerName;
  readonly box: Box;
  readonly runs: Uint32Array;
}

/** How the picture is made, and the one that is shown, if any is. */
export interface Making {
  readonly seed: number;
  readonly style: Style;
  readonly made: Made | null;
}

/** A drawing, and the name of the model in whose classes it is. */
export interface Scene {
  readonly model: string;
  readonly drawing: Drawing;
  /** Of a step that changes this too. */
  readonly making?: Making;
}

/** Another drawing, as after opening a file, or another model. */
export interface Replacement {
  readonly kind: "replacement";
  readonly before: Scene;
  readonly after: Scene;
}

export type Step = Change | Replacement;

const RUN = 4;
/** What is remembered, before the oldest is forgotten. */
const MOST_BYTES = 128 * 2 ** 20;

const bytesOfDrawing = ({ background, objects }: Drawing) => background.byteLength + objects.byteLength;

const bytesOfMade = ({ making }: Scene) => (making?.made ? bytesOfDrawing(making.made.source.drawing) : 0);

/** What a step takes of memory. The drawing after a replacement is the one before the next, or the one in use. */
function bytesOf(step: Step): number {
  if (step.kind === "change") return step.runs.byteLength;
  return bytesOfDrawing(step.before.drawing) + bytesOfMade(step.before) + bytesOfMade(step.after);
}

const sum = (steps: readonly Step[]) => steps.reduce((bytes, step) => bytes + bytesOf(step), 0);

/** The runs within a box in which two layers of the same width differ. */
export function difference(before: Cells, after: Cells, width: number, box: Box): Uint32Array {
  const runs: number[] = [];
  for (let y = box.top; y < box.bottom; y++) {
    let last = -1;
    for (let index = y * width + box.left; index < y * width + box.right; index++) {
      const old = before[index]!;
      const now = after[index]!;
      if (old === now) {
        last = -1;
      } else if (last >= 0 && runs[last + 2] === old && runs[last + 3] === now) {
        runs[last + 1]!++;
      } else {
        last = runs.length;
        runs.push(index, 1, old, now);
      }
    }
  }
  return Uint32Array.from(runs);
}

export function applyRuns(cells: Cells, runs: Uint32Array, which: "before" | "after"): void {
  const offset = which === "before" ? 2 : 3;
  for (let run = 0; run < runs.length; run += RUN) {
    cells.fill(runs[run + offset]!, runs[run]!, runs[run]! + runs[run + 1]!);
  }
}

/** Steps that can be taken back, and those that were. The oldest are forgotten when all take too much memory. */
export class History {
  #done: Step[] = [];
  #undone: Step[] = [];
  #bytes = 0;

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  add(step: Step): void {
    this.#bytes += bytesOf(step) - sum(this.#undone);
    this.#done.push(step);
    this.#undone = [];
    while (this.#bytes > MOST_BYTES && this.#done.length > 1) this.#bytes -= bytesOf(this.#done.shift()!);
  }

  /** The last step, which the caller takes back. */
  undo(): Step | undefined {
    const step = this.#done.pop();
    if (step) this.#undone.push(step);
    return step;
  }

  /** The step taken back last, which the caller takes again. */
  redo(): Step | undefined {
    const step = this.#undone.pop();
    if (step) this.#done.push(step);
    return step;
  }
}
