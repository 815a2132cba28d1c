// Pictures of the panel in every state, into a folder, and a check of the contrast of its text:
// WIDTH=340 node test/panel-harness/shoot.mjs FOLDER [state...]

import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

import { serve } from './serve.mjs';

const WIDTH = Number(process.env.WIDTH ?? 340);
const HEIGHT = Number(process.env.HEIGHT ?? 760);
const SCALE = Number(process.env.SCALE ?? 1);
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const part = name => `[data-cy="delineate-${name}"]`;
const click = name => page => page.click(part(name));
const reach = name => page => page.locator(part(name)).scrollIntoViewIfNeeded();
const search = (words, among = 'terminology') => async page => {
  await page.fill(part(`${among}-search`), words);
  await page.waitForSelector(part(`${among}-option`));
};

/** Pictures that need a hand: the state, and what to do in it. */
const SCENES = {
  'naming-search': { state: 'naming', steps: [click('name'), search('ren')] },
  'naming-side': {
    state: 'naming',
    steps: [
      click('name'),
      search('kid'),
      click('terminology-option'),
      click('favourite'),
      page => page.check(part('laterality-7771000')),
    ],
  },
  'naming-region-search': {
    state: 'naming',
    steps: [click('name'), search('cyst'), click('terminology-option'), search('kid', 'region')],
  },
  'naming-region': {
    state: 'naming',
    steps: [
      click('name'),
      search('cyst'),
      click('terminology-option'),
      search('kid', 'region'),
      click('region-option'),
      page => page.check(part('laterality-7771000')),
    ],
  },
  colour: { state: 'three-segments', steps: [click('colour')] },
  delete: { state: 'three-segments', steps: [click('delete')] },
  measurements: { state: 'measured', steps: [click('measurements-toggle'), reach('measurements')] },
  'versions-list': { state: 'versions', steps: [click('versions-toggle'), reach('versions')] },
  'export-dialogue': { state: 'export-running', steps: [click('export-toggle'), reach('export')] },
  'export-finished': { state: 'export-done', steps: [click('export-toggle'), reach('export')] },
  settings: { state: 'ready', steps: [click('settings-toggle')] },
};

/** States that show only in a section that is folded at first: a scene above opens it. */
const FOLDED = ['measured', 'export-running', 'export-done'];

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Text of the panel whose contrast is too low, in words. */
async function lowContrast(page) {
  await page.evaluate(axe);
  return page.evaluate(async selector => {
    const { violations } = await window.axe.run(selector, { runOnly: ['color-contrast'] });
    return violations.flatMap(one => one.nodes.map(node => `${node.target}: ${node.any[0]?.message}`));
  }, part('root'));
}

const [folder = 'docs/images', ...wanted] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const server = await serve();
const address = `http://127.0.0.1:${server.address().port}/`;
const problems = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: CHROMIUM_FLAGS,
});
try {
  const page = await browser.newPage({
    viewport: { width: WIDTH, height: HEIGHT },
    deviceScaleFactor: SCALE,
    reducedMotion: 'reduce',
  });
  page.on('pageerror', error => problems.push(String(error)));
  await page.goto(address);
  const all = await page.$$eval('#states a', links => links.map(link => link.textContent));
  const states = all.filter(state => !FOLDED.includes(state));
  const taken = new Map();
  const scenes = { ...Object.fromEntries(states.map(state => [state, { state, steps: [] }])), ...SCENES };
  for (const [name, { state, steps }] of Object.entries(scenes)) {
    if (wanted.length > 0 && !wanted.includes(name)) {
      continue;
    }
    await page.evaluate(() => localStorage.clear());
    await page.goto(`${address}?state=${state}&width=${WIDTH}`);
    await page.waitForSelector(part('root'));
    for (const step of steps) {
      await step(page);
    }
    await page.evaluate(() => document.fonts.ready);
    const picture = await page.locator('#panel').screenshot({ animations: 'disabled' });
    const hash = createHash('sha256').update(picture).digest('hex');
    if (taken.has(hash)) {
      problems.push(`${name}: the same picture as ${taken.get(hash)}, which is not written`);
      continue;
    }
    taken.set(hash, name);
    await writeFile(join(folder, `panel-${name}.png`), picture);
    problems.push(...(await lowContrast(page)).map(text => `${name}: ${text}`));
  }
} finally {
  await browser.close();
  server.close();
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
}
