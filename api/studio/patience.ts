// Asking a service that is away, or busy, again.

import { Refusal } from "./service";

export const RETRY_SECONDS = 3;

/** A key that makes it safe to send a request again. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join("-");
}

/** Rejects when `signal` is aborted before that. */
export function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Tries again, as often as the service is away or asks to wait; `onRefused` is told of each time. */
export async function patiently<T>(
  act: () => Promise<T>,
  signal: AbortSignal,
  onRefused: (refusal: Refusal, retrySeconds: number) => void,
): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Refusal && error.isTemporary)) throw error;
      const retrySeconds = error.retryAfterSeconds ?? RETRY_SECONDS;
      onRefused(error, retrySeconds);
      await pause(retrySeconds, signal);
    }
  }
}
