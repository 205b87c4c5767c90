// Bundles the studio into the folder that the API serves; an argument names another folder.

import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const EXAMPLES = ["avenue", "beach", "canyon", "lake", "meadow", "snow"];
const folder = resolve(process.argv[2] ?? join(HERE, "../assets/studio"));

await mkdir(folder, { recursive: true });
await build({
  entryPoints: { studio: join(HERE, "main.ts"), style: join(HERE, "studio.css") },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
await copyFile(join(HERE, "index.html"), join(folder, "index.html"));
for (const name of EXAMPLES) {
  await copyFile(join(HERE, "../../deploy/examples", `${name}.png`), join(folder, `${name}.png`));
}
