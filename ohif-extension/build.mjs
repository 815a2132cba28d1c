// Builds dist/: self-contained ES modules for the viewer to import at run time.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const LARGEST_BYTES_GZIPPED = 250 * 1024;

const root = dirname(fileURLToPath(import.meta.url));
const outdir = join(root, 'dist');

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: { extension: 'src/index.ts', mode: 'src/mode.ts', loader: 'src/loader.ts' },
  outdir,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  minify: true,
  legalComments: 'eof',
  loader: { '.css': 'text', '.svg': 'text' },
  define: { 'process.env.NODE_ENV': '"production"' },
  write: false,
});

let total = 0;
for (const { path, contents } of outputFiles) {
  const gzipped = gzipSync(contents).length;
  total += gzipped;
  console.log(`${relative(root, path)}: ${(gzipped / 1024).toFixed(1)} KB gzipped`);
}
if (total > LARGEST_BYTES_GZIPPED) {
  console.error(`The bundles have ${total} bytes gzipped; at most ${LARGEST_BYTES_GZIPPED} are allowed.`);
  process.exit(1);
}

await rm(outdir, { recursive: true, force: true });
await mkdir(outdir);
await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
