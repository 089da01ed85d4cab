#!/usr/bin/env node
// Publishes by SRT over a bad network, and tells what of it arrives: docs/srt.md tells how to read it.
//
//   tools/srt-loss.mjs target/release [--seconds 60] [--only losses|callers|junk]
//
// Needs ffmpeg. All losses are tried at once, with a server for each, so that they have the same machine.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  cpuSeconds, encode, end, metrics, need, publish, publishers, residentBytes, serve, sleep, srtUrl, start, table, temporary, until,
} from './server.mjs';

const LOSSES = [0, 2, 5, 10];
/** In milliseconds: what is agreed on when nobody asks, and four mean round trips of the relay and some. */
const LATENCIES = [null, 400];
const DELAY = ['--delay', '20ms..50ms', '--jitter', '--both-ways'];
const CALLERS = 20;
const JUNK = 50_000;
const JUNK_PER_SECOND = 2_500;
/** Until a window of media is full, so that memory grows no more by itself. */
const WARM_UP_MS = 30_000;
/** Ports that the junk comes from. */
const JUNK_SOCKETS = 100;
const SRT_PACKETS_PER_DATAGRAM = 7;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' } } });
const [binaries] = positionals;
const seconds = Number(values.seconds);
if (!binaries || !(seconds >= 5)) {
  console.error('Usage: tools/srt-loss.mjs FOLDER-OF-THE-BINARIES [--seconds N, 5 or more] [--only losses|callers|junk]');
  process.exit(2);
}
await need(join(binaries, 'touchline'), join(binaries, 'touchline-loadtest'));
const folder = await temporary('srt-loss');
try {
  const file = await encode(folder.path, 30);
  const chapters = {
    losses: [`What is lost in ${seconds} s, at 20 to 50 ms each way with jitter, losses both ways`, losses],
    callers: [`${CALLERS} callers at once, at 2 % loss and 400 ms of latency, ${seconds} s`, callers],
    junk: [`${JUNK} datagrams of junk beside a stream`, junk],
  };
  for (const [name, [title, measure]] of Object.entries(chapters)) {
    if (!values.only || values.only === name) console.log(`## ${title}\n\n${await measure(file)}\n`);
  }
} finally {
  await folder.end();
}
process.exit(0);

/** One row for each loss and latency. */
async function losses(file) {
  const cases = LATENCIES.flatMap((latency) => LOSSES.map((loss) => ({ latency, loss })));
  const reference = await serve(binaries, folder.path);
  const results = await Promise.all(cases.map((one, index) => lossy(file, reference, `reference-${index}`, one)));
  await end(reference.process);
  const rows = results.map(({ latency, loss, vitals, cpu, added, relayed }) => {
    const clean = results.find((other) => other.latency === latency && other.loss === 0);
    const { link } = vitals;
    return [
      `${loss} %`, `${Math.round(link.latency_seconds * 1_000)} ms`, relayed.there.lost, relayed.there.overtaken, link.lost_packets,
      link.retransmitted_packets, link.belated_packets, link.belated_packets * SRT_PACKETS_PER_DATAGRAM,
      link.told_gaps ?? 0, vitals.discarded_samples, `${Math.round(link.round_trip_seconds * 1_000)} ms`,
      link.belated_packets > 0 ? '-' : `${Math.round(added)} ms`, `${((cpu / seconds) * 100).toFixed(1)} %`, (cpu / clean.cpu).toFixed(2),
    ];
  });
  const head = ['loss', 'latency', 'datagrams lost', 'overtaken', 'missed at first', 'sent again', 'given up', 'TS packets lost',
    'holes', 'samples discarded', 'round trip', 'added to RTMP', 'of a core', 'to no loss'];
  return table(head, rows);
}

/** A publisher that sends to a server over a bad network, and to another one by RTMP over a good one at the same time. */
async function lossy(file, reference, channel, { latency, loss }) {
  const server = await serve(binaries, folder.path);
  const relay = await bad(server.srt, loss);
  const feed = publish(file, ['flv', `${reference.rtmp}/${channel}`], ['mpegts', srtUrl(relay.address, 'publish:main', latency)]);
  await until(`the publisher at ${loss} % is there`, async () => (await publishers(server)).main?.tracks.length === 2);
  const [direct, late] = [follow(`${reference.watch}/live/${channel}/video/`), follow(`${server.watch}/live/main/video/`)];
  const before = await cpuSeconds(server.process.pid);
  await sleep(seconds * 1_000);
  const cpu = (await cpuSeconds(server.process.pid)) - before;
  const vitals = (await publishers(server)).main;
  direct.stop();
  late.stop();
  await end(feed);
  const relayed = await relay.end();
  await end(server.process);
  if (!vitals) throw new Error(`the publisher at ${loss} % has left: ${feed.said}`);
  return { latency, loss, vitals, cpu, relayed, added: later(await direct.parts, await late.parts) };
}

