// Serves the harness page with OHIF's own style sheet: node test/panel-harness/serve.mjs

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const ohif = join(here, '../../../.cache/ohif/dist');
const TYPES = { css: 'text/css', html: 'text/html', js: 'text/javascript', woff2: 'font/woff2' };

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [join(here, 'main.ts')],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    loader: { '.css': 'text' },
    define: { 'process.env.NODE_ENV': '"development"' },
    write: false,
  });
  return outputFiles[0].contents;
}

function content(path) {
  switch (path) {
    case '/':
      return readFile(join(here, 'page.html'));
    case '/main.js':
      return bundle();
    default:
      // The style sheet asks for its fonts at the root, as the viewer serves them.
      return readFile(join(ohif, normalize(path.replace(/^\/ohif/, ''))));
  }
}

/** Start the server on a free port, or `port`. */
export function serve(port = 0) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    const type = TYPES[path === '/' ? 'html' : path.split('.').pop()] ?? 'application/octet-stream';
    content(path).then(
      body => response.writeHead(200, { 'Content-Type': type }).end(body),
      error => response.writeHead(error.code === 'ENOENT' ? 404 : 500).end(String(error))
    );
  });
  return new Promise(resolve => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.env.PORT ?? 8099));
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
