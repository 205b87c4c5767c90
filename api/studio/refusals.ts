// What the service refuses, and what it could not make, in words.

import type { Failure, Refusal } from "./service";
import { isChinese, isTextKey, text } from "./texts";

export function wordsOfRefusal({ status, slug, title, detail }: Refusal, retrySeconds: number | null): string {
  const told = [title, detail].filter(Boolean).join(": ");
  const what = isTextKey(slug) ? text(slug, { detail }) : told || text("answered", { status });
  return retrySeconds === null ? what : what + (isChinese ? "" : " ") + text("retry", { seconds: Math.ceil(retrySeconds) });
}

/** Why there is no picture. The service says more of it, in English. */
export function wordsOfFailure({ state, reason, detail }: Failure): string {
  const key = `reason-${reason}`;
  return isTextKey(key) ? text(key, { detail: detail ?? "" }) : (detail ?? reason ?? state);
}