/** A relay to an SRT listener. */
async function bad(to, loss) {
  const args = ['relay', '127.0.0.1:0', to, '--loss', `${loss}%`, ...DELAY, '--seed', String(loss + 1), '--json'];
  const process = start(join(binaries, 'touchline-loadtest'), args);
  let text = '';
  process.stdout.on('data', (more) => (text += more));
  const [first] = await once(createInterface(process.stderr), 'line');
  const address = / (127\.0\.0\.1:\d+) to /.exec(first)[1];
  return { address, end: async () => (await end(process), JSON.parse(text)) };
}

/**
 * When each part of a rendition came to be listed, by its place on the timeline of the channel, both in milliseconds. The channel has
 * to be young: the places are counted from its first part on.
 */
function follow(rendition) {
  const controller = new AbortController();
  const parts = (async () => {
    const found = [];
    let [place, next] = [0, null];
    let query = '';
    while (!controller.signal.aborted) {
      const answer = await fetch(`${rendition}index.m3u8${query}`, { signal: controller.signal }).catch(() => null);
      const now = performance.now();
      const text = await answer?.text().catch(() => null);
      if (!answer?.ok || !text) {
        if (!controller.signal.aborted) await sleep(20);
        continue;
      }
      const playlist = read(text);
      next ??= playlist.first;
      // Segments that have ended since, and what there is of the one that goes on.
      for (const [number, duration] of playlist.segments) {
        if (number !== next) continue;
        place += duration;
        next += 1;
      }
      found.push([place + playlist.rest, now]);
      query = `?_HLS_msn=${playlist.next}&_HLS_part=${playlist.parts}`;
    }
    return found;
  })();
  return { parts, stop: () => controller.abort() };
}

/** The segments of a playlist by number, and the parts after the last of them; times in milliseconds. */
function read(text) {
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)[1]);
  const segments = [];
  let [rest, parts] = [0, 0];
  for (const line of text.split('\n')) {
    const part = /^#EXT-X-PART:.*DURATION=([\d.]+)/.exec(line);
    const segment = /^#EXTINF:([\d.]+)/.exec(line);
    if (part) [rest, parts] = [rest + Number(part[1]) * 1_000, parts + 1];
    if (segment) {
      segments.push([first + segments.length, Number(segment[1]) * 1_000]);
      [rest, parts] = [0, 0];
    }
  }
  return { first, segments, next: first + segments.length, rest, parts };
}

/** How much later the same parts are listed by one than by the other: the median, in milliseconds. Nothing may be missing in either. */
function later(direct, late) {
  const at = new Map(direct.map(([place, time]) => [Math.round(place), time]));
  const times = late.map(([place, time]) => time - at.get(Math.round(place))).filter((time) => !Number.isNaN(time));
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** Many publishers through one relay. */
async function callers(file) {
  const server = await serve(binaries, folder.path);
  const relay = await bad(server.srt, 2);
  const began = performance.now();
  const feeds = Array.from({ length: CALLERS }, (_, index) => publish(file, ['mpegts', srtUrl(relay.address, `publish:c${index}`, 400)]));
  const all = async () => Object.values(await publishers(server)).filter(({ tracks }) => tracks.length === 2).length === CALLERS;
  await until(`${CALLERS} publish`, all);
  const took = performance.now() - began;
  const before = await cpuSeconds(server.process.pid);
  await sleep(seconds * 1_000);
  const cpu = (await cpuSeconds(server.process.pid)) - before;
  const found = Object.values(await publishers(server));
  await end(...feeds);
  const relayed = await relay.end();
  const memory = await residentBytes(server.process.pid);
  await end(server.process);
  const sum = (figure) => found.reduce((total, publisher) => total + figure(publisher), 0);
  const rows = [
    ['publish at the end', `${found.length} of ${CALLERS}`],
    ['until all had tracks', `${(took / 1_000).toFixed(1)} s`],
    ['bits per second in all', `${(sum((one) => one.bits_per_second) / 1e6).toFixed(1)} M`],
    ['datagrams lost by the relay, there', `${relayed.there.lost} of ${relayed.there.taken}`],
    ['given up', sum(({ link }) => link.belated_packets)],
    ['samples discarded', sum((one) => one.discarded_samples)],
    ['gaps', sum((one) => one.gaps)],
    ['of a core', `${((cpu / seconds) * 100).toFixed(1)} %`],
    ['memory', `${(memory / 1e6).toFixed(0)} MB`],
  ];
  return table(['', ''], rows);
}

/** A publisher, and strangers who send what an SRT listener must not be moved by. */
async function junk(file) {
  const server = await serve(binaries, folder.path, '[publish.keys]\n"*" = "a-key-of-the-house"\n[hls]\nwindow = "12s"\n');
  const [, port] = server.srt.split(':');
  const feed = publish(file, ['mpegts', srtUrl(server.srt, 'publish:main:a-key-of-the-house')]);
  await until('somebody publishes', async () => (await publishers(server)).main?.tracks.length === 2);
  await sleep(WARM_UP_MS);
  const look = async () => ({ memory: await residentBytes(server.process.pid), vitals: (await publishers(server)).main, cpu: await cpuSeconds(server.process.pid) });
  const steps = [['before', await look()]];
  for (const half of ['after the first half', 'after the second half']) {
    await strangers(Number(port), JUNK / 2);
    steps.push([half, await look()]);
  }
  await sleep(15_000);
  steps.push(['15 s later', await look()]);
  const refusals = Object.entries(await metrics(server)).filter(([name, count]) => name.includes('refusals_total') && count > 0);
  await end(feed, server.process);
  const rows = steps.map(([when, { memory, vitals, cpu }]) => [
    when, `${(memory / 1e6).toFixed(1)} MB`, `${cpu.toFixed(1)} s`, vitals.link.received_packets, vitals.link.belated_packets,
    vitals.gaps, vitals.discarded_samples,
  ]);
  const shown = refusals.map(([name, count]) => `\`${name}\` ${count}`).join(', ') || 'nobody';
  return `${table(['', 'memory', 'processor', 'received', 'given up', 'gaps', 'samples discarded'], rows)}\n\nRefused: ${shown}.`;
}

/** Sends junk from many ports: random bytes, and handshakes with a valid cookie in which some bytes are wrong. */
async function strangers(port, count) {
  const sockets = await Promise.all(Array.from({ length: JUNK_SOCKETS }, stranger));
  await Promise.all(sockets.map((socket) => socket.learn(port)));
  for (let sent = 0; sent < count; sent++) {
    const { socket, cookie } = sockets[sent % JUNK_SOCKETS];
    socket.send(sent % 2 ? noise() : mutated(handshake({ cookie, streamId: 'publish:main' })), port, '127.0.0.1');
    if (sent % (JUNK_PER_SECOND / 50) === 0) await sleep(20);
  }
  sockets.forEach(({ socket }) => socket.close());
}

/** A socket that asks the listener for its cookie as any caller does, which a conclusion has to bring. */
async function stranger() {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const self = { socket, cookie: 0 };
  self.learn = async (port) => {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(2_000) });
    socket.send(handshake({}), port, '127.0.0.1');
    const [message] = await answer.catch(() => [null]);
    if (!message) throw new Error('the listener does not answer a caller');
    self.cookie = message.readUInt32BE(44);
    socket.on('message', () => {});
  };
  return self;
}

