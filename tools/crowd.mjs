#!/usr/bin/env node
// What it takes to serve a crowd of a stream of 720p30 at 3 Mb/s, for more and more viewers until it breaks: docs/crowd.md is what it prints.
//
//   tools/crowd.mjs target/release [--viewers 100,500,1000] [--parts 200ms,500ms] [--seconds 20] [--http2] [--peers FOLDER] > docs/crowd.md
//
// Needs ffmpeg. With --peers, a folder with `mediamtx` or `multimux` in it, these serve the same file in the same run. The machine should
// have nothing else to do: the page says how busy it was.

import { once } from 'node:events';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode, end, need, publish, run, serve, sleep, start, table, temporary, until } from './server.mjs';

/** From the feed's beginning on, until the window is full enough to watch. */
const SETTLE_MS = 8_000;
/** Between two crowds, so that what one leaves behind is gone. */
const BETWEEN_MS = 3_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    viewers: { type: 'string', default: '100,500,1000,2000' },
    parts: { type: 'string', default: '200ms,500ms' },
    seconds: { type: 'string', default: '20' },
    ramp: { type: 'string', default: '10' },
    http2: { type: 'boolean', default: false },
    peers: { type: 'string' },
    only: { type: 'string' },
  },
});
const [binaries] = positionals;
const [seconds, ramp] = [Number(values.seconds), Number(values.ramp)];
const counts = values.viewers.split(',').map(Number);
if (!binaries || !(seconds >= 5) || !counts.every((count) => Number.isInteger(count) && count >= 1)) {
  console.error('Usage: tools/crowd.mjs FOLDER-OF-THE-BINARIES [--viewers N,N...] [--parts 200ms,500ms] [--seconds N] [--http2] [--peers FOLDER]');
  process.exit(2);
}
await need(join(binaries, 'touchline'), join(binaries, 'touchline-loadtest'));

const folder = await temporary('crowd');
try {
  const file = await encode(folder.path, 30);
  const rows = [];
  for (const part of values.parts.split(',')) {
    for (const server of [{ name: 'touchline', begin: touchline }, ...(await peers())]) {
      if (values.only && server.name !== values.only) continue;
      rows.push(...(await measure(server, part, file)));
    }
  }
  console.log(page(rows));
} finally {
  await folder.end();
}
process.exit(0);

/** One server with crowd after crowd, until one of them cannot be served. */
async function measure({ name, begin }, part, file) {
  const { process: server, url, feed } = await begin(part, file);
  const rows = [];
  try {
    await until(`${name} serves ${url}`, async () => (await fetch(url).catch(() => null))?.ok);
    await sleep(SETTLE_MS);
    for (const viewers of counts) {
      console.error(`crowd: ${viewers} viewers of ${name} with parts of ${part}`);
      const report = await watch(url, viewers, server.pid);
      rows.push({ name, part, viewers, ...report });
      if (report.people.stalled_share > 0.5 || report.people.never_played > viewers / 4) break;
      await sleep(BETWEEN_MS);
    }
  } finally {
    await end(feed, server);
  }
  return rows;
}

/** What so many viewers see. */
async function watch(url, viewers, pid) {
  const file = join(folder.path, 'report.json');
  const flags = ['--viewers', viewers, '--ramp', `${ramp}s`, '--duration', `${seconds}s`, '--server-pid', pid, '--report', file];
  // It exits with 2 when nobody has seen anything, and has written its report then too.
  await run(join(binaries, 'touchline-loadtest'), ['watch', url, ...flags, ...(values.http2 ? ['--http2'] : [])]).catch(() => {});
  return JSON.parse(await readFile(file, 'utf8'));
}

async function touchline(part, file) {
  const server = await serve(binaries, folder.path, `[hls]\npart = "${part}"\n`);
  return { process: server.process, url: `${server.watch}/live/main/index.m3u8`, feed: publish(file, ['flv', `${server.rtmp}/main`]) };
}

/** Other servers that are there. */
async function peers() {
  if (!values.peers) return [];
  const known = [
    { name: 'mediamtx', begin: mediamtx },
    { name: 'multimux', begin: multimux },
  ];
  const there = await Promise.all(known.map(({ name }) => access(join(values.peers, name)).then(() => true, () => false)));
  return known.filter((_, index) => there[index]);
}

