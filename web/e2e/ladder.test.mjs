// A real ladder in a real browser: its rungs can be chosen and read, and the worker that makes them may fail.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { recordFrames } from './abr-run.mjs';
import { launch } from './browser.mjs';
import { gap, survive } from './faults-run.mjs';
import { install, readings } from './frame-reader.mjs';
import { startFeed, startServer } from './stage.mjs';

/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;
/** Below a source of 360 lines. */
const RUNGS = ['270p 400k', '180p 200k'];
const LOWEST = '180p';
const FRAMES = 60;

let browser;
let server;
let feed;

before(async () => {
  server = await startServer({ grace: '20s', rungs: RUNGS });
  feed = startFeed(server.publish, 'main');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await feed?.kill();
  await server?.stop();
});

test('the rungs are in the menu, and the frame clock is read without an error from the lowest', { timeout: 3 * PATIENCE_MS }, async (context) => {
  const page = await open(context);
  await page.locator('#quality').click();
  const names = await page.locator('#quality-menu [data-name]').evaluateAll((items) => items.map(({ dataset }) => dataset.name));
  assert.deepEqual(names, ['360p', '270p', '180p']);
  await page.keyboard.press('Escape');

  await choose(page, LOWEST);
  const first = await readings(page);
  await page.waitForFunction((count) => window.frameReader.frames.length > count, first.frames.length + FRAMES, { timeout: PATIENCE_MS });
  const { frames, damaged } = await readings(page, first.frames.length);
  assert.equal(damaged, 0, 'every frame carries a readable clock');
  // Two that were drawn late, one right after the other, may say the same millisecond.
  const back = frames.findIndex(({ sequence }, index) => index > 0 && sequence <= frames[index - 1].sequence);
  assert.equal(back, -1, `each frame is later than the one before: ${JSON.stringify(frames.slice(Math.max(0, back - 2), back + 2))}`);
  assert.ok(frames.at(-1).latency > 0 && frames.at(-1).latency < 10_000, `glass to glass ${frames.at(-1).latency} ms`);
});

for (const fault of /** @type {const} */ (['SIGSEGV', 'SIGSTOP'])) {
  test(`${fault} of the worker: the lowest rung plays on`, { timeout: 4 * PATIENCE_MS }, async (context) => {
    const page = await open(context);
    await choose(page, LOWEST);
    const before = await stats(page);
    const at = await survive(fault, server, page, PATIENCE_MS);
    const [{ damaged }, now] = [await readings(page), await stats(page)];
    const { starts, failures, rendition, phase, height } = now;
    const told = `after ${now.errors.join('; ')}\n${server.said().slice(-8).join('\n')}`;
    assert.deepEqual({ starts, failures, rendition, phase, height }, { ...sameAs(before), failures: [], phase: 'playing', height: 180 }, told);
    assert.equal(damaged, 0, told);
    const { ms, mediaMs } = gap(await page.evaluate(() => window.frameRecord), at);
    context.diagnostic(`${fault}: the longest a picture stood was ${ms} ms; ${mediaMs} ms of media from one picture to the next`);
  });
}

/** Opens the watch page of the channel, its frames read and recorded, and waits until it plays. */
async function open(context) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  context.after(() => page.close());
  await install(page);
  await recordFrames(page);
  await page.goto(`${server.watch}/watch/main`);
  const ready = () => window.frameReader.frames.length > 0 && window.touchline.stats.renditions.length === 3;
  await page.waitForFunction(ready, null, { timeout: PATIENCE_MS }).catch((error) => {
    throw new Error(`it does not play:\n${server.said().join('\n')}`, { cause: error });
  });
  return page;
}

/** Chooses a rendition as a viewer does, and waits until it is on the screen. */
async function choose(page, name) {
  await page.locator('#quality').click();
  await page.locator(`#quality-menu [data-name="${name}"]`).click();
  await page.waitForFunction((wanted) => window.touchline.stats.rendition === wanted, name, { timeout: PATIENCE_MS });
}

function stats(page) {
  return page.evaluate(() => window.touchline.stats);
}

const sameAs = ({ starts, rendition }) => ({ starts, rendition });
