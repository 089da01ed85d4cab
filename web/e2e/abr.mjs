#!/usr/bin/env node
// Adaptive bitrate: the network of a watch page becomes slower than the best rendition, and fast again. Does the page step
// down and up, without a stall, an error or a seam?
//
//   LADDER_BIN=target/release/examples/ladder node e2e/abr.mjs
//   node e2e/abr.mjs --url http://127.0.0.1:8080/watch/main [--throttle 0.9] [--seconds 20] [--json]
//
// --throttle is a share of the best rendition's AVERAGE-BANDWIDTH; --seconds is how long each of the three spells lasts.
// Exit code 0: all as it should be; 1: something is not; 2: nothing could be tried.

import { parseArgs } from 'node:util';

import { open, rungs, seams } from './abr-run.mjs';
import { launch } from './browser.mjs';
import { startLadder } from './stage.mjs';

/** Time for the first frame to appear, in milliseconds. */
const START_WITHIN_MS = 20_000;
/** On a fast network the best rendition is back within this time, in seconds. */
const CLIMB_WITHIN_S = 10;
/** What hls.js notes of stalls, which the page counts as a viewer sees them, and of parts that are not wanted any more. */
const NO_ERRORS = /^(bufferStalledError|bufferNudgeOnStall|aborted):/;

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    throttle: { type: 'string', default: '0.9' },
    seconds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const [share, seconds] = [Number(options.throttle), Number(options.seconds)];
if (!(share > 0 && seconds > CLIMB_WITHIN_S)) {
  console.error(`Usage: node e2e/abr.mjs [--url WATCH_PAGE] [--throttle SHARE] [--seconds MORE_THAN_${CLIMB_WITHIN_S}] [--json]`);
  process.exit(2);
}

const ladder = options.url ? null : await startLadder();
const url = options.url ?? ladder.watch;
const browser = await launch();
try {
  const declared = await rungs(`${url.replace('/watch/', '/live/')}/index.m3u8`);
  if (declared.length < 2) throw new Error(`${url} has ${declared.length} rendition; it takes two to switch`);
  const viewer = await open(browser, url);
  await viewer.page.waitForFunction(() => window.frameRecord?.length > 0, null, { timeout: START_WITHIN_MS });
  const slow = Math.round(share * declared[0].average);
  const samples = await watch(viewer, [null, slow, null]);
  const result = judge(samples, seams(await viewer.frames()), await viewer.stats());
  if (options.json) console.log(JSON.stringify({ url, seconds, slow, rungs: declared, samples, ...result }, null, 2));
  else report(result);
  process.exitCode = result.faults.length === 0 ? 0 : 1;
} finally {
  await browser.close();
  await ladder?.stop();
}

/** Looks once a second, spell after spell of network. */
async function watch(viewer, spells) {
  const samples = [];
  const began = Date.now();
  if (!options.json) console.log('   s    network  rendition    buffer   latency  throughput  switches        stalls');
  for (const [spell, network] of spells.entries()) {
    await viewer.throttle(network);
    for (let second = 1; second <= seconds; second += 1) {
      const at = spell * seconds + second;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + 1000 * at - Date.now())));
      const sample = { at, spell, second, network, ...(await viewer.stats()) };
      samples.push(sample);
      if (!options.json) console.log(row(sample));
    }
  }
  return samples;
}

function row({ at, network, rendition, buffer, latency, throughput, switches, stalls, stalledMs }) {
  const megabits = (bits) => (bits === null ? '-' : `${(bits / 1e6).toFixed(2)} Mb/s`);
  const cells = [
    [String(at), 4],
    [network === null ? 'fast' : megabits(network), 11],
    [rendition ?? '-', 11],
    [`${buffer.toFixed(2)} s`, 10],
    [latency === null ? '-' : `${latency.toFixed(2)} s`, 10],
    [megabits(throughput), 12],
    [String(switches), 10],
    [stalls > 0 ? `${stalls}, ${Math.round(stalledMs)} ms` : '0', 14],
  ];
  return cells.map(([text, width]) => text.padStart(width)).join('');
}

/** What was asked for and did not hold. */
function judge(samples, { frameSeconds, back, switches }, { renditions, errors, failures, stalls, stalledMs, frames, droppedFrames }) {
  const spell = (number) => samples.filter((sample) => sample.spell === number);
  const [top] = renditions;
  const down = spell(1).find(({ rendition }) => rendition !== top);
  const up = spell(2).find(({ rendition }) => rendition === top);
  const bad = switches.filter(({ missing, dropped }) => missing < 0 || missing > dropped);
  const told = [...failures, ...errors.filter((error) => !NO_ERRORS.test(error))];
  const faults = [
    spell(0).at(-1)?.rendition !== top && `on a fast network it does not play ${top}`,
    !down && 'it does not step down',
    !up && 'it does not step up again',
    up && up.second > CLIMB_WITHIN_S && `it takes ${up.second} s to step up again`,
    stalls > 0 && `${stalls} stalls, ${Math.round(stalledMs)} ms`,
    told.length > 0 && `${told.length} errors: ${told.join('; ')}`,
    back > 0 && `${back} frames go back`,
    bad.length > 0 && `${bad.length} of ${switches.length} switches show`,
  ].filter(Boolean);
  return { frameMs: 1000 * frameSeconds, downAfter: down?.second ?? null, upAfter: up?.second ?? null, switches, frames, droppedFrames, faults };
}

function report({ frameMs, downAfter, upAfter, switches, frames, droppedFrames, faults }) {
  console.log(`frames      ${frames} shown, ${droppedFrames} dropped, ${frameMs.toFixed(1)} ms each`);
  console.log(`down        ${downAfter === null ? 'never' : `seen ${downAfter} s after the network became slow`}`);
  console.log(`up          ${upAfter === null ? 'never' : `at the best again ${upAfter} s after the network became fast`}`);
  for (const { from, to, step, missing, dropped } of switches) {
    const lost = `${missing} frames missing, ${dropped} dropped by the browser`;
    console.log(`seam        ${from} to ${to} lines: the largest step is ${step.toFixed(2)} frames; within half a second ${lost}`);
  }
  console.log(faults.length === 0 ? 'as it should be' : faults.join('\n'));
}
