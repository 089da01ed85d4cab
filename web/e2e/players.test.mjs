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
  const run = await watch(browser, { page: site.of('hls'), url: ladder.playlist, seconds: 23, switchEvery: 6 });
  const { errors, switches, timeline } = judge(run, { holdBack: 0.6, part: 0.2 });
  const told = timeline.join('\n');
  // How smoothly, and how far behind, is for the long run on a machine of its own to say.
  assert.equal(errors.fatal, 0, told);
  assert.deepEqual(switches, { asked: 3, seen: 3 }, told);
});
