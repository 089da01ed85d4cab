#!/usr/bin/env node
// Publishes by WHIP over a bad network, changes sizes, lets strangers in and sessions lie: docs/whip.md is what it prints.
//
//   tools/whip.mjs target/release [--seconds 60] [--only loss|sizes|strangers|abandoned] [--aiortc DIR/bin/python]
//
// Needs ffmpeg 9 (tools/ffmpeg-9), Chromium, root for the strangers, and for its row aiortc:
//   python3 -m venv DIR && DIR/bin/pip install aiortc==1.16.0

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { end, metrics, need, publishers, residentBytes, run, serve, sleep, start, table, temporary, until } from './server.mjs';
import { detour } from './whip/detour.mjs';
import { openBrowser, publishPage } from './whip/page.mjs';

const LOSS = ['--loss', '2%', '--delay', '5ms..15ms', '--jitter', '--both-ways', '--seed', '7'];
const SIZE = { width: 640, height: 360 };
const PICTURES_PER_SECOND = 30;
/** How often it is looked whether something has come about, in milliseconds. */
const LOOK_MS = 10;
const JUNK = 50_000;
const JUNK_PER_SECOND = 2_500;
const ABANDONED = 200;
/** The server takes no more from one address that have not connected (`unconnected_per_address`). */
const PER_ADDRESS = 8;
/** After which it lets those go that have not connected, and then some. */
const CONNECT_MS = 10_000 + 2_000;
const DEBUG = 'info,touchline_ingest=debug';
const HERE = fileURLToPath(new URL('.', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' }, aiortc: { type: 'string' } },
});
const [binaries] = positionals;
const seconds = Number(values.seconds);
if (!binaries || !(seconds >= 5)) {
  console.error('Usage: tools/whip.mjs FOLDER-OF-THE-BINARIES [--seconds N, 5 or more] [--only loss|sizes|strangers|abandoned] [--aiortc PYTHON]');
  process.exit(2);
}
await need(join(binaries, 'touchline'), join(binaries, 'touchline-loadtest'));
const ffmpeg9 = (await run(join(HERE, 'ffmpeg-9'), [])).trim();
const folder = await temporary('whip');
const chapters = {
  loss: ['2 % lost both ways, 5 to 15 ms each way drawn for each datagram', losses],
  sizes: ['Sizes that change', sizes],
  strangers: [`${JUNK} datagrams of strangers beside a stream`, strangers],
  abandoned: [`${ABANDONED} sessions that are arranged and left alone`, abandoned],
};
try {
  for (const [name, [title, measure]] of Object.entries(chapters)) {
    if (values.only && values.only !== name) continue;
    console.error(`whip: ${name}`);
    console.log(`## ${title}\n\n${await measure()}\n`);
  }
} finally {
  await folder.end();
}
process.exit(0);

/** One row for each client, one after another. */
async function losses() {
  const clients = [
    ['ffmpeg 9', whipFfmpeg],
    ...(values.aiortc ? [['aiortc 1.16', whipAiortc]] : []),
    ['Chromium, canvas', whipChromium],
  ];
  const rows = [];
  for (const [name, publish] of clients) {
    console.error(`whip: ${name}, ${seconds} s`);
    rows.push([name, ...(await lossy(publish))]);
  }
  const head = ['client', 'pictures sent', 'access units', 'dropped', 'packets', 'lost there', 'given up', 'asked for', 'of all packets', 'sent again',
    'sound in', 'first frame listed', 'keyframes asked for', 'PLI to keyframe'];
  return table(head, rows);
}

async function lossy(publish) {
  const server = await serve(binaries, folder.path, '', DEBUG);
  const answers = [];
  server.process.lines.on('line', (line) => {
    const [, time, unit] = /a keyframe has come ([\d.]+)(µs|ms|s) after/.exec(line) ?? [];
    if (time) answers.push(Number(time) * { µs: 0.001, ms: 1, s: 1_000 }[unit]);
  });
  const relay = await bad(`127.0.0.1:${server.webrtc}`);
  const way = await detour(server, relay.port);
  const listed = firstFrame(server, 'main');
  const sent = await publish(way.origin, async () => (await publishers(server)).main);
  const first = (await listed) - way.sessions[0].asked;
  const counted = await metrics(server);
  const relayed = await relay.end();
  way.end();
  await end(server.process);
  const { link, discarded_samples: discarded } = sent.vitals;
  const count = (kind) => counted[`touchline_ingest_units_total{kind="${kind}"}`];
  return [
    sent.pictures, count('video'), discarded, link.received_packets, relayed.there.lost, link.lost_packets, link.requested_packets,
    `${((link.requested_packets / link.received_packets) * 100).toFixed(2)} %`, sent.again ?? link.recovered_packets, count('audio'),
    `${Math.round(first)} ms`, link.keyframe_requests, answers.length ? `${spread(answers)} ms` : '-',
  ];
}

