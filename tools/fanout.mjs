#!/usr/bin/env node
// What an origin notices of a crowd behind edges, and how long a part takes from node to node: the tables of docs/fanout.md.
//
//   tools/fanout.mjs target/release [--viewers 100,500,1000] [--seconds 20] [--parts 300] [--write]
//
// --write puts them into the page. Needs ffmpeg. The machine should have nothing else to do: the page says how busy it was.

import { createHash } from 'node:crypto';
import { Agent, get } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { answers, cpuSeconds, edge, encode, end, insert, metrics, need, publish, run, serve, sleep, table, temporary, until } from './server.mjs';

const PAGE = fileURLToPath(new URL('../docs/fanout.md', import.meta.url));
/** After the feed has begun, until the window is full enough to watch. */
const LEAD_IN_MS = 8_000;
const RAMP_S = 5;
/** Edges behind one origin. */
const SHAPES = [1, 3];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    viewers: { type: 'string', default: '100,500,1000' },
    seconds: { type: 'string', default: '20' },
    parts: { type: 'string', default: '300' },
    write: { type: 'boolean', default: false },
  },
});
const [binaries] = positionals;
const [seconds, parts] = [Number(values.seconds), Number(values.parts)];
const counts = values.viewers.split(',').map(Number);
if (!binaries || !(seconds >= 5) || !(parts >= 10) || !counts.every((count) => Number.isInteger(count) && count >= 0)) {
  console.error('Usage: tools/fanout.mjs FOLDER-OF-THE-BINARIES [--viewers N,N...] [--seconds N] [--parts N] [--write]');
  process.exit(2);
}
await need(join(binaries, 'touchline'), join(binaries, 'touchline-loadtest'));

const folder = await temporary('fanout');
try {
  const file = await encode(folder.path, 30);
  const tables = { crowd: await crowds(file), hops: await hops(file) };
  for (const [name, text] of Object.entries(tables)) {
    if (values.write) await insert(PAGE, name, text);
    console.log(`${text}\n`);
  }
} finally {
  await folder.end();
}
process.exit(0);

/** An origin that somebody publishes to, of sound and pictures in parts of 200 ms. */
async function origin(file) {
  const server = await serve(binaries, folder.path);
  const feed = publish(file, ['flv', `${server.rtmp}/main`]);
  await until('the channel is live', () => answers(`${server.watch}/live/main/index.m3u8`));
  return { ...server, feed };
}

function live(node) {
  return until('an edge has the channel', () => answers(`${node.watch}/live/main/index.m3u8`));
}

/** What an origin does for crowds of each size, behind each number of edges. */
async function crowds(file) {
  const rows = [];
  for (const shape of SHAPES) {
    const server = await origin(file);
    const edges = await Promise.all(Array.from({ length: shape }, () => edge(binaries, [server], '--channel', 'main')));
    await Promise.all(edges.map(live));
    await sleep(LEAD_IN_MS);
    for (const viewers of [0, ...counts]) {
      console.error(`fanout: ${viewers} viewers behind ${shape} edge(s)`);
      rows.push([shape, viewers, ...(await crowd(server, edges, viewers))]);
    }
    await end(server.feed, ...edges.map((node) => node.process));
    await end(server.process);
  }
  const head = ['edges', 'viewers', 'requests/s at the edges', 'requests/s at the origin', 'origin sends, Mb/s', 'CPU of the origin, ms each second', 'CPU of the edges, ms each second', 'parts late, ms: p50 / p99', 'stalled'];
  return table(head, rows);
}

async function crowd(server, edges, viewers) {
  const used = () => Promise.all([server, ...edges].map((node) => cpuSeconds(node.process.pid)));
  const counted = () => Promise.all([server, ...edges].map(metrics));
  const [before, cpu, began] = [await counted(), await used(), performance.now()];
  const seen = await Promise.all(edges.map((node, index) => watch(node, Math.floor(viewers / edges.length), index)));
  const took = (performance.now() - began) / 1_000;
  const [after, cpuAfter] = [await counted(), await used()];
  const rate = (index, series) => (sum(after[index], series) - sum(before[index], series)) / took;
  const milliseconds = cpuAfter.map((now, index) => ((now - cpu[index]) / took) * 1e3);
  const there = seen.filter(Boolean);
  const worst = (of) => (there.length ? Math.max(...there.map(of)).toFixed(0) : '');
  return [
    edges.reduce((all, _, index) => all + rate(index + 1, 'touchline_edge_requests_total'), 0).toFixed(0),
    rate(0, 'touchline_edge_requests_total').toFixed(2),
    (rate(0, 'touchline_edge_sent_bytes_total') * 8e-6).toFixed(2),
    milliseconds[0].toFixed(0),
    milliseconds.slice(1).reduce((all, one) => all + one, 0).toFixed(0),
    there.length ? `${worst(({ steady }) => steady.part.p50_ms)} / ${worst(({ steady }) => steady.part.p99_ms)}` : '',
    there.length ? there.reduce((all, { people }) => all + people.stalled, 0) : '',
  ];
}

