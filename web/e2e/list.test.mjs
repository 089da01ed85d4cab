// The list of channels, with their pictures. What the server says is scripted.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';

const PATIENCE_MS = 30_000;
const ORIGIN = 'http://list.test';
const DIST = new URL('../dist/', import.meta.url);
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css' };

let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** A picture of one colour: for a browser an SVG does as well as a JPEG. */
const picture = (colour) => `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="90"><rect width="160" height="90" fill="${colour}"/></svg>`;

/**
 * Opens the list, where `state` says what is live and what each channel shows.
 *
 * @param {{ channels: { name: string, thumbnail: string | null }[], colour: string, asked: string[] }} state
 */
async function open(context, state) {
  const page = await browser.newPage({ viewport: { width: 1000, height: 600 } });
  context.after(() => page.close());
  await page.clock.install();
  await page.route(`${ORIGIN}/**`, async (route) => {
    const { pathname, search } = new URL(route.request().url());
    if (pathname === '/channels.json') return route.fulfill({ json: { channels: state.channels } });
    if (pathname.endsWith('/thumbnail.jpg')) {
      state.asked.push(pathname + search);
      return route.fulfill({ contentType: 'image/svg+xml', body: picture(state.colour) });
    }
    const file = pathname === '/' ? 'index.html' : pathname.slice(1);
    return route.fulfill({ contentType: TYPES[file.split('.').pop()], body: await readFile(new URL(file, DIST)) });
  });
  await page.goto(`${ORIGIN}/`);
  return page;
}

/** The colour in the middle of the first picture. */
const colour = (page) =>
  page.locator('.channels img').first().evaluate((image) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)].join();
  });

test('a card shows the newest picture of its channel, and keeps the focus when that changes', { timeout: PATIENCE_MS }, async (context) => {
  const path = '/live/main/thumbnail.jpg';
  const state = { channels: [{ name: 'main', thumbnail: path }, { name: 'sound', thumbnail: null }], colour: '#ff0000', asked: [] };
  const page = await open(context, state);
  const pictures = page.locator('.channels img');
  await pictures.first().waitFor({ state: 'visible' });
  assert.equal(await colour(page), '255,0,0');
  assert.equal(await pictures.nth(1).isVisible(), false, 'a channel without a picture has no room for one');
  const { width, height } = await pictures.first().boundingBox();
  assert.ok(Math.abs(width / height - 16 / 9) < 0.02, `${width} by ${height}`);
  await page.getByRole('link', { name: 'main' }).focus();
  state.colour = '#0000ff';
  await page.clock.runFor(6_500);
  assert.equal(state.asked.length, 1, 'a picture is good for ten seconds');
  await page.clock.runFor(6_500);
  while ((await colour(page)) !== '0,0,255');
  assert.deepEqual(state.asked, [path, path], 'without a query, so that caches hold it once');
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('href')), '/watch/main');
});

test('pictures that are far below the screen are not loaded', { timeout: PATIENCE_MS }, async (context) => {
  const names = Array.from({ length: 60 }, (_, number) => `channel-${number}`);
  const channels = names.map((name) => ({ name, thumbnail: `/live/${name}/thumbnail.jpg` }));
  const state = { channels, colour: '#00ff00', asked: [] };
  const page = await open(context, state);
  await page.locator('.channels img').first().waitFor({ state: 'visible' });
  assert.ok(state.asked.length < 60, `${state.asked.length} were loaded`);
  assert.ok(!state.asked.includes('/live/channel-59/thumbnail.jpg'));
});