/** Each publisher says how many pictures it has sent, and what the server knew of it just before it left. */
async function whipFfmpeg(origin, vitals) {
  const source = ['-re', '-f', 'lavfi', '-i', `testsrc2=size=${SIZE.width}x${SIZE.height}:rate=${PICTURES_PER_SECOND}`, '-re', '-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
  const codecs = '-c:v libx264 -profile:v baseline -preset veryfast -b:v 1500k -pix_fmt yuv420p -bf 0 -g 60 -c:a libopus -b:a 96k -ac 2';
  const feed = start(ffmpeg9, ['-v', 'error', '-nostdin', '-progress', 'pipe:1', ...source, '-t', String(seconds), ...codecs.split(' '), '-f', 'whip', `${origin}/whip/main`]);
  let pictures;
  createInterface(feed.stdout).on('line', (line) => (pictures = /^frame=(\d+)/.exec(line)?.[1] ?? pictures));
  const last = await watched(feed, vitals);
  if (feed.exitCode !== 0) throw new Error(`ffmpeg: ${feed.said}`);
  return { pictures, vitals: last };
}

async function whipAiortc(origin, vitals) {
  const feed = start(values.aiortc, [join(HERE, 'whip/aiortc-whip.py'), `${origin}/whip/main`, String(seconds)]);
  let text = '';
  feed.stdout.on('data', (more) => (text += more));
  const last = await watched(feed, vitals);
  if (feed.exitCode !== 0) throw new Error(`aiortc: ${feed.said}`);
  return { pictures: JSON.parse(text).pictures, vitals: last };
}

async function whipChromium(origin, vitals) {
  const browser = await openBrowser();
  const page = await publishPage(browser, origin, 'main', 'canvas', SIZE);
  await sleep(seconds * 1_000);
  const [last, { pictures, again }] = [await vitals(), await page.end()];
  await browser.close();
  return { pictures, again, vitals: last };
}

/** What the server knew of a publisher last. */
async function watched(feed, vitals) {
  let last;
  const gone = once(feed, 'exit');
  while (feed.exitCode === null && feed.signalCode === null) {
    last = (await vitals()) ?? last;
    await Promise.race([gone, sleep(200)]);
  }
  return last;
}

/** When the first part with media of a channel is listed. */
async function firstFrame({ watch }, channel) {
  for (;;) {
    const answer = await fetch(`${watch}/live/${channel}/video/index.m3u8`);
    const text = answer.ok ? await answer.text() : '';
    if (text.split('\n').some((line) => line.startsWith('#EXT-X-PART:') && !line.includes('GAP=YES'))) return performance.now();
    await sleep(LOOK_MS);
  }
}

/** A relay to the port of WebRTC. */
async function bad(to) {
  const relay = start(join(binaries, 'touchline-loadtest'), ['relay', '127.0.0.1:0', to, ...LOSS, '--json']);
  let text = '';
  relay.stdout.on('data', (more) => (text += more));
  const [first] = await once(relay.lines, 'line');
  return { port: Number(/ 127\.0\.0\.1:(\d+) to /.exec(first)[1]), end: async () => (await end(relay), JSON.parse(text)) };
}

/** A browser climbs and is then shown other sizes; a page watches it. */
async function sizes() {
  const server = await serve(binaries, folder.path);
  const met = [];
  server.process.lines.on('line', (line) => {
    const [, size] = /receives .*?(\d+x\d+)/.exec(line) ?? [];
    if (size) met.push(size);
  });
  const browser = await openBrowser();
  const feed = await publishPage(browser, server.watch, 'main', 'canvas', { width: 1280, height: 720 });
  const viewer = await (await browser.newContext()).newPage();
  await viewer.goto(`${server.watch}/watch/main`);
  const seen = [];
  const look = setInterval(async () => {
    const { width, height } = await viewer.evaluate(() => window.touchline.stats).catch(() => ({}));
    if (height && seen.at(-1) !== `${width}x${height}`) seen.push(`${width}x${height}`);
  }, 200);
  await sleep((seconds * 1_000) / 2);
  for (const [width, height] of [[640, 360], [960, 540]]) {
    await feed.resize({ width, height });
    await sleep((seconds * 1_000) / 4);
  }
  clearInterval(look);
  const stats = await viewer.evaluate(() => window.touchline.stats);
  const vitals = (await publishers(server)).main;
  await feed.end();
  await browser.close();
  await end(server.process);
  return table(['', ''], [
    ['sizes that came', met.join(', ')],
    ['sizes on the screen', seen.join(', ')],
    ['stretches of the timeline', vitals.stretches],
    ['player', stats.player],
    ['fatal errors, starts of the player', `${stats.failures.length}, ${stats.starts}`],
    ['errors that it recovered from', stats.errors.join(', ') || 'none'],
    ['frames shown, dropped', `${stats.frames}, ${stats.droppedFrames}`],
    ['stalls', `${stats.stalls}, ${Math.round(stats.stalledMs)} ms`],
  ]);
}

/** Junk and forged datagrams, half of them in the publisher's name. */
async function strangers() {
  const server = await serve(binaries, folder.path, '[hls]\nwindow = "12s"\n', DEBUG);
  let from;
  server.process.lines.on('line', (line) => (from = /connected by UDP from [\d.]+:(\d+)/.exec(line)?.[1] ?? from));
  const way = await detour(server, server.webrtc);
  const source = ['-re', '-f', 'lavfi', '-i', `testsrc2=size=${SIZE.width}x${SIZE.height}:rate=${PICTURES_PER_SECOND}`, '-re', '-f', 'lavfi', '-i', 'sine=sample_rate=48000'];
  const codecs = '-c:v libx264 -profile:v baseline -preset veryfast -b:v 1500k -pix_fmt yuv420p -bf 0 -g 60 -c:a libopus -ac 2';
  const feed = start(ffmpeg9, ['-v', 'error', '-nostdin', '-progress', 'pipe:1', ...source, ...codecs.split(' '), '-f', 'whip', `${way.origin}/whip/main`]);
  await until('somebody publishes', async () => (await publishers(server)).main?.tracks.length === 2);
  await sleep(20_000);
  const [{ offer, answer }] = way.sessions;
  const [, ssrc] = /m=video[^]*?a=ssrc:(\d+)/.exec(offer);
  const [, type] = /m=video \d+ \S+ (\d+)/.exec(answer);
  const [, ufrag] = /a=ice-ufrag:(\S+)/.exec(answer);
  const look = async () => ({ memory: await residentBytes(server.process.pid), vitals: (await publishers(server)).main });
  const steps = [['before', await look()]];
  let sent = {};
  for (const half of ['after the first half', 'after the second half']) {
    const args = [server.webrtc, from, ufrag, ssrc, type, JUNK / 2, JUNK_PER_SECOND];
    const counted = JSON.parse(await run('python3', [join(HERE, 'whip/strangers.py'), ...args]));
    sent = Object.fromEntries(Object.entries(counted).map(([kind, count]) => [kind, (sent[kind] ?? 0) + count]));
    steps.push([half, await look()]);
  }
  const dropped = Object.entries(await metrics(server)).filter(([name, count]) => name.includes('dropped_datagrams_total') && count > 0);
  await end(feed);
  way.end();
  await end(server.process);
  const rows = steps.map(([when, { memory, vitals: { link, gaps, discarded_samples: discarded, tracks, timestamp_jumps: jumps } }]) => [
    when, `${(memory / 1e6).toFixed(1)} MB`, link.received_packets, link.lost_packets, tracks[0].samples, gaps, discarded, jumps,
  ]);
  const kinds = Object.entries(sent).map(([kind, count]) => [kind, count]);
  return `${table(['', 'memory', 'packets', 'lost', 'pictures', 'gaps', 'samples discarded', 'jumps'], rows)}\n\n${table(['sent', ''], kinds)}\n\n`
    + `Dropped: ${dropped.map(([name, count]) => `\`${name}\` ${count}`).join(', ')}.`;
}

/** Sessions that nobody connects, from many addresses of this machine; twice, as a first time fills what is kept for later. */
async function abandoned() {
  const server = await serve(binaries, folder.path);
  const offer = await readFile(join(HERE, '../fixtures/whip/chromium-156.sdp'), 'utf8');
  const look = async (when) => {
    const counted = await metrics(server);
    const there = Object.keys(await publishers(server)).length;
    return [when, `${((await residentBytes(server.process.pid)) / 1e6).toFixed(1)} MB`, there, counted.touchline_ingest_open_connections];
  };
  const rows = [await look('before')];
  for (const time of ['first', 'second', 'third']) {
    const posts = Array.from({ length: ABANDONED }, (_, index) => post(server, `c${index}`, offer, `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`));
    const taken = (await Promise.all(posts)).filter((status) => status === 201).length;
    rows.push(await look(`${time} time, ${taken} of ${ABANDONED} taken`));
    await sleep(CONNECT_MS);
    rows.push(await look(`${CONNECT_MS / 1_000} s later`));
  }
  await end(server.process);
  return table(['', 'memory', 'publishers', 'open connections'], rows);
}

function post({ watch }, channel, body, localAddress) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/sdp', 'content-length': Buffer.byteLength(body) };
    const asking = request(`${watch}/whip/${channel}`, { method: 'POST', headers, localAddress, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    });
    asking.on('error', reject).end(body);
  });
}

/** Median, 95th percentile, most. */
function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(0);
  return `${at(0.5)}, ${at(0.95)}, ${at(1)}`;
}
