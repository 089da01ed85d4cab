#!/usr/bin/env node
// The gap that a viewer has when the transcoding worker crashes or hangs, on the source's own rendition and on a rung: between
// two pictures on the screen, and between two parts that a client gets.
//
//   TOUCHLINE_BIN=target/release/touchline LOADTEST_BIN=target/release/touchline-loadtest node e2e/faults.mjs
//     [--size 1280x720] [--bitrate 2500k] [--rung "480p 1200k" --rung "360p 800k"] [--times 3] [--json]
//
// Exit code 0: everything played on; 1: something did not.

import { parseArgs } from 'node:util';

import { recordFrames } from './abr-run.mjs';
import { launch } from './browser.mjs';
import { FAULTS, arrivals, gap, longest, survive } from './faults-run.mjs';
import { startFeed, startServer } from './stage.mjs';

/** Nothing takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 40_000;

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '1280x720' },
    bitrate: { type: 'string', default: '2500k' },
    rung: { type: 'string', multiple: true, default: ['480p 1200k', '360p 800k'] },
    times: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});

const browser = await launch();
const results = [];
try {
  for (const fault of Object.keys(FAULTS)) {
    // The third failure within a minute is answered otherwise: each gets a server of its own.
    for (let time = 1; time <= Number(options.times); time += 1) results.push(await once(fault));
  }
} finally {
  await browser.close();
}
if (options.json) console.log(JSON.stringify(results, null, 2));
process.exitCode = results.some(({ starts, failures }) => starts > 0 || failures.length > 0) ? 1 : 0;

/** One failure, seen by a viewer of the source and one of the lowest rung at once. */
async function once(fault) {
  const server = await startServer({ grace: '20s', rungs: options.rung });
  const feed = startFeed(server.publish, 'main', '2s', options);
  const pages = [];
  try {
    for (const lowest of [false, true]) pages.push(await open(server, lowest));
    const stop = new AbortController();
    const coming = Promise.all(pages.map(({ playlist }) => arrivals(playlist, stop.signal)));
    const before = await Promise.all(pages.map(({ page }) => stats(page)));
    const clocks = await Promise.all(pages.map(({ page }) => page.evaluate(() => performance.now())));
    await survive(fault, server, pages[1].page, PATIENCE_MS);
    stop.abort();
    const parts = await coming;
    const seen = await Promise.all(pages.map(({ page }) => page.evaluate(() => window.frameRecord)));
    const after = await Promise.all(pages.map(({ page }) => stats(page)));
    const [source, rung] = pages.map(({ name }, index) => ({
      name,
      shown: gap(seen[index], clocks[index]),
      partsMs: longest(parts[index]),
      starts: after[index].starts - before[index].starts,
      failures: after[index].failures,
    }));
    const told = server.said().map((line) => /the rungs go on (\d+) ms/.exec(line)?.[1]).findLast(Boolean);
    report(fault, told, [source, rung]);
    return { fault, serverMs: Number(told), source, rung, starts: source.starts + rung.starts, failures: [...source.failures, ...rung.failures] };
  } finally {
    await Promise.all(pages.map(({ page }) => page.close()));
    await feed.kill();
    await server.stop();
  }
}

/** A page that plays the source's own rendition, or the lowest rung. */
async function open(server, lowest) {
  const page = await browser.newPage({ viewport: { width: 640, height: 480 } });
  await recordFrames(page);
  await page.goto(`${server.watch}/watch/main`);
  await page.waitForFunction((count) => window.touchline.stats.renditions.length === count, options.rung.length + 1, { timeout: PATIENCE_MS });
  const { renditions } = await stats(page);
  const name = lowest ? renditions.at(-1) : renditions[0];
  await page.locator('#quality').click();
  await page.locator(`#quality-menu [data-name="${name}"]`).click();
  await page.waitForFunction((wanted) => window.touchline.stats.rendition === wanted, name, { timeout: PATIENCE_MS });
  return { page, name, playlist: `${server.watch}/live/main/${name}/index.m3u8` };
}

function stats(page) {
  return page.evaluate(() => window.touchline.stats);
}

function report(fault, told, renditions) {
  if (options.json) return;
  console.log(`${fault}: another worker's pictures came ${told} ms after the last before`);
  for (const { name, shown, partsMs, starts, failures } of renditions) {
    const trouble = starts > 0 || failures.length > 0 ? `; ${starts} new starts, ${failures.join('; ')}` : '';
    console.log(`  ${name.padEnd(6)} a picture stood for ${shown.ms} ms, ${shown.mediaMs} ms of media to the next; parts ${partsMs} ms apart${trouble}`);
  }
}
