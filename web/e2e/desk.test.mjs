// The event desk in a browser, before a real server with a real feed.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { launch } from './browser.mjs';
import { startFeed, startServer } from './stage.mjs';

/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;
const VIEWS = ['wall', 'feeds', 'ladder', 'fleet', 'hints', 'timeline'];
/** What the desk weighs at most, compressed, in bytes. */
const MOST = 150 * 1024;
/** Eight hours at one frame a second. */
const FRAMES = 8 * 3_600;
const TOKEN = '0123456789abcdef';

let browser;
let server;
let guarded;
let gone = false;
let feed;

before(async () => {
  [server, guarded] = await Promise.all([startServer({ grace: '20s' }), startServer({ grace: '20s', toml: `[admin]\ntoken = "${TOKEN}"\n` })]);
  feed = startFeed(server.publish, 'main');
  browser = await launch();
  while ((await desk()).publishers.length === 0) await pause(50);
});

after(async () => {
  await browser?.close();
  await feed?.kill();
  await Promise.all([server?.stop(), gone || guarded?.stop()]);
});

test('the wall shows who watches, what is forecast, and how long everything takes', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const page = await open(context);
  assert.match(await page.locator('.huge').innerText(), /^\d+\s+viewers?$/);
  await page.locator('.chart canvas').waitFor();
  assert.match(await page.locator('.plot').getAttribute('aria-label'), /viewers now; .* forecast in .*; room for/);
  await page.getByRole('row', { name: /^main/ }).waitFor();
  await page.getByRole('row', { name: /^Packaged/ }).waitFor({ timeout: PATIENCE_MS });
});

test('who watches is counted once, also who loads the page anew, and says how he does', { timeout: 3 * PATIENCE_MS }, async (context) => {
  const page = await browser.newPage();
  context.after(() => page.close());
  const played = () => page.waitForFunction(() => window.touchline?.stats.phase === 'playing', null, { timeout: PATIENCE_MS });
  const counted = ({ audience: { viewers, quality } }) => viewers === 1 && quality.reporting === 1 && quality.startup_ms && quality.live_latency_ms;
  await page.goto(`${server.watch}/watch/main`);
  await played();
  while (!counted(await desk())) await pause(50);
  await page.reload();
  await played();
  // It has asked for a second and more by then, and would be two if it were not known again.
  while ((await desk()).audience.quality.startup_ms?.count !== 2) await pause(50);
  const { viewers, quality } = (await desk()).audience;
  assert.ok(viewers <= 1, `${viewers} viewers`);
  assert.ok(quality.live_latency_ms.p50 > 100 && quality.live_latency_ms.p50 < 10_000, `${quality.live_latency_ms.p50} ms behind live`);
  await page.goto('about:blank');
  while ((await desk()).audience.viewers !== 0) await pause(50);
});

test('feeds, ladders and nodes are shown as they are', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const page = await open(context, '#feeds');
  const card = page.locator('.card', { hasText: 'RTMP' });
  await card.getByText('640×360').waitFor();
  await page.keyboard.press('3');
  await page.getByText('No renditions are made here').waitFor();
  await page.keyboard.press('4');
  await page.getByRole('meter', { name: /^Connections of/ }).waitFor();
  await page.getByRole('button', { name: /^Drain/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  assert.match(await page.getByRole('alert').innerText(), /viewers are not steered/, 'why it is refused is told where it was asked for');
});

test('an event is planned, hints are overridden, and both are in the timeline', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const page = await open(context, '#hints');
  const form = page.getByRole('form', { name: 'Plan an event' });
  await form.getByLabel('Name').fill('final');
  await form.getByLabel('Kick-off').fill('2030-06-01T20:00');
  await form.getByLabel('Planned end').fill('2030-06-01T19:00');
  await form.getByLabel('Expected viewers').fill('250000');
  await form.getByLabel('Channels').fill('main, cam2');
  await form.getByRole('button', { name: 'Plan' }).click();
  assert.match(await form.getByRole('alert').innerText(), /^end: it has to be after kick_off/);
  await form.getByLabel('Planned end').fill('2030-06-01T22:00');
  await form.getByRole('button', { name: 'Plan' }).click();
  await page.locator('.planned', { hasText: 'final' }).waitFor();
  const [event] = (await desk()).events;
  assert.deepEqual([event.id, event.expected_peak, event.channels], ['final', 250_000, ['main', 'cam2']]);

  await page.getByText('Override edges').click();
  const surge = page.getByRole('form', { name: 'Surge edges' });
  await surge.getByLabel('Times').fill('3');
  await surge.getByLabel('Why').fill('it is on every front page');
  await surge.getByRole('button', { name: 'Surge' }).click();
  await page.getByText('surge ×3 until').waitFor();
  await page.getByRole('button', { name: 'Take back the surge of edges' }).click();
  await page.getByText('surge ×3 until').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Delete final' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.locator('.planned', { hasText: 'final' }).waitFor({ state: 'detached' });

  await page.keyboard.press('6');
  await page.getByLabel('Kind').selectOption('override');
  const entries = await page.locator('.timeline li').allInnerTexts();
  assert.equal(entries.length, 2, entries.join('\n'));
  assert.match(entries[1], /surge edges 3 times for 30 min, by hand/);
});

test('views are changed by arrows and by numbers, and the address says which', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const page = await open(context);
  await page.locator('#tab-wall').focus();
  for (const view of [...VIEWS.slice(1), VIEWS[0]]) {
    await page.keyboard.press('ArrowRight');
    await page.locator(`#tab-${view}[aria-selected="true"]:focus`).waitFor();
    assert.equal(new URL(page.url()).hash, `#${view}`);
  }
  await page.keyboard.press('5');
  await page.locator('#tab-hints[aria-selected="true"]').waitFor();
});