/** What so many viewers of an edge see; nothing, after the same time, if there are none. */
async function watch(node, viewers, index) {
  if (!viewers) return void (await sleep((RAMP_S + seconds) * 1_000));
  const report = join(folder.path, `crowd-${index}.json`);
  const flags = ['--viewers', viewers, '--ramp', `${RAMP_S}s`, '--duration', `${seconds}s`, '--server-pid', node.process.pid, '--report', report];
  await run(join(binaries, 'touchline-loadtest'), ['watch', `${node.watch}/live/main/index.m3u8`, ...flags]);
  return JSON.parse(await readFile(report, 'utf8'));
}

function sum(counted, name) {
  return Object.entries(counted).filter(([series]) => series === name || series.startsWith(`${name}{`)).reduce((all, [, count]) => all + count, 0);
}

/** How much later than at the origin a part and its playlist are at a relay, and at three edges of that. */
async function hops(file) {
  const server = await origin(file);
  const relay = await edge(binaries, [server], '--channel', 'main');
  await live(relay);
  const edges = await Promise.all([0, 1, 2].map(() => edge(binaries, [relay], '--channel', 'main')));
  await Promise.all(edges.map(live));
  await sleep(LEAD_IN_MS);
  const nodes = [server, relay, ...edges];
  const playlist = `/live/main/video/index.m3u8`;
  const later = nodes.map(() => ({ part: [], playlist: [] }));
  const same = { part: 0, playlist: 0 };
  console.error(`fanout: ${parts} parts by way of a relay`);
  for (let count = 0; count < parts; count++) {
    const { query, hint } = following((await ask(server, playlist)).body.toString());
    for (const [what, path] of [['playlist', `${playlist}?${query}`], ['part', `/live/main/video/${hint}`]].toSorted(() => (count % 2 ? 1 : -1))) {
      const seen = await Promise.all(nodes.map((node) => ask(node, path)));
      if (new Set(seen.map(({ status, body }) => `${status} ${createHash('sha256').update(body).digest('hex')}`)).size === 1) same[what] += 1;
      // What was there already tells nothing of how long it took.
      if (seen[0].took > 5) seen.forEach(({ at }, index) => later[index][what].push(at - seen[0].at));
    }
  }
  await end(server.feed, ...edges.map((node) => node.process));
  await end(relay.process);
  await end(server.process);
  const of = (list) => `${quantile(list, 0.5)} / ${quantile(list, 0.99)}`;
  const rows = nodes.slice(1).map((_, index) => [index ? `edge ${index}, two hops` : 'relay, one hop', of(later[index + 1].playlist), of(later[index + 1].part)]);
  const told = table(['node', 'playlist later, ms: p50 / p99', 'part later, ms: p50 / p99'], rows);
  return `${told}\n\nOf ${parts} playlists that were waited for on all five nodes at once, ${same.playlist} were the same byte for byte everywhere; of ${parts} parts ${same.part}.`;
}

/** The query that waits for the next part of a playlist, and the name of that part. */
function following(text) {
  const lines = text.split('\n');
  const first = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)[1]);
  const segments = lines.filter((line) => line.startsWith('#EXTINF')).length;
  const open = lines.slice(lines.findLastIndex((line) => line.startsWith('#EXTINF')) + 1);
  const index = open.filter((line) => line.startsWith('#EXT-X-PART:')).length;
  return { query: `_HLS_msn=${first + segments}&_HLS_part=${index}`, hint: /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(text)[1] };
}

/** An answer, how long it took, and when its last byte was there, in milliseconds. */
function ask(node, path) {
  const agent = (node.agent ??= new Agent({ keepAlive: true }));
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(`${node.watch}${path}`, { agent }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(pieces), at: performance.now(), took: performance.now() - began }));
    });
    request.on('error', reject);
  });
}

function quantile(list, share) {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1) : '';
}
