// Opens a study in the viewer, loads one stored SEG as a user would, and hands
// back what the viewer holds.
//
//   node viewer.mjs --url URL --study UID --segmentation UID --out FOLDER
//
// Writes to the folder: viewer.png (the whole page), axial.png, sagittal.png,
// coronal.png, and segmentation.json: the labelmap of each slice that has any
// voxel, by the SOP Instance UID of its source image, and the segments' labels.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    study: { type: 'string' },
    segmentation: { type: 'string' },
    out: { type: 'string' },
  },
});

const PLANES = ['axial', 'sagittal', 'coronal'];
const TIMEOUT_MS = 120_000;
// Software rendering, and no traffic of the browser's own.
const BROWSER = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist',
  ],
};

// The functions below whose name starts with "page" run inside the page.

function pageIsRendered(planes) {
  const engines = window.cornerstone?.getRenderingEngines() ?? [];
  const viewports = engines.flatMap(engine => engine.getViewports());
  const isRendered = plane =>
    viewports.some(v => v.id.endsWith(plane) && v.viewportStatus === 'rendered');
  return planes.every(isRendered);
}

function pageDisplaySet(sopInstanceUid) {
  const displaySets = window.services?.displaySetService.getActiveDisplaySets() ?? [];
  const wanted = displaySets.find(
    set => set.Modality === 'SEG' && set.SOPInstanceUID === sopInstanceUid
  );
  return wanted?.displaySetInstanceUID;
}

// The labelmap is an actor of each viewport: it arrives there after the data.
function pageIsShown({ segmentationId, planes }) {
  const isShown = plane => {
    const enabled = window.cornerstone.getEnabledElementByViewportId(`mpr-${plane}`);
    const prefix = `${segmentationId}-Labelmap`;
    const actors = enabled?.viewport.getActors() ?? [];
    return actors.some(actor => actor.representationUID?.startsWith(prefix));
  };
  return planes.every(isShown);
}

// Moves each viewport to the middle of the first segment and waits for the picture.
async function pageShowSegment({ segmentationId, planes }) {
  const { Enums, getEnabledElementByViewportId } = window.cornerstone;
  const { segmentationService } = window.services;
  const [first] = Object.keys(segmentationService.getSegmentation(segmentationId).segments);
  const show = plane => {
    const { viewport } = getEnabledElementByViewportId(`mpr-${plane}`);
    segmentationService.jumpToSegmentCenter(segmentationId, Number(first), `mpr-${plane}`);
    return new Promise(resolve => {
      viewport.element.addEventListener(Enums.Events.IMAGE_RENDERED, resolve, { once: true });
      viewport.render();
    });
  };
  for (const plane of planes) {
    await show(plane);
  }
}

function pageReadSegmentation(segmentationId) {
  const { cache, metaData } = window.cornerstone;
  const { state } = window.cornerstoneTools.segmentation;
  const { representationData, segments } = state.getSegmentation(segmentationId);
  const slices = {};
  for (const imageId of representationData.Labelmap.imageIds) {
    const image = cache.getImage(imageId);
    const voxels = Uint8Array.from(image.voxelManager.getScalarData());
    if (voxels.some(Boolean)) {
      const { sopInstanceUID } = metaData.get('sopCommonModule', image.referencedImageId);
      const chars = Array.from(voxels, value => String.fromCharCode(value));
      slices[sopInstanceUID] = btoa(chars.join(''));
    }
  }
  const labels = Object.fromEntries(
    Object.entries(segments).map(([number, { label }]) => [number, label])
  );
  return { labels, slices };
}

async function loadSegmentation(page, sopInstanceUid) {
  const found = await page.waitForFunction(pageDisplaySet, sopInstanceUid);
  const segmentationId = await found.jsonValue();
  await page.locator(`[id="thumbnail-${segmentationId}"]`).dblclick();
  await page.waitForFunction(pageIsShown, { segmentationId, planes: PLANES });
  return segmentationId;
}

async function run(page) {
  const errors = [];
  page.on('pageerror', error => errors.push(String(error)));
  page.setDefaultTimeout(TIMEOUT_MS);
  await mkdir(options.out, { recursive: true });
  const query = new URLSearchParams({ StudyInstanceUIDs: options.study, hangingProtocolId: 'mpr' });
  await page.goto(`${options.url}/viewer?${query}`);
  await page.waitForFunction(pageIsRendered, PLANES);
  const segmentationId = await loadSegmentation(page, options.segmentation);
  await page.evaluate(pageShowSegment, { segmentationId, planes: PLANES });
  await page.screenshot({ path: join(options.out, 'viewer.png') });
  for (const plane of PLANES) {
    await page
      .locator(`[data-viewportid="mpr-${plane}"]`)
      .screenshot({ path: join(options.out, `${plane}.png`) });
  }
  const segmentation = await page.evaluate(pageReadSegmentation, segmentationId);
  const report = JSON.stringify({ ...segmentation, errors });
  await writeFile(join(options.out, 'segmentation.json'), report);
}

const browser = await chromium.launch(BROWSER);
try {
  await run(await browser.newPage({ viewport: { width: 1600, height: 900 } }));
} finally {
  await browser.close();
}
