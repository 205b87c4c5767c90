// Sending much: how much is sent already, which `fetch` does not tell.

/** As `fetch` with what it is given; `onSent` is told the part that is sent. Once all is sent, an abort is too late. */
export function upload(path: string, options: RequestInit, onSent: (fraction: number) => void): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const { signal } = options;
    const abort = () => request.abort();
    signal?.throwIfAborted();
    request.open(options.method ?? "POST", path);
    for (const [name, value] of new Headers(options.headers)) request.setRequestHeader(name, value);
    request.responseType = "blob";
    request.upload.addEventListener("progress", ({ loaded, total }) => onSent(loaded / total));
    request.upload.addEventListener("load", () => signal?.removeEventListener("abort", abort));
    request.addEventListener("load", () => resolve(responseOf(request)));
    request.addEventListener("error", () => reject(new TypeError("no answer")));
    request.addEventListener("abort", () => reject(signal?.reason));
    signal?.addEventListener("abort", abort);
    request.send(options.body as FormData);
  });
}

function responseOf(request: XMLHttpRequest): Response {
  const lines = request.getAllResponseHeaders().trim().split("\r\n");
  const headers = lines.map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]);
  return new Response(request.response as Blob, { status: request.status, headers });
}
