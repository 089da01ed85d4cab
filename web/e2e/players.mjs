#!/usr/bin/env node
// Players against a ladder of renditions, with switches forced and discontinuities: do they stall, do they complain, where
// do they stay.
//
//   LADDER_BIN=target/release/examples/ladder node e2e/players.mjs --minutes 5 [--players hls,shaka,ffmpeg,gstreamer] [--json]
//   node e2e/players.mjs --minutes 5 --url http://127.0.0.1:8080/live/main/index.m3u8
//
// Exit code 0: every player did what was asked of it; 1: one did not; 2: nothing could be tried.
// What is asked of the browser players: no stall, no error event, and a latency within one part of PART-HOLD-BACK. ffmpeg
// and GStreamer know no parts and play whole segments: of them it is asked that they play on without errors.

import { parseArgs } from 'node:util';

import { launch } from './browser.mjs';
import { judge, watch } from './players/browser-run.mjs';
import { ffmpeg, gstreamer } from './players/native-run.mjs';
import { serveSite } from './players/site.mjs';
import { startLadder } from './stage.mjs';

const BROWSER = ['hls', 'shaka'];
const NATIVE = { ffmpeg, gstreamer };
/** A new rendition, and in the ladder a new timeline, so often, in seconds. */
const SWITCH_EVERY_S = 20;
const DISCONTINUITY_EVERY_S = 70;
/** Shaka Player starts from a whole segment. */
const WHOLE_SEGMENT_MS = 5_000;

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    players: { type: 'string', default: 'hls,shaka,ffmpeg,gstreamer' },
    url: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = 60 * Number(options.minutes);
const players = options.players.split(',');
if (!(seconds > 0) || players.some((player) => !BROWSER.includes(player) && !(player in NATIVE))) {
  console.error('Usage: node e2e/players.mjs [--minutes 5] [--players hls,shaka,ffmpeg,gstreamer] [--url PLAYLIST] [--json]');
  process.exit(2);
}

const ladder = options.url ? null : await startLadder({ discontinuityEvery: DISCONTINUITY_EVERY_S });
const url = options.url ?? ladder.playlist;
const results = [];
try {
  const server = await promises(url);
  for (const player of players) {
    console.error(`players: ${player} for ${seconds} s`);
    results.push(BROWSER.includes(player) ? await inBrowser(player, server) : await NATIVE[player](url, seconds));
  }
} finally {
  await ladder?.stop();
}
report(results);
process.exitCode = results.every(({ faults }) => faults.length === 0) ? 0 : 1;

async function inBrowser(player, server) {
  const [browser, site] = await Promise.all([launch(), serveSite()]);
  try {
    return judge(await watch(browser, { page: site.of(player), url, seconds, switchEvery: SWITCH_EVERY_S }), server);
  } finally {
    await browser.close();
    site.stop();
  }
}

/** What the server's playlists promise, as soon as there is a whole segment. */
async function promises(multivariant) {
  for (let giveUp = Date.now() + WHOLE_SEGMENT_MS; ; ) {
    const master = await (await fetch(multivariant)).text();
    const uri = master.split('\n').find((line) => line && !line.startsWith('#'));
    const media = uri ? await (await fetch(new URL(uri, multivariant))).text() : '';
    const count = (tag) => media.split(tag).length - 1;
    if (count('#EXTINF') > count('#EXT-X-GAP') || Date.now() > giveUp) {
      const attribute = (name) => Number(new RegExp(`${name}=([\\d.]+)`).exec(media)?.[1]);
      return { holdBack: attribute('PART-HOLD-BACK'), part: attribute('PART-TARGET') };
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function report(rows) {
  if (options.json) return console.log(JSON.stringify({ url, seconds, players: rows }, null, 2));
  for (const row of rows) {
    console.log(`${row.player}: ${row.faults.length === 0 ? 'as it should be' : row.faults.join(', ')}`);
    for (const [name, value] of Object.entries(row)) {
      if (['player', 'faults', 'timeline'].includes(name) || value === null) continue;
      console.log(`    ${name.padEnd(10)} ${figures(value)}`);
    }
  }
}

function figures(value) {
  const number = (of) => (typeof of === 'number' && !Number.isInteger(of) ? of.toFixed(3) : String(of));
  if (Array.isArray(value)) return value.map(figures).join('; ');
  return typeof value === 'object' ? Object.entries(value).map(([name, of]) => `${name} ${number(of)}`).join(', ') : number(value);
}