test('no view has a serious fault that axe finds, dark or light', { timeout: 4 * PATIENCE_MS }, async (context) => {
  const axe = await readFile(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
  for (const colorScheme of /** @type {const} */ (['dark', 'light'])) {
    const page = await open(context, '', { colorScheme });
    await page.evaluate(axe);
    for (const view of VIEWS) {
      await page.evaluate((hash) => (location.hash = hash), view);
      await page.locator(`#tab-${view}[aria-selected="true"]`).waitFor();
      const { violations } = await page.evaluate(() => window.axe.run());
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`), [], `${view}, ${colorScheme}`);
    }
  }
});

test('it fits on a telephone and on a wall', { timeout: 2 * PATIENCE_MS }, async (context) => {
  for (const [width, height] of [[360, 780], [1440, 900], [3840, 2160]]) {
    const page = await open(context, '', { viewport: { width, height } });
    for (const view of VIEWS) {
      await page.evaluate((hash) => (location.hash = hash), view);
      await page.locator(`#tab-${view}[aria-selected="true"]`).waitFor();
      const surplus = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(surplus, 0, `${view} at ${width}`);
    }
  }
});

test('who has a token logs in, and sees when the server is gone', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const page = await browser.newPage();
  context.after(() => page.close());
  await page.goto(guarded.admin);
  await page.getByLabel('Token').fill('not the token at all');
  await page.getByRole('button', { name: 'Log in' }).click();
  assert.match(await page.getByRole('alert').innerText(), /not the token/);
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('.huge').waitFor();
  assert.equal((await fetch(`${guarded.admin}/api/v1/desk`)).status, 401, 'others are not let in');
  gone = true;
  await guarded.stop();
  await page.getByText('Old figures:').waitFor({ timeout: PATIENCE_MS });
});

test('eight hours leave no more behind than one', { timeout: 6 * PATIENCE_MS }, async (context) => {
  const page = await open(context);
  const session = await page.context().newCDPSession(page);
  const weigh = async () => {
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    const { nodes } = await session.send('Memory.getDOMCounters');
    return { usedSize, nodes };
  };
  await page.evaluate(live, { from: 0, to: FRAMES / 8 });
  const one = await weigh();
  await page.evaluate(live, { from: FRAMES / 8, to: FRAMES });
  const eight = await weigh();
  context.diagnostic(`after one hour ${JSON.stringify(one)}, after eight ${JSON.stringify(eight)}`);
  assert.ok(eight.usedSize < 1.2 * one.usedSize, `from ${one.usedSize} to ${eight.usedSize} bytes`);
  assert.ok(eight.nodes < 1.2 * one.nodes, `from ${one.nodes} to ${eight.nodes} nodes`);
});

test('it weighs little', async () => {
  const dist = new URL('../dist/assets/', import.meta.url);
  const files = (await readdir(dist)).filter((name) => name.startsWith('desk-'));
  const sizes = await Promise.all(files.map(async (name) => gzipSync(await readFile(new URL(name, dist))).length));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(files.length === 2 && bytes < MOST, `${files.join(', ')}: ${bytes} bytes compressed`);
});

test('a publisher is sent away and may come again; when none comes that is told at once, and when one does', { timeout: 4 * PATIENCE_MS }, async (context) => {
  const page = await open(context, '#feeds');
  const [{ id }] = (await desk()).publishers;
  await page.getByRole('button', { name: 'Send away the publisher of main' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Send away' }).click();
  const again = (frame) => frame.publishers.length > 0 && frame.publishers[0].id !== id;
  while (!again(await desk())) await pause(50);
  await feed.kill();
  await page.getByText('no publisher').waitFor({ timeout: PATIENCE_MS });
  await page.evaluate(() => (location.hash = 'wall'));
  const alert = page.locator('.alerts article', { hasText: 'feed stopped' });
  await alert.getByText('nobody publishes into it').waitFor({ timeout: PATIENCE_MS });
  await alert.getByText('Call the venue').waitFor();
  feed = startFeed(server.publish, 'main');
  await alert.waitFor({ state: 'detached', timeout: PATIENCE_MS });
});

/* In the page: frames as the stream would bring them, as fast as they can be drawn, with another figure each second. */
async function live({ from, to }) {
  const { desk } = window;
  window.first ??= { frame: structuredClone(desk.frame), at: Date.parse(desk.frame.at) };
  for (let second = from; second < to; second += 1) {
    const frame = structuredClone(window.first.frame);
    frame.at = new Date(window.first.at + 1000 * second).toISOString();
    frame.audience.viewers = 1_000 + Math.round(500 * Math.sin(second / 600));
    if (second % 30 === 0) desk.note({ id: 1_000_000 + second, at: frame.at, kind: 'event', severity: 'info', channel: 'main', text: `second ${second}` });
    desk.take(frame);
    if (second % 24 === 0) await new Promise((drawn) => requestAnimationFrame(drawn));
  }
}

/** @param {import('node:test').TestContext} context */
async function open(context, hash = '', options = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  context.after(() => page.close());
  await page.goto(`${server.admin}/${hash}`);
  await page.waitForFunction(() => window.desk?.frame, null, { timeout: PATIENCE_MS });
  await page.locator('main[role="tabpanel"]').waitFor();
  return page;
}

async function desk() {
  return (await fetch(`${server.admin}/api/v1/desk`)).json();
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
