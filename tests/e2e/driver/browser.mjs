// One Chromium: Debian's, with software rendering and no traffic of its own.

import { chromium } from 'playwright-core';

export const TIMEOUT_MS = 120_000;

const OPTIONS = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Only what the viewer itself draws goes through the software renderer: a third less work.
    '--disable-gpu-compositing',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist',
    '--enable-precise-memory-info',
    '--js-flags=--expose-gc',
  ],
};

export async function launchBrowser() {
  return chromium.launch(OPTIONS);
}
