// The menu of renditions, by keyboard and by touch, on the watch page of a ladder.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';
import { startLadder } from './stage.mjs';

/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;

let browser;
let ladder;

before(async () => {
  ladder = await startLadder();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await ladder?.stop();
});

test('the menu lists the renditions, highest first, and is worked by keyboard', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const page = await open(context);
  const button = page.getByRole('button', { name: 'Quality: Auto (360p)' });
  await button.focus();
  await page.keyboard.press('Enter');
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  assert.deepEqual(await items(page), ['Auto (360p)', '360p BITRATE', '270p BITRATE', '180p BITRATE']);
  assert.equal(await focused(page), 'Auto (360p)', 'what is chosen has the focus');
  for (const [key, name] of [['ArrowUp', '180p'], ['ArrowDown', 'Auto (360p)'], ['End', '180p'], ['Home', 'Auto (360p)'], ['ArrowDown', '360p']]) {
    await page.keyboard.press(key);
    assert.equal(await focused(page), name, key);
  }
  await page.keyboard.press('Escape');
  await page.getByRole('menu').waitFor({ state: 'hidden' });
  assert.equal(await button.evaluate((element) => element === document.activeElement), true, 'the focus is back');
});

test('a rendition that is chosen stays, over a new start of the player too, and Auto lets go of it', { timeout: 4 * PATIENCE_MS }, async (context) => {
  const page = await open(context, { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });
  await page.locator('#quality').tap();
  await page.getByRole('menuitemradio', { name: '180p' }).tap();
  await shows(page, 180);
  assert.equal(await page.locator('#quality-name').innerText(), '180p');
  await page.locator('[data-stat="rendition"]').filter({ hasText: '180pof 3, chosen' }).waitFor();
  await page.locator('[data-stat="switches"]').filter({ hasText: /^1$/ }).waitFor();

  // The channel is gone, and is there again.
  await page.route('**/live/**', (route) => route.fulfill({ status: 404 }));
  await page.waitForFunction(() => window.touchline.stats.phase === 'ended', null, { timeout: PATIENCE_MS });
  assert.equal(await page.locator('#quality').isVisible(), false);
  await page.unroute('**/live/**');
  await shows(page, 180);
  const { starts, fixed, switches } = await page.evaluate(() => window.touchline.stats);
  assert.ok(starts > 1);
  assert.deepEqual({ fixed, switches }, { fixed: true, switches: 1 });

  await page.locator('#quality').tap();
  assert.equal(await page.getByRole('menuitemradio', { name: '180p' }).getAttribute('aria-checked'), 'true');
  await page.getByRole('menuitemradio', { name: 'Auto' }).tap();
  await shows(page, 360);
});

async function open(context, options = { viewport: { width: 1280, height: 800 } }) {
  const window = await browser.newContext(options);
  context.after(() => window.close());
  const page = await window.newPage();
  await page.goto(ladder.watch);
  await shows(page, 360);
  return page;
}

function shows(page, lines) {
  const shown = (height) => window.touchline.stats.phase === 'playing' && window.touchline.stats.height === height;
  return page.waitForFunction(shown, lines, { timeout: PATIENCE_MS });
}

async function items(page) {
  const texts = await page.getByRole('menuitemradio').evaluateAll((all) => all.map((one) => [...one.children].map((part) => part.textContent).join(' ').trim()));
  // The server measures it, and the first seconds are not like the rest.
  return texts.map((text) => text.replace(/\b(\d+ kb|\d+\.\d Mb)\/s$/, 'BITRATE'));
}

function focused(page) {
  return page.evaluate(() => document.activeElement.firstElementChild?.textContent);
}
