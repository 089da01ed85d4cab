#!/usr/bin/env node
// What viewers cost a server, next to other servers of Low-Latency HLS, which take turns: docs/crowd.md is what it prints.
//
//   tools/crowd.mjs target/release --into crowd.jsonl --parts 200,500 --viewers 100,500,1000 [--multimux FILE] [--mediamtx FILE]
//   tools/crowd.mjs --page crowd.jsonl > docs/crowd.md
//
// Needs ffmpeg (tools/need ffmpeg:ffmpeg), and as many open files as viewers take: `ulimit -n 65536` before it. The other servers are
// programs of yours: https://crates.io/crates/multimux-cli and https://mediamtx.org. What is measured is added to the file line by line, so
// that long series can be made in pieces. The machine should have nothing else to do: the page says how busy it was.

import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode, end, need, publish, run, serve, sleep, start, table, temporary, until } from './server.mjs';

/** Segments of all servers are as long, which is the feed's keyframe interval. */
const SEGMENT_SECONDS = 2;
/** From the feed's beginning on, until each server has as many segments as it lists. */
const SETTLE_MS = 16_000;
/** More viewers than these of a hundred who stalled, or parts later than their own length one time in a hundred: it is broken. */
const BROKEN_SHARE = 0.01;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    into: { type: 'string' }, page: { type: 'string' }, multimux: { type: 'string' }, mediamtx: { type: 'string' },
    parts: { type: 'string', default: '200,500' }, viewers: { type: 'string', default: '100,500,1000,2000' },
    seconds: { type: 'string', default: '20' }, ramp: { type: 'string', default: '10' }, servers: { type: 'string' },
  },
});
const numbers = (text) => text.split(',').map(Number);
const [binaries] = positionals;
const [parts, counts, [seconds, ramp]] = [numbers(values.parts), numbers(values.viewers), numbers(`${values.seconds},${values.ramp}`)];
const whole = [...parts, ...counts, seconds, ramp].every((number) => Number.isInteger(number) && number >= 1);
if (values.page) {
  console.log(page((await readFile(values.page, 'utf8')).trim().split('\n').map((line) => JSON.parse(line))));
  process.exit(0);
}
if (!binaries || !values.into || !whole) {
  console.error(`Usage: tools/crowd.mjs FOLDER-OF-THE-BINARIES --into FILE [--parts MS,MS...] [--viewers N,N...] [--seconds N] [--ramp N]
       [--multimux FILE] [--mediamtx FILE] [--servers NAME,NAME...]
       tools/crowd.mjs --page FILE`);
  process.exit(2);
}

/** Who serves. Each begins a server with parts of so many milliseconds, and says where it is fed and watched. */
const SERVERS = [
  { name: 'touchline', begin: touchline },
  { name: 'multimux', program: values.multimux, begin: multimux },
  { name: 'MediaMTX', program: values.mediamtx, begin: mediamtx },
].filter(({ name, program }) => (program || name === 'touchline') && (!values.servers || values.servers.split(',').includes(name)));
await need(join(binaries, 'touchline'), join(binaries, 'touchline-loadtest'), ...SERVERS.flatMap(({ program }) => program ?? []));

const folder = await temporary('crowd');
try {
  const file = await encode(folder.path, 30);
  for (const part of parts) {
    for (const viewers of counts) {
      for (const server of SERVERS) {
        console.error(`crowd: ${viewers} viewers of ${part} ms parts at ${server.name}`);
        await appendFile(values.into, `${JSON.stringify(await measure(server, part, viewers, file))}\n`);
      }
    }
  }
} finally {
  await folder.end();
}
process.exit(0);

/** One crowd at one server. */
async function measure({ name, program, begin }, part, viewers, file) {
  const server = await begin(part, program);
  const feed = publish(file, ['flv', server.feed]);
  await until(`${name} has something to watch`, async () => (await fetch(server.url).catch(() => ({}))).ok);
  await sleep(SETTLE_MS);
  const report = join(folder.path, 'report.json');
  const crowd = start(join(binaries, 'touchline-loadtest'), [
    'watch', server.url, '--viewers', viewers, '--ramp', `${ramp}s`, '--duration', `${seconds}s`, '--server-pid', server.process.pid,
    '--source', '127.0.0.0/8', '--report', report,
  ].map(String));
  crowd.stdout.resume();
  const [code] = await once(crowd, 'exit');
  if (code !== 0) throw new Error(`the crowd at ${name} ended with ${code}: ${crowd.said}`);
  const died = server.process.exitCode !== null || feed.exitCode !== null;
  await end(feed, server.process);
  const seen = JSON.parse(await readFile(report, 'utf8'));
  return { name, version: server.version, part, viewers, seconds, died, ...figures(seen) };
}

/** What is kept of a report. */
function figures({ steady, people, server, generator, machine_busy: busy }) {
  const troubles = Object.values(steady.troubles).reduce((sum, one) => sum + one, 0);
  return {
    cpu: server.cpu, cpuPerViewer: server.cpu_us_per_viewer, before: server.resident_before, perViewer: server.resident_per_viewer,
    late: [steady.part.p50_ms, steady.part.p99_ms, steady.part.p999_ms], behind: steady.latency.p50_ms,
    stalls: steady.stall.count, stalled: people.stalled_share, unseen: people.never_played, troubles,
    lag: generator.lag_p99_ms, bottleneck: generator.is_bottleneck, generatorCpu: generator.cpu, busy,
  };
}

async function touchline(part) {
  const config = `[hls]\npart = "${part}ms"\nsegment = "${SEGMENT_SECONDS}s"\n`;
  const server = await serve(binaries, folder.path, config);
  const version = (await run(join(binaries, 'touchline'), ['--version'])).trim().split(' ').pop();
  return { ...server, version, feed: `${server.rtmp}/main`, url: `${server.watch}/live/main/index.m3u8` };
}