/**
 * A handshake as callers send it (draft-sharabayko-srt 3.2.1): the induction without a cookie, the conclusion with extensions with one.
 */
function handshake({ cookie, streamId }) {
  const extensions = cookie === undefined ? Buffer.alloc(0) : Buffer.concat([extension(1, capabilities()), extension(5, reversed(streamId))]);
  const packet = Buffer.alloc(64);
  packet.writeUInt32BE(0x80000000, 0);
  packet.writeUInt32BE(cookie === undefined ? 4 : 5, 16);
  // UDT's kind of socket in an induction; the extensions that follow, HSREQ and CONFIG, in a conclusion.
  packet.writeUInt32BE(cookie === undefined ? 2 : 5, 20);
  packet.writeUInt32BE(Math.floor(Math.random() * 2 ** 31), 24);
  packet.writeUInt32BE(1_500, 28);
  packet.writeUInt32BE(8_192, 32);
  packet.writeInt32BE(cookie === undefined ? 1 : -1, 36);
  packet.writeUInt32BE(Math.floor(Math.random() * 2 ** 30), 40);
  packet.writeUInt32BE(cookie ?? 0, 44);
  packet.writeUInt32LE(0x0100007f, 48);
  return Buffer.concat([packet, extensions]);
}

/** An extension block: its kind, its length in words of four bytes, its content. */
function extension(kind, content) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(kind, 0);
  head.writeUInt16BE(content.length / 4, 2);
  return Buffer.concat([head, content]);
}

/** Version 1.5.1, the flags of live mode, and 120 ms both ways. */
function capabilities() {
  const words = Buffer.alloc(12);
  [0x010501, 0xbf, 0x00780078].forEach((word, index) => words.writeUInt32BE(word, index * 4));
  return words;
}

/** Text as SRT sends it: each word of four bytes turned round, and zeros at the end. */
function reversed(text) {
  const padded = Buffer.alloc(Math.ceil(text.length / 4) * 4);
  padded.write(text);
  return padded.swap32();
}

function noise() {
  return crypto.getRandomValues(Buffer.alloc(1 + Math.floor(Math.random() * 1_456)));
}

/** With up to four wrong bytes, and every fourth time with an end that is missing. */
function mutated(packet) {
  for (let changes = Math.floor(Math.random() * 5); changes > 0; changes--) {
    packet[Math.floor(Math.random() * packet.length)] = Math.floor(Math.random() * 256);
  }
  return Math.random() < 0.25 ? packet.subarray(0, Math.floor(Math.random() * packet.length)) : packet;
}
