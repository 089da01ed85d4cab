#!/usr/bin/env node
// Glass to glass: plays a watch page in headless Chromium and reads from the picture how old it is.
//
//   node e2e/glass.mjs --url http://127.0.0.1:8080/watch/main --seconds 60 [--rendition 480p] [--screenshot FILE] [--json]
//
// --rendition is chosen in the page's menu; without it the page chooses, or has no choice.
// The stream has to carry the frame clock: `touchline-loadtest feed`, on a machine whose clock agrees with this one's.

import { parseArgs } from 'node:util';

import { launch } from './browser.mjs';
import { install, readings } from './frame-reader.mjs';

/** Time for the first frame to appear, in milliseconds. */
const START_WITHIN_MS = 20_000;
const PROGRESS_EVERY_MS = 5_000;
/** Time for a rendition to appear that was chosen, in milliseconds: it begins with a segment. */
const CHOSEN_WITHIN_MS = 15_000;

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    rendition: { type: 'string' },
    screenshot: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
if (!options.url || !(seconds > 0)) {
  console.error('Usage: node e2e/glass.mjs --url http://HOST/watch/CHANNEL [--seconds 60] [--rendition 480p] [--screenshot FILE] [--json]');
  process.exit(2);
}

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
  await install(page);
  const opened = Date.now();
  await page.goto(options.url);
  const started = await page
    .waitForFunction(() => window.frameReader.frames.length > 0, null, { timeout: START_WITHIN_MS })
    .then(() => true, () => false);
  if (!started) {
    await explain(page);
    process.exitCode = 1;
  } else {
    const startup = Date.now() - opened;
    if (options.rendition) await choose(page, options.rendition);
    const before = await readings(page);
    await watch(page, before.frames.length);
    if (options.screenshot) await page.screenshot({ path: options.screenshot });
    report(await summary(page, startup, before));
  }
} finally {
  await browser.close();
}

async function explain(page) {
  const { shown, damaged } = await readings(page);
  const title = await page.locator('#notice-title').textContent({ timeout: 1_000 }).catch(() => '');
  const why = damaged > 0 ? `${shown} frames were shown, but none carries a frame clock` : `the page says: ${title || 'nothing'}`;
  console.error(`glass: no frame could be read within ${START_WITHIN_MS / 1000} s; ${why}`);
}

/** Chooses a rendition as a viewer does, and waits until it is on the screen. */
async function choose(page, name) {
  await page.locator('#quality').click();
  await page.locator(`#quality-menu [data-name="${name}"]`).click();
  await page.waitForFunction((wanted) => window.touchline.stats.rendition === wanted, name, { timeout: CHOSEN_WITHIN_MS });
}

async function watch(page, first) {
  const end = Date.now() + seconds * 1000;
  for (let from = first; Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(PROGRESS_EVERY_MS, end - Date.now())));
    const { frames, damaged, stalls } = await readings(page, from);
    from += frames.length;
    const latency = frames.length > 0 ? `latency ${frames.at(-1).latency.toFixed(0)} ms` : 'no frame';
    console.error(`glass: ${from - first} frames read, ${damaged} damaged, ${latency}, ${stalls.length} stalls`);
  }
}

/** What was read since `before`. */
async function summary(page, startup, before) {
  const all = await readings(page, before.frames.length);
  const { frames } = all;
  const [damaged, waiting, stalls] = [all.damaged - before.damaged, all.waiting - before.waiting, all.stalls.slice(before.stalls.length)];
  const stats = await page.evaluate(() => window.touchline?.stats ?? null);
  const latencies = frames.map((frame) => frame.latency).sort((a, b) => a - b);
  const at = (share) => Math.round(latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]);
  return {
    url: options.url,
    seconds,
    rendition: stats?.rendition ?? null,
    picture: stats && `${stats.width}x${stats.height}`,
    startup_ms: startup,
    frames_read: frames.length,
    frames_damaged: damaged,
    frames_not_seen: notSeen(frames),
    latency_ms: { min: at(0), median: at(0.5), p95: at(0.95), max: at(1) },
    stalls: { count: stalls.length, ms: Math.round(stalls.reduce((sum, stall) => sum + stall.ms, 0)), waiting_events: waiting },
    frames_dropped: stats?.droppedFrames ?? null,
    player: stats && { name: stats.player, starts: stats.starts, errors: stats.errors, failures: stats.failures, latency_s: stats.latency },
  };
}

/** Frames that were drawn between the first and the last one read, but not read. */
function notSeen(frames) {
  let missing = 0;
  for (let index = 1; index < frames.length; index += 1) {
    missing += Math.max(0, ((frames[index].sequence - frames[index - 1].sequence + 256) % 256) - 1);
  }
  return missing;
}

function report(figures) {
  if (options.json) return console.log(JSON.stringify(figures, null, 2));
  const { latency_ms: latency, stalls, player } = figures;
  console.log(`rendition        ${figures.rendition ?? 'the only one'}, ${figures.picture}`);
  console.log(`glass to glass   median ${latency.median} ms, p95 ${latency.p95} ms, min ${latency.min} ms, max ${latency.max} ms`);
  console.log(`start            first frame after ${figures.startup_ms} ms`);
  console.log(`frames           ${figures.frames_read} read, ${figures.frames_damaged} damaged (CRC), ${figures.frames_not_seen} not seen, ` +
    `${figures.frames_dropped ?? 'unknown'} dropped by the browser`);
  console.log(`stalls           ${stalls.count}, ${stalls.ms} ms; ${stalls.waiting_events} waiting events`);
  if (player) console.log(`player           ${player.name}, started ${player.starts} times, errors: ${player.errors.join('; ') || 'none'}`);
}
