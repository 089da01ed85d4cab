// What a person sees on the pages of a real server with a real publisher, in a real browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';
import { install, readings } from './frame-reader.mjs';
import { startFeed, startServer } from './stage.mjs';

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };
/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;
/** As the feed has it; it draws so many frames before its encoder is connected (loadtest/src/feed.rs). */
const FRAME_RATE = 30;
const FRAMES_BEFORE_CONNECTED = 4;

let browser;
let server;

before(async () => {
  // One after the other: what has been started when the next one fails is ended.
  server = await startServer({ grace: '20s' });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test('a channel that is not live says so, how to publish, and starts by itself', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const { page, complaints } = await open(context, `${server.watch}/watch/kick-off`);
  await says(page, 'kick-off is not live');
  assert.equal(await page.locator('#publish-key').innerText(), 'kick-off');
  assert.equal(await page.locator('#publish-server').innerText(), 'rtmp://127.0.0.1/live');
  assert.equal(await page.locator('#badge').innerText(), 'OFFLINE');

  feed(context, server, 'kick-off');
  await plays(page);
  await page.locator('#badge[data-live="true"]').waitFor();
  assert.ok(await page.locator('#notice').isHidden());

  const { frames, damaged } = await seen(page, 90);
  assert.equal(damaged, 0, 'every frame carries a readable clock');
  goForward(frames);
  const { latency } = frames.at(-1);
  assert.ok(latency > 0 && latency < 5_000, `glass to glass ${latency} ms`);
  assert.deepEqual(complaints, []);
});

test('a page that waits shows its first frame within one GOP of the publish', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const { page, complaints } = await open(context, `${server.watch}/watch/cold-start`);
  await says(page, 'cold-start is not live');
  feed(context, server, 'cold-start', '2s');
  await plays(page);
  const { frames } = await seen(page, 30);
  const [first] = frames;
  assert.ok(first.sequence < 2 * FRAME_RATE, `the first frame shown is number ${first.sequence}: not of the first GOP`);
  // The frames before it waited for the encoder to connect.
  const later = frames.find(({ sequence }) => sequence >= FRAMES_BEFORE_CONNECTED);
  const published = later.unixMs - (1000 * (later.sequence - FRAMES_BEFORE_CONNECTED)) / FRAME_RATE;
  const after = first.unixMs + first.latency - published;
  context.diagnostic(`the first frame was shown ${Math.round(after)} ms after the publish`);
  // Starts are not counted: "not live" is good for a second, and may still be in the browser's cache.
  const { failures } = await stats(page);
  assert.deepEqual({ failures, complaints }, { failures: [], complaints: [] });
});

test('the figures beneath the picture are those of the stream', { timeout: 2 * PATIENCE_MS }, async (context) => {
  feed(context, server, 'figures');
  const { page } = await open(context, `${server.watch}/watch/figures`);
  await plays(page);
  const figure = (name) => page.locator(`[data-stat="${name}"]`);
  await figure('resolution').filter({ hasText: '640×360' }).waitFor();
  await figure('bitrate').filter({ hasText: 'Mb/s' }).waitFor();
  await figure('latency').filter({ hasText: /^\d+\.\d\ds$/ }).waitFor();
  await figure('buffer').filter({ hasText: /^\d\.\ds$/ }).waitFor();
  const { latency, targetLatency, player } = await stats(page);
  assert.ok(latency < 5, `${latency} s behind live`);
  assert.ok(targetLatency > 0 && targetLatency < 2, `low latency aims at ${targetLatency} s from the edge`);
  assert.match(player, /^hls\.js /);
  assert.ok(await page.locator('#quality').isHidden(), 'one rendition is no choice');
  assert.ok(await page.locator('[data-stat="rendition"]').isHidden());

  assert.equal(await page.locator('#unmute').isVisible(), true);
  await page.keyboard.press('m');
  await page.locator('#unmute').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.querySelector('video').muted), false);
  await page.keyboard.press('k');
  await page.getByRole('button', { name: 'Play' }).waitFor();
  await page.locator('#badge', { hasText: 'Paused' }).waitFor();
});

test('a publisher that dies and is back after 3 s: playback goes on without a reload', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const first = feed(context, server, 'returns');
  const { page, complaints } = await open(context, `${server.watch}/watch/returns`);
  await plays(page);
  await seen(page, 30);
  // The page may have been there before the feed was.
  const { starts: before } = await stats(page);
  await first.kill();
  const killed = Date.now();
  await says(page, 'Signal lost');
  await new Promise((resolve) => setTimeout(resolve, killed + 3_000 - Date.now()));
  const back = Date.now();
  feed(context, server, 'returns');
  await showsFrameAfter(page, back);
  await says(page, '');
  const { frames, damaged } = await seen(page, 30, back);
  assert.equal(damaged, 0);
  goForward(frames.filter((frame) => frame.unixMs < back));
  goForward(frames.filter((frame) => frame.unixMs > back));
  const { starts, failures, errors } = await stats(page);
  assert.deepEqual({ starts, failures, complaints }, { starts: before, failures: [], complaints: [] }, `after ${errors.join('; ')}`);
});

