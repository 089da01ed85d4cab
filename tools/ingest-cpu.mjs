#!/usr/bin/env node
// What it takes to receive feeds of 720p30 at 3 Mb/s, next to servers that do nothing else: docs/ingest-cpu.md is what it prints.
//
//   tools/ingest-cpu.mjs target/release [--seconds 20] [--feeds 1,20] [--protocols RTMP,SRT,WHIP] [--mediamtx FILE] > docs/ingest-cpu.md
//
// Needs ffmpeg, nginx with its RTMP module, srt-live-transmit, ffmpeg 9 for WHIP (tools/ffmpeg-9), and the MediaMTX that it is to be
// compared with there, if it is to be:
//   tools/need ffmpeg:ffmpeg nginx:nginx-light libnginx-mod-rtmp srt-live-transmit:srt-tools
// The machine should have nothing else to do: the page says how busy it was.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  cpuSeconds, encode, end, machine, need, publish, publishers, residentBytes, run, serve, sleep, srtUrl, start, table, temporary, until,
} from './server.mjs';

const FFMPEG_9 = fileURLToPath(new URL('ffmpeg-9', import.meta.url));
const NGINX_RTMP = '/usr/lib/nginx/modules/ngx_rtmp_module.so';
/** From the last feed's beginning on, until what a beginning takes is over. */
const SETTLE_MS = 5_000;
/** Between two feeds that begin, so that their keyframes do not come together. */
const STAGGER_MS = 100;
/** A connection that was taken shows within it whether it is kept. */
const KEPT_MS = 500;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '20' }, feeds: { type: 'string', default: '1,20' },
    protocols: { type: 'string', default: 'RTMP,SRT,WHIP' }, mediamtx: { type: 'string' },
  },
});
const [binaries] = positionals;
const seconds = Number(values.seconds);
const counts = values.feeds.split(',').map(Number);
if (!binaries || !(seconds >= 1) || !counts.every((count) => Number.isInteger(count) && count >= 1)) {
  console.error('Usage: tools/ingest-cpu.mjs FOLDER-OF-THE-BINARIES [--seconds N] [--feeds N,N...] [--protocols P,P...] [--mediamtx FILE]');
  process.exit(2);
}
const protocols = values.protocols.split(',');
await need(join(binaries, 'touchline'), ...(protocols.includes('RTMP') ? [NGINX_RTMP] : []));

/** What MediaMTX is to do with what it receives: nothing, or the same as we. */
const NOTHING = 'hls: no';
const LL_HLS = 'hls: yes\nhlsAlwaysRemux: yes\nhlsVariant: lowLatency\nhlsSegmentCount: 15\nhlsSegmentDuration: 2s\nhlsPartDuration: 200ms';

/** Who receives, by protocol. Each begins a server for so many feeds, and says what to call and when all are taken. */
const SERVERS = [
  { protocol: 'RTMP', name: 'touchline', format: 'flv', begin: () => touchline(({ rtmp }, channel) => `${rtmp}/${channel}`) },
  { protocol: 'RTMP', name: 'nginx-rtmp', format: 'flv', begin: nginx },
  { protocol: 'SRT', name: 'touchline', format: 'mpegts', begin: () => touchline(({ srt }, channel) => srtUrl(srt, `publish:${channel}`)) },
  { protocol: 'SRT', name: 'srt-live-transmit', format: 'mpegts', begin: liveTransmit },
  { protocol: 'WHIP', name: 'touchline', format: 'whip', begin: () => touchline(({ watch }, channel) => `${watch}/whip/${channel}`) },
  ...(values.mediamtx ? [
    { protocol: 'WHIP', name: 'MediaMTX, no HLS', format: 'whip', begin: () => mediamtx(NOTHING) },
    { protocol: 'WHIP', name: 'MediaMTX, LL-HLS', format: 'whip', begin: () => mediamtx(LL_HLS) },
  ] : []),
].filter(({ protocol }) => protocols.includes(protocol));

const folder = await temporary('ingest-cpu');
try {
  const file = await encode(folder.path, 30);
  const forWhip = protocols.includes('WHIP') && { file: await encode(folder.path, 30, 'WHIP'), ffmpeg: (await run(FFMPEG_9, [])).trim() };
  const { size, duration } = JSON.parse(await run('ffprobe', ['-v', 'error', '-show_entries', 'format=size,duration', '-of', 'json', file])).format;
  const measured = [];
  for (const count of counts) {
    for (const server of SERVERS) {
      console.error(`ingest-cpu: ${count} by ${server.protocol} into ${server.name}`);
      measured.push({ ...server, count, ...(await measure(server, count, server.protocol === 'WHIP' ? forWhip : { file })) });
    }
  }
  console.log(page(measured, (size * 8) / duration));
} finally {
  await folder.end();
}
process.exit(0);

/** Processor time of a server while so many feeds go on. */
async function measure({ name, format, begin }, count, { file, ffmpeg }) {
  const server = await begin(count);
  const feeds = [];
  for (let index = 0; index < count; index++) {
    feeds.push(publish(file, [format, server.url(`feed${index}`, index)], { ffmpeg }));
    await sleep(STAGGER_MS);
    // The server has few at a time that have not connected, of one address.
    if (format === 'whip') await until(`feed ${index + 1} is taken by ${name}`, () => server.taken(index + 1));
  }
  await until(`${count} feeds are taken by ${name}`, () => server.taken(count));
  await sleep(SETTLE_MS);
  const used = async () => (await Promise.all(server.processes.map(({ pid }) => cpuSeconds(pid)))).reduce((sum, one) => sum + one, 0);
  const [cpuBefore, machineBefore, began] = [await used(), await machine(), performance.now()];
  await sleep(seconds * 1_000);
  const [cpu, busy, took] = [(await used()) - cpuBefore, (await machine()).since(machineBefore), (performance.now() - began) / 1_000];
  const memory = (await Promise.all(server.processes.map(({ pid }) => residentBytes(pid)))).reduce((sum, one) => sum + one, 0);
  const gone = feeds.filter((feed) => feed.exitCode !== null);
  if (gone.length > 0 || !(await server.taken(count))) throw new Error(`${name} has lost feeds: ${gone.map(({ said }) => said).join('\n')}`);
  await end(...feeds);
  await end(...server.processes);
  console.error(`ingest-cpu: ${((cpu / took) * 100).toFixed(1)} %`);
  return { percent: (cpu / took) * 100, busy, memory };
}

