// A browser for the tests: reads one JSON request a line from standard input, and answers each with one line.
//
//   {"id": 1, "method": "click", "arguments": {...}}  ->  {"id": 1, "result": ...}  or  {"id": 1, "error": "..."}

import { createInterface } from 'node:readline';
import { launchBrowser } from './browser.mjs';
import { ViewerPage } from './viewerPage.mjs';

const browser = await launchBrowser();
let viewer = null;

const methods = {
  /** A browser without any memory of the last one, with a page of this width and height in pixels. */
  async fresh({ width, height }) {
    await viewer?.page.context().close();
    const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: 1 });
    viewer = new ViewerPage(await context.newPage());
  },
};

async function answer({ id, method, arguments: given }) {
  try {
    const result = methods[method] ? await methods[method](given) : await viewer[method](given);
    return { id, result: result ?? null };
  } catch (error) {
    return { id, error: error.stack ?? String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
await browser.close();