async function mediamtx(part, file) {
  const [http, rtmp] = [18_888, 11_935];
  const config = join(folder.path, 'mediamtx.yml');
  const off = ['rtsp', 'webrtc', 'srt', 'api', 'metrics', 'pprof', 'playback', 'moq'].map((name) => `${name}: no`);
  const hls = [`hlsAddress: 127.0.0.1:${http}`, 'hlsVariant: lowLatency', `hlsPartDuration: ${part}`, 'hlsSegmentDuration: 2s', 'hlsAlwaysRemux: yes'];
  await writeFile(config, ['logLevel: error', ...off, `rtmpAddress: 127.0.0.1:${rtmp}`, ...hls, 'paths:', '  all_others:', ''].join('\n'));
  const server = start(join(values.peers, 'mediamtx'), [config]);
  await sleep(1_000);
  const feed = publish(file, ['flv', `rtmp://127.0.0.1:${rtmp}/main`]);
  // It gives each viewer URLs of its own. Here all have those of one, as what each of them asks for is what is compared.
  const own = `http://127.0.0.1:${http}/main/index.m3u8?cookieCheck=1`;
  await until('mediamtx has the channel', async () => (await fetch(own).catch(() => null))?.ok);
  const text = (await (await fetch(own)).text()).replace(/^(?=\w)|(?<=URI=")/gm, new URL('.', own).href);
  const shared = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'application/vnd.apple.mpegurl' }).end(text));
  await once(shared.listen(0, '127.0.0.1').unref(), 'listening');
  return { process: server, url: `http://127.0.0.1:${shared.address().port}/index.m3u8`, feed };
}

async function multimux(part, file) {
  const [http, rtmp] = [18_889, 11_936];
  const config = join(folder.path, 'multimux.json');
  const routes = [{ name: 'main', input: { type: 'rtmp', listen: `127.0.0.1:${rtmp}` }, outputs: ['llhls'] }];
  const bounds = { part_target_ms: parseInt(part, 10), target_duration_secs: 2, max_concurrent_requests: 100_000 };
  await writeFile(config, JSON.stringify({ bind: `127.0.0.1:${http}`, ...bounds, routes }));
  const server = start(join(values.peers, 'multimux'), ['--config', config]);
  await sleep(1_000);
  return { process: server, url: `http://127.0.0.1:${http}/main/master.m3u8`, feed: publish(file, ['flv', `rtmp://127.0.0.1:${rtmp}/live/main`]) };
}

function page(rows) {
  const head = [
    'server', 'parts', 'viewers', 'server: us per viewer and second', 'us per request', 'kB per viewer', 'parts late, ms: p50 / p99 / p99.9',
    'fan-out, ms: p50 / p99', 'startup p95, ms', 'viewers stalled', 'never played', 'behind live p50 / p95, s', 'generator: us per viewer and second', 'its lag p99, ms', 'machine busy',
  ];
  const ms = (value) => value.toFixed(1);
  const lines = rows.map(({ name, part, viewers, steady, whole, people, server, generator, machine_busy: busy }) => [
    name, part, viewers, server?.cpu_us_per_viewer.toFixed(0) ?? '', server?.cpu_us_per_request.toFixed(1) ?? '', server ? (server.resident_per_viewer / 1e3).toFixed(1) : '',
    `${ms(steady.part.p50_ms)} / ${ms(steady.part.p99_ms)} / ${ms(steady.part.p999_ms)}`, `${ms(steady.fan_out.p50_ms)} / ${ms(steady.fan_out.p99_ms)}`,
    ms(whole.startup.p95_ms), `${(people.stalled_share * 100).toFixed(1)} %`, people.never_played, `${(steady.latency.p50_ms / 1e3).toFixed(2)} / ${(steady.latency.p95_ms / 1e3).toFixed(2)}`,
    generator.cpu_us_per_viewer.toFixed(0), ms(generator.lag_p99_ms), `${(busy * 100).toFixed(0)} %`,
  ]);
  return `# What a crowd takes

720p30 in H.264 at 3 Mb/s with AAC, sound and pictures apart, passed through, by HTTP/${values.http2 ? '2' : '1.1'}; viewers as [watch.md](watch.md) describes
them, on the same ${cpus().length} processors (${cpus()[0].model}). Each crowd comes in ${ramp} s and watches for ${seconds} s more, which the figures are of.
Made by \`tools/crowd.mjs\`.

${table(head, lines)}`;
}
