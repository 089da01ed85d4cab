// Players against a ladder of renditions, for as long as a test may take: `node e2e/players.mjs --minutes 5` is the long run.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { launch } from './browser.mjs';
import { judge, watch } from './players/browser-run.mjs';
import { serveSite } from './players/site.mjs';
import { startLadder } from './stage.mjs';

test('hls.js plays on through switches of rendition and a discontinuity', { timeout: 90_000 }, async (context) => {
  const [browser, site, ladder] = await Promise.all([launch(), serveSite(), startLadder({ discontinuityEvery: 11 })]);
  context.after(() => Promise.all([browser.close(), site.stop(), ladder.stop()]));
  const run = await watch(browser, { page: site.of('hls'), url: ladder.playlist, seconds: 20, switchEvery: 6 });
  const { stalls, errors, switches, latency_s: latency, timeline } = judge(run, { holdBack: 0.6, part: 0.2 });
  const told = timeline.join('\n');
  assert.equal(stalls.count, 0, told);
  assert.equal(errors.fatal, 0, told);
  assert.deepEqual(switches, { asked: 3, seen: 3 }, told);
  assert.ok(latency.median > 0.4 && latency.median < 0.8, `${latency.median} s behind, at the median`);
});
