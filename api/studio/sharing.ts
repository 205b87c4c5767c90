// Share links: the button that copies one, and what happens when one is opened.

import { part } from "./dom";
import { linkTo, readLink } from "./link";
import { MapError } from "./maps";
import type { Studio } from "./studio";
import { fitting, wordsOfStyle } from "./style";
import { text } from "./texts";

export class Sharing {
  constructor(private readonly studio: Studio) {
    part("share").addEventListener("click", () => void this.#orSayWhyNot(() => this.#copy()));
    addEventListener("hashchange", () => void this.open());
  }

  /** Goes on with what the address holds, if it is a share link. */
  async open(): Promise<void> {
    const fragment = location.hash.slice(1);
    // The page's own, which lead to places on it.
    if (!fragment || document.getElementById(fragment)) return;
    // Away with it: a reload goes on with the work, and must not begin with the link again.
    history.replaceState(null, "", location.pathname + location.search);
    await this.#orSayWhyNot(async () => {
      const shared = await readLink(fragment);
      this.studio.openShared(shared);
      const isStyleThere = fitting(shared.style, this.studio.model()) === shared.style;
      const lost = () => text("linkStyleLost", { style: wordsOfStyle(shared.style) });
      this.studio.notify(isStyleThere ? text("linkOpened") : lost());
    });
  }

  async #copy(): Promise<void> {
    const link = await linkTo(this.studio.project(), location.origin + location.pathname);
    try {
      await navigator.clipboard.writeText(link);
      this.studio.notify(text("linkCopied"));
    } catch {
      // Browsers give the clipboard only to pages that come over HTTPS, and ask the person; by hand it always works.
      this.#offer(link);
    }
  }

  #offer(link: string): void {
    const field = part<HTMLInputElement>("share-link");
    field.value = link;
    part<HTMLDialogElement>("share-dialog").showModal();
    field.select();
  }

  async #orSayWhyNot(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof MapError)) throw error;
      this.studio.notify(text(error.reason, { ...error.values, name: text("linkName") }));
    }
  }
}