/** multimux with sound in a rendition of its own, as the others have it. */
async function multimux(part, program) {
  const [http, rtmp] = [await freePort(), await freePort()];
  const audio = { group_id: 'audio', name: 'audio', language: 'und', default: true, autoselect: true, channels: '2', uri: 'audio.m3u8', characteristics: [] };
  const route = {
    name: 'main', input: { type: 'rtmp', listen: `127.0.0.1:${rtmp}`, app: 'live' }, outputs: ['llhls'],
    audio_renditions: [audio], audio_rendition_sources: [{ index: 0 }],
  };
  const config = {
    bind: `127.0.0.1:${http}`, target_duration_secs: SEGMENT_SECONDS, part_target_ms: part, max_concurrent_requests: 100_000, routes: [route],
  };
  const file = join(folder.path, 'multimux.json');
  await writeFile(file, JSON.stringify(config));
  const process = start(program, ['--config', file]);
  process.stdout.resume();
  const version = (await run(program, ['--version'])).trim().split(' ').pop();
  return { process, version, feed: `rtmp://127.0.0.1:${rtmp}/live/main`, url: `http://127.0.0.1:${http}/main/master.m3u8` };
}

/** MediaMTX with nothing but RTMP and HLS. Each viewer gets a session of its own with its multivariant playlist. */
async function mediamtx(part, program) {
  const [http, rtmp] = [await freePort(), await freePort()];
  const off = ['api', 'metrics', 'pprof', 'playback', 'rtsp', 'webrtc', 'srt', 'moq'].map((name) => `${name}: no`).join('\n');
  const file = join(folder.path, 'mediamtx.yml');
  await writeFile(file, `
logLevel: error
${off}
rtmp: yes
rtmpAddress: 127.0.0.1:${rtmp}
hls: yes
hlsAddress: 127.0.0.1:${http}
hlsVariant: lowLatency
hlsAlwaysRemux: yes
hlsSegmentDuration: ${SEGMENT_SECONDS}s
hlsPartDuration: ${part}ms
paths:
  main:
`);
  const process = start(program, [file]);
  process.stdout.resume();
  const version = (await run(program, ['--version'])).trim().replace(/^v/, '');
  return { process, version, feed: `rtmp://127.0.0.1:${rtmp}/main`, url: `http://127.0.0.1:${http}/main/index.m3u8?cookieCheck=1` };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Whether a crowd was served as it should be. */
function isServed({ died, part, late: [, p99], stalled, unseen, viewers }) {
  return !died && p99 <= part && stalled <= BROKEN_SHARE && unseen / viewers <= BROKEN_SHARE;
}

function page(measured) {
  const [{ model }] = cpus();
  const names = [...new Set(measured.map(({ name, version }) => `${name} ${version}`))].join(', ');
  const lengths = [...new Set(measured.map(({ part }) => part))];
  return `# What viewers cost

Crowds of \`touchline-loadtest watch\` at servers of Low-Latency HLS, one after the other, on ${cpus().length} processors (${model.trim()}) that
server, feed and viewers share. The feed is 720p30 at 3 Mb/s with AAC and a keyframe every two seconds, by RTMP from ffmpeg; segments of
${SEGMENT_SECONDS} s, pictures and sound in renditions of their own, HTTP/1.1 without TLS. Made by \`tools/crowd.mjs\`. Servers: ${names}.

*CPU* is the server's processor time for a viewer and a second, and how many viewers a core would carry at that; *memory* what came to its resident
memory for each. *Late* is from the moment a part should have been there, by the programme's clock, to its last byte at a viewer: half, 99 % and
99.9 % of parts are not later. *Stalled* are viewers whose picture stood still at least once after the last had joined. *Machine* is how busy all processors were,
and *lag* how late the viewers themselves came to their work, one time in a hundred: where it is long, figures are theirs and not the server's.

${lengths.map((part) => section(part, measured.filter((one) => one.part === part))).join('\n\n')}`;
}

function section(part, measured) {
  const ms = (time) => (time < 10 ? time.toFixed(1) : time.toFixed(0));
  const rows = measured.map((one) => [
    one.viewers, one.name, `${(one.cpuPerViewer).toFixed(0)} us`, (1e6 / one.cpuPerViewer).toFixed(0), `${(one.perViewer / 1e3).toFixed(0)} kB`,
    one.late.map(ms).join(' / '), `${(one.stalled * 100).toFixed(1)} %`, one.troubles, `${(one.busy * 100).toFixed(0)} %`, `${ms(one.lag)} ms`,
    isServed(one) ? 'yes' : 'no',
  ]);
  const head = ['viewers', 'server', 'CPU', 'viewers per core', 'memory', 'late p50 / p99 / p99.9 ms', 'stalled', 'failed requests', 'machine', 'lag', 'served'];
  const ends = [...new Set(measured.map(({ name }) => name))].map((name) => {
    const own = measured.filter((one) => one.name === name);
    const most = Math.max(0, ...own.filter(isServed).map(({ viewers }) => viewers));
    const broken = Math.min(...own.filter((one) => !isServed(one) && one.viewers > most).map(({ viewers }) => viewers));
    return `- ${name} served ${most}${Number.isFinite(broken) ? `, and ${broken} no more` : ', the most that were tried'}.`;
  });
  return `## Parts of ${part} ms

${table(head, rows)}

*Served* are those of whom ${BROKEN_SHARE * 100} % at most stalled or saw nothing, and who got 99 % of parts within a part's length:

${ends.join('\n')}`;
}
