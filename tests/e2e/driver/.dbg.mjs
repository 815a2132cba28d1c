import { launchBrowser } from '/work/main/tests/e2e/driver/browser.mjs';
import { ViewerPage } from '/work/main/tests/e2e/driver/viewerPage.mjs';
const [,, study, hp, out] = process.argv;
const browser = await launchBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
  page.on('console', m => { const t = m.text(); if (1 || /Delineate|rror|warn/i.test(t) && !/deprecat/.test(t)) console.log('console:', m.type(), t.slice(0, 300)); });
  page.on('requestfailed', r => console.log('failed', r.url()));
  const v = new ViewerPage(page);
  const t0 = Date.now();
  await page.goto(`http://127.0.0.1:9080/delineate?StudyInstanceUIDs=${study}`); await new Promise(r => setTimeout(r, 12000)); await page.screenshot({path: '/tmp/shots/dbg.png'}); console.log(await page.evaluate(() => [document.body.innerText.slice(0,500), typeof window.cornerstone])); process.exit()
  console.log('rendered', Date.now() - t0, JSON.stringify(await v.viewports()));
  await page.screenshot({ path: `${out}.png` });
  console.log('handle', await page.evaluate(() => typeof window.delineate));
  await v.key({ key: 'p' });
  await page.screenshot({ path: `${out}-armed.png` });
  for (const vp of await v.viewports()) {
    await v.click({ viewportId: vp.id, point: vp.focalPoint });
  }
  await v.key({key: 't'});
  await v.key({key: 'l'});
  const vp = (await v.viewports())[0];
  const c = await v.centre(vp.id);
  await page.mouse.move(c.x - 60, c.y); await page.mouse.down();
  for (let a = 0; a < 6.2; a += 0.3) await page.mouse.move(c.x - 60 * Math.cos(a), c.y - 40 * Math.sin(a));
  await page.mouse.up();
  console.log(JSON.stringify(await page.evaluate(() => window.drawings), null, 0).slice(0, 3000));
  await page.screenshot({ path: `${out}-drawn.png` });
  for (const vp of await v.viewports()) console.log(vp.id, JSON.stringify(await v.prompts({ viewportId: vp.id })));
  console.log('errors', v.errors);
} finally { await browser.close(); }
