// The viewer as a person uses it: mouse and keys, and what can be seen.

import { TIMEOUT_MS } from './browser.mjs';
import * as inPage from './inPage.mjs';

/** mm off the plane at which a position still is on the slice that is shown. */
const ON_SLICE_MM = 0.3;
/** For what should be there already. */
const SHORT_MS = 30_000;
const MOST_WHEEL_TURNS = 400;
/** For one turn of the wheel to show another slice. */
const WHEEL_MS = 10_000;

export class ViewerPage {
  constructor(page) {
    this.page = page;
    this.errors = [];
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on('pageerror', error => this.errors.push(String(error)));
  }

  /** Go to an address of the viewer and wait until every viewport is rendered. */
  async open({ url, viewportIds = null }) {
    await this.page.goto(url);
    await this.rendered({ viewportIds });
  }

  /** From the study list into a mode, by mouse. */
  async openStudyFromList({ url, patientId, patientName, mode }) {
    await this.page.goto(`${url}/?mrn=${encodeURIComponent(patientId)}`);
    // A narrow page has no column for the Patient ID.
    await this.page.getByText(patientName, { exact: true }).click();
    await this.page.getByText(mode, { exact: true }).click();
    await this.rendered();
  }

  async rendered({ viewportIds = null } = {}) {
    await this.page.waitForFunction(inPage.areRendered, viewportIds);
  }

  async viewports() {
    return this.page.evaluate(inPage.viewports);
  }

  async look(view) {
    await this.page.evaluate(inPage.look, view);
  }

  /** Turn the wheel until a position is on the slice that is shown. */
  async scrollTo({ viewportId, point, onSliceMm = ON_SLICE_MM }) {
    const { x, y } = await this.centre(viewportId);
    await this.page.mouse.move(x, y);
    let { off } = await this.page.evaluate(inPage.onScreen, { viewportId, point });
    let direction = 1;
    for (let turn = 0; Math.abs(off) > onSliceMm; turn++) {
      if (turn === MOST_WHEEL_TURNS) throw new Error(`No slice of ${viewportId} shows ${point}: ${off} mm off.`);
      await this.page.mouse.wheel(0, 100 * direction);
      const now = await this.moved({ viewportId, point, unlike: off });
      if (now === null || Math.abs(now) > Math.abs(off)) direction = -direction;
      off = now ?? off;
    }
  }

  /** How far off a position is once another slice is shown; null if none is, as at the end of the stack. */
  async moved(from) {
    try {
      const handle = await this.page.waitForFunction(inPage.onScreen, from, { timeout: WHEEL_MS });
      return (await handle.jsonValue()).off;
    } catch (error) {
      if (error.name === 'TimeoutError') return null;
      throw error;
    }
  }

  /** Click a position (LPS mm) that is on the slice shown. */
  async click({ viewportId, point, modifiers = [], button = 'left' }) {
    const { x, y } = await this.visible(viewportId, point);
    for (const key of modifiers) await this.page.keyboard.down(key);
    await this.page.mouse.click(x, y, { button });
    for (const key of modifiers) await this.page.keyboard.up(key);
  }

  /** Press at the first position (LPS mm), move over the others, release at the last. */
  async drag({ viewportId, points }) {
    const places = [];
    for (const point of points) places.push(await this.visible(viewportId, point));
    const [first, ...others] = places;
    await this.page.mouse.move(first.x, first.y);
    await this.page.mouse.down();
    for (const { x, y } of others) await this.page.mouse.move(x, y, { steps: 3 });
    await this.page.mouse.up();
  }

  /** Begin a drag, and give it up by the key before the button is released. */
  async dragAndEscape({ viewportId, points }) {
    const [first, last] = [await this.visible(viewportId, points[0]), await this.visible(viewportId, points[1])];
    await this.page.mouse.move(first.x, first.y);
    await this.page.mouse.down();
    await this.page.mouse.move(last.x, last.y, { steps: 3 });
    await this.page.keyboard.press('Escape');
    await this.page.mouse.up();
  }

  async key({ key }) {
    await this.page.keyboard.press(key);
  }

  async evaluate({ function: source, argument }) {
    return this.page.evaluate(`(${source})(${JSON.stringify(argument)})`);
  }

  /** Wait until a function of the page gives something true, and return that. */
  async until({ function: source, argument, timeoutMs = TIMEOUT_MS }) {
    const expression = `(${source})(${JSON.stringify(argument)})`;
    const handle = await this.page.waitForFunction(expression, undefined, { timeout: timeoutMs });
    return handle.jsonValue();
  }

  /** Press what has this test id, `data-cy`, anywhere in the page; the nth of several. */
  async press({ test, nth = 0 }) {
    await this.page.locator(`[data-cy="${test}"]`).nth(nth).click({ timeout: SHORT_MS });
  }

  /** Press a button by its accessible name. */
  async pressNamed({ name }) {
    await this.page.getByRole('button', { name, exact: true }).click({ timeout: SHORT_MS });
  }

  /** Type into a field with this test id, in place of what it holds. */
  async type({ test, text }) {
    await this.page.locator(`[data-cy="${test}"]`).fill(text, { timeout: SHORT_MS });
  }

  /** Text of everything with this test id. */
  async texts({ test }) {
    return this.page.locator(`[data-cy="${test}"]`).allInnerTexts();
  }

  async appears({ test }) {
    await this.page.locator(`[data-cy="${test}"]`).first().waitFor();
  }

  async doubleClickOn({ selector }) {
    await this.page.locator(selector).dblclick({ timeout: SHORT_MS });
  }

  async clickOn({ selector }) {
    await this.page.locator(selector).click({ timeout: SHORT_MS });
  }

  /** The page that the browser showed before. */
  async back() {
    await this.page.goBack();
    await this.rendered();
  }

  async reload() {
    await this.page.reload();
    await this.rendered();
  }

  /** Requests to addresses that match are answered with 404. */
  async deny({ pattern }) {
    await this.page.route(pattern, route => route.fulfill({ status: 404, body: 'Not Found' }));
  }

  /** What our panel says. */
  async panelText() {
    return this.page.locator('[data-cy="delineate-panel"]').innerText();
  }

  async uncaught() {
    return this.errors;
  }

  async labelmaps() {
    return this.page.evaluate(inPage.labelmaps);
  }

  async coloursAt({ viewportId, points }) {
    return this.page.evaluate(inPage.coloursAt, { viewportId, points });
  }

  async screenshot({ path, viewportId = null }) {
    const target = viewportId === null ? this.page : this.page.locator(`[data-viewportid="${viewportId}"]`);
    await target.screenshot({ path });
  }

  /** Prompts that are drawn over a viewport. */
  async prompts({ viewportId }) {
    return this.page.evaluate(id => {
      const { viewport } = window.cornerstone.getEnabledElementByViewportId(id);
      const shapes = viewport.element.querySelectorAll('.delineate-prompts [data-prompt]');
      return Array.from(shapes, ({ dataset: { prompt, kind, include } }) => ({ id: prompt, kind, include: include === 'true' }));
    }, viewportId);
  }

  async centre(viewportId) {
    const box = await this.page.locator(`[data-viewportid="${viewportId}"]`).boundingBox();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  async visible(viewportId, point) {
    const place = await this.page.evaluate(inPage.onScreen, { viewportId, point });
    return place;
  }
}