async function touchline(address) {
  const server = await serve(binaries, folder.path);
  const taken = async (count) => Object.values(await publishers(server)).filter(({ tracks }) => tracks.length === 2).length === count;
  return { processes: [server.process], url: (channel) => address(server, channel), taken };
}

/** MediaMTX by WebRTC alone. */
async function mediamtx(does) {
  const [api, http, udp] = [await freePort(), await freePort(), await freeUdpPort()];
  const config = join(folder.path, `mediamtx-${http}.yml`);
  await writeFile(config, `
logLevel: error
api: yes
apiAddress: 127.0.0.1:${api}
rtsp: no
rtmp: no
srt: no
${does}
${does === NOTHING ? '' : `hlsAddress: 127.0.0.1:${await freePort()}`}
webrtc: yes
webrtcAddress: 127.0.0.1:${http}
webrtcLocalUDPAddress: 127.0.0.1:${udp}
webrtcIPsFromInterfaces: no
webrtcAdditionalHosts: [127.0.0.1]
paths:
  all_others:
`);
  // It leaves keys where it runs.
  const server = start('env', ['-C', folder.path, resolve(values.mediamtx), config]);
  await until('MediaMTX listens', () => accepts(http));
  const taken = async (count) => {
    const { items } = await (await fetch(`http://127.0.0.1:${api}/v3/paths/list?itemsPerPage=1000`)).json();
    return items.filter(({ ready }) => ready).length === count;
  };
  return { processes: [server], url: (channel) => `http://127.0.0.1:${http}/${channel}/whip`, taken };
}

/** nginx with its RTMP module, one worker, which takes feeds and does nothing with them. */
async function nginx() {
  const port = await freePort();
  const home = join(folder.path, `nginx-${port}`);
  await mkdir(home);
  const config = join(home, 'nginx.conf');
  await writeFile(config, `
load_module ${NGINX_RTMP};
daemon off;
worker_processes 1;
pid ${home}/pid;
error_log ${home}/error.log error;
events {}
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${port};
    application live { live on; }
  }
}
`);
  const master = start('nginx', ['-p', home, '-e', join(home, 'error.log'), '-c', config]);
  await until('nginx listens', () => accepts(port));
  return { processes: [master], url: (channel) => `rtmp://127.0.0.1:${port}/live/${channel}`, taken: connected(port) };
}

/** A srt-live-transmit for each feed, for it takes one: what it receives goes to a UDP port where nobody listens. */
async function liveTransmit(count) {
  const ports = await Promise.all(Array.from({ length: count }, freeUdpPort));
  const sink = await freeUdpPort();
  const processes = ports.map((port) =>
    start('srt-live-transmit', ['-q', '-a:no', '-chunk:1316', `srt://127.0.0.1:${port}?mode=listener`, `udp://127.0.0.1:${sink}`]),
  );
  await sleep(KEPT_MS);
  const taken = async () => processes.every(({ exitCode }) => exitCode === null);
  return { processes, url: (_, index) => srtUrl(`127.0.0.1:${ports[index]}`, 'publish:main'), taken };
}

/** Tells whether so many connections to a port are established, by the kernel's list of the listener's side. */
function connected(port) {
  return async (count) => {
    const list = await run('ss', ['-Htn', 'state', 'established', 'sport', '=', `:${port}`]);
    return list.split('\n').filter(Boolean).length === count;
  };
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => resolve(socket.destroy() && true)).on('error', () => resolve(false));
  });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

async function freeUdpPort() {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

function page(measured, bitrate) {
  const [{ model }] = cpus();
  const rows = measured.map(({ protocol, name, count, percent, memory, busy }) => {
    const peer = measured.find((other) => other.protocol === protocol && other.count === count && other.name !== 'touchline');
    return [
      protocol, name, count, `${percent.toFixed(1)} %`, `${(percent / count).toFixed(2)} %`, peer?.percent > 0 ? (percent / peer.percent).toFixed(2) : '-',
      `${(memory / 1e6).toFixed(0)} MB`, `${(busy * 100).toFixed(0)} %`,
    ];
  });
  return `# What it takes to receive

Processor time of servers that receive feeds of 720p30 at ${(bitrate / 1e6).toFixed(1)} Mb/s in all, with a keyframe every two seconds and AAC,
over ${seconds} s each, on ${cpus().length} processors (${model.trim()}). Made by \`tools/ingest-cpu.mjs\`.

\`touchline\` passes sources through (\`--ladder off\`), and does all that viewers need: it takes the feeds apart, checks their times, cuts parts and
segments, keeps a window of 30 s, and writes playlists. \`nginx-rtmp\` has nobody to send to, and does nothing with what it receives;
a \`srt-live-transmit\` for each feed sends it on to a UDP port where nobody listens. Feeds by WHIP have Opus in place of AAC, and no B-frames;
\`MediaMTX\` does nothing with them, or makes Low-Latency HLS of the same parts, segments and window.

${table(['protocol', 'server', 'feeds', 'of a core', 'of a core, each', 'to the peer', 'memory', 'machine busy'], rows)}`;
}
