// A viewer is led from one pathway to another and back by the admin listener, and the picture goes on.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';
import { install, readings } from './frame-reader.mjs';
import { startPathway } from './pathway.mjs';
import { startFeed, startServer } from './stage.mjs';

/** How long the picture may stand still, in all, for each time that it changes its pathway: hls.js loads both playlists anew then, while
 * it has a few hundred milliseconds in its buffer. */
const STANDSTILL_MS = 1_000;
/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;

let browser;
let server;
let feed;
let pathways;

before(async () => {
  pathways = [await startPathway(), await startPathway()];
  const [a, b] = pathways.map(({ base }) => base);
  // All viewers are on the first, as the second has no weight.
  const toml = `[steering]\nttl = "1s"\n[steering.pathways]\nregion-a = { base = "${a}", weight = 1 }\nregion-b = { base = "${b}", weight = 0 }\n`;
  server = await startServer({ grace: '20s', toml });
  pathways.forEach((pathway) => pathway.lead(server.watch));
  feed = startFeed(server.publish, 'main');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await feed?.kill();
  await server?.stop();
  pathways?.forEach((pathway) => pathway.stop());
});

test('when a pathway is drained hls.js moves to the other at the next manifest, and back when it may', { timeout: 4 * PATIENCE_MS }, async (context) => {
  const page = await (await browser.newContext()).newPage();
  await install(page);
  while (!(await fetch(`${server.watch}/live/main/index.m3u8`)).ok) await pause(50);
  await page.goto(`${server.watch}/watch/main`);
  await page.waitForFunction(() => window.frameReader.frames.length > 60, null, { timeout: PATIENCE_MS });

  const [a, b] = pathways.map(({ asked }) => () => asked.filter((path) => path.includes('.m4s')).length);
  const { stalledMs: before, errors: met } = await stats(page);
  const told = () => [...met, ...pathways.map(({ asked }) => asked.slice(0, 12).join(' '))].join('\n');
  assert.ok(a() > 0 && b() === 0, `region-a was asked for ${a()} parts, region-b for ${b()}:\n${told()}`);

  const drainedAt = Date.now();
  const drained = await steer('POST');
  assert.deepEqual(drained.pathways.map(({ id, drained }) => [id, drained]), [['region-a', true], ['region-b', false]]);
  await until(() => b() >= 20);
  const quiet = a();
  context.diagnostic(`20 parts came by region-b ${Date.now() - drainedAt} ms after region-a was drained`);
  await until(() => b() >= 40);
  assert.equal(a(), quiet, 'nobody is on region-a any more');

  await steer('DELETE');
  await until(() => a() >= quiet + 20);
  const { frames } = await readings(page);
  frames.slice(1).forEach((later, index) => assert.ok(later.unixMs >= frames[index].unixMs, 'the picture goes forward'));
  const { stalls, stalledMs, errors, failures } = await stats(page);
  context.diagnostic(`${stalls} stalls, ${Math.round(stalledMs)} ms in all`);
  assert.deepEqual(failures, [], errors.join('; '));
  assert.ok(stalledMs - before < 2 * STANDSTILL_MS, `the picture stood still for ${stalledMs - before} ms: ${errors.join('; ')}`);
});

test('who joins while a pathway is drained begins on another', async () => {
  await steer('POST');
  await until(async () => /PATHWAY-ID="region-b"\s*$/m.test(await (await fetch(`${server.watch}/live/main/index.m3u8`)).text()));
  await steer('DELETE');
});

/** Orders on the admin listener. */
async function steer(method) {
  const answer = await fetch(`${server.admin}/api/v1/steering/pathways/region-a/drain`, { method });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

async function until(condition) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it did not come about in time');
    await pause(20);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function stats(page) {
  return page.evaluate(() => window.touchline.stats);
}