test('a channel that ends says so, and starts by itself when it is live again', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const impatient = await startServer({ grace: '1s' });
  context.after(() => impatient.stop());
  const first = feed(context, impatient, 'final');
  const { page, complaints } = await open(context, `${impatient.watch}/watch/final`);
  await plays(page);
  await first.stop();
  await says(page, 'final has ended');
  assert.equal(await page.locator('#badge').innerText(), 'OFFLINE');

  const again = Date.now();
  feed(context, impatient, 'final');
  await showsFrameAfter(page, again);
  await says(page, '');
  assert.deepEqual(complaints, []);
});

test('the list tells how to publish, then links to what is live', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const empty = await startServer({ grace: '1s' });
  context.after(() => empty.stop());
  const { page, complaints } = await open(context, `${empty.watch}/`);
  await page.getByText('Nothing is live right now.').waitFor();
  assert.match(await page.locator('[data-publish="ffmpeg"]').innerText(), /-f flv rtmp:\/\/127\.0\.0\.1\/live\/main$/);

  feed(context, empty, 'main');
  const link = page.getByRole('link', { name: /^main/ });
  await link.waitFor({ timeout: PATIENCE_MS });
  assert.match(await link.innerText(), /640 × 360 at 30 fps · H\.264 \+ AAC/);
  await link.click();
  await page.waitForURL(`${empty.watch}/watch/main`);
  await plays(page);
  assert.deepEqual(complaints, []);
});

test('on a phone nothing sticks out, waiting or playing, dark or light', { timeout: 2 * PATIENCE_MS }, async (context) => {
  feed(context, server, 'phone');
  for (const colorScheme of ['dark', 'light']) {
    const { page } = await open(context, `${server.watch}/watch/phone`, { viewport: PHONE, colorScheme });
    await plays(page);
    await fits(page);
    const nobody = await open(context, `${server.watch}/watch/nobody-publishes-into-this-channel`, { viewport: PHONE, colorScheme });
    await says(nobody.page, 'nobody-publishes-into-this-channel is not live');
    await fits(nobody.page);
    const list = await open(context, `${server.watch}/`, { viewport: PHONE, colorScheme });
    await list.page.getByRole('link', { name: /^phone/ }).waitFor();
    await fits(list.page);
  }
});

/** Opens a page whose video is read from the start; notes what it complains about. */
async function open(context, url, options = { viewport: DESKTOP }) {
  const window = await browser.newContext(options);
  context.after(() => window.close());
  const page = await window.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('console', (message) => {
    // The browser itself notes every 404, and a page that waits for a channel gets some.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  await install(page);
  await page.goto(url);
  return { page, complaints };
}

function feed(context, { publish }, channel, gop) {
  const running = startFeed(publish, channel, gop);
  context.after(() => running.kill());
  return running;
}

/** Waits for words over the picture; none at all is ''. */
function says(page, title) {
  return comesTrue(page, `the page says "${title}"`, (words) => document.querySelector('#notice-title').textContent === words, title);
}

function plays(page) {
  return comesTrue(page, 'the video plays', () => window.frameReader.frames.length > 0);
}

/** Waits until a frame is shown that was drawn after `since`. */
function showsFrameAfter(page, since) {
  return comesTrue(page, 'a newer frame is shown', (time) => window.frameReader.frames.at(-1).unixMs > time, since);
}

/** Waits for so many frames drawn after `since`. */
async function seen(page, count, since = 0) {
  const enough = ([wanted, from]) => window.frameReader.frames.filter((frame) => frame.unixMs > from).length >= wanted;
  await comesTrue(page, `${count} frames are read`, enough, [count, since]);
  return readings(page);
}

/** Waits for a condition in the page; a failure tells what the page shows instead. */
async function comesTrue(page, what, condition, argument = null) {
  try {
    await page.waitForFunction(condition, argument, { timeout: PATIENCE_MS });
  } catch (error) {
    const shows = await page.evaluate(() => ({
      notice: document.querySelector('#notice').innerText,
      stats: window.touchline.stats,
      reader: { ...window.frameReader, frames: window.frameReader.frames.slice(-2) },
    }));
    throw new Error(`it did not come true that ${what}; the page shows ${JSON.stringify(shows, null, 2)}`, { cause: error });
  }
}

function stats(page) {
  return page.evaluate(() => window.touchline.stats);
}

async function fits(page) {
  const { content, window } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: innerWidth }));
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window} px`);
}

/** Each frame is later than the one before, and none is shown twice. */
function goForward(frames) {
  assert.ok(frames.length > 1);
  frames.slice(1).forEach((later, index) => {
    const earlier = frames[index];
    const told = `${JSON.stringify(earlier)} was followed by ${JSON.stringify(later)}`;
    assert.ok(later.unixMs >= earlier.unixMs && later.position > earlier.position, told);
    const steps = (later.sequence - earlier.sequence + 256) % 256;
    assert.ok(steps > 0 && steps < 128, told);
  });
}
