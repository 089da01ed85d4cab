// Adaptive bitrate, without a clock: that it steps down and up, not how soon. `node e2e/abr.mjs` is the run that measures.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { open, rungs, seams } from './abr-run.mjs';
import { launch } from './browser.mjs';
import { startLadder } from './stage.mjs';

/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;
/** Of the best rendition's average: too little for it, plenty for the lowest. */
const SLOW = 0.7;

test('the page steps down on a slow network, up again on a fast one, and the picture goes on', { timeout: 4 * PATIENCE_MS }, async (context) => {
  const ladder = await startLadder();
  context.after(() => ladder.stop());
  const browser = await launch();
  context.after(() => browser.close());
  const [best] = await rungs(ladder.playlist);
  const viewer = await open(browser, ladder.watch);
  const plays = async (what, condition) => {
    const come = viewer.page.waitForFunction(condition, best.height, { timeout: PATIENCE_MS });
    await come.catch(async (error) => assert.fail(`${what}: ${error.message}; ${JSON.stringify(await viewer.stats(), null, 2)}`));
  };
  await plays('it begins with the best', (lines) => window.touchline.stats.rendition === `${lines}p`);
  await viewer.throttle(SLOW * best.average);
  await plays('it steps down', (lines) => (window.frameRecord.at(-1)?.height ?? lines) < lines);
  await viewer.throttle(null);
  await plays('it steps up again', (lines) => window.frameRecord.at(-1)?.height === lines);
  // The page looks a few times a second.
  await plays('it counts both', () => window.touchline.stats.switches >= 2);

  const { back, switches } = seams(await viewer.frames());
  assert.equal(back, 0, 'no frame is shown after a later one');
  assert.ok(switches.length >= 2 && switches[0].to < best.height && switches.at(-1).to === best.height, JSON.stringify(switches));
  const { starts, failures } = await viewer.stats();
  assert.deepEqual({ starts, failures }, { starts: 1, failures: [] });
});
