// Which tool is in hand.

import type { Editor } from "./editor";
import { SelectTool } from "./selection";
import { Signal } from "./signal";
import { paintingTools, type Tool } from "./tools";

export const TOOL_KEYS = {
  brush: "B",
  pencil: "P",
  line: "L",
  rectangle: "R",
  ellipse: "O",
  polygon: "G",
  fill: "F",
  swap: "S",
  eraser: "E",
  pick: "I",
  select: "V",
  hand: "H",
} as const;

export type ToolName = keyof typeof TOOL_KEYS;

export class Toolbox {
  readonly changed = new Signal();
  /** What the tool shows above the map is another. */
  readonly guided = new Signal();
  readonly select: SelectTool;
  readonly #tools: Readonly<Record<ToolName, Tool>>;
  #name: ToolName = "brush";

  constructor(editor: Editor) {
    this.select = new SelectTool(editor);
    // The hand moves the view, which pointers do by themselves when they see that it is in use.
    const hand: Tool = { press: () => undefined };
    this.#tools = { ...paintingTools(editor), select: this.select, hand };
    for (const tool of Object.values(this.#tools)) tool.guided?.on(() => this.guided.emit());
  }

  get name(): ToolName {
    return this.#name;
  }

  get tool(): Tool {
    return this.#tools[this.#name];
  }

  /** Gives up the press under way, and nothing that was done before it. */
  takeBack(): void {
    if (this.tool.takeBack) this.tool.takeBack();
    else this.tool.cancel?.();
  }

  use(name: ToolName): void {
    if (name === this.#name) return;
    this.tool.cancel?.();
    this.#name = name;
    this.changed.emit();
    this.guided.emit();
  }
}
