// What the pages' pure parts say and count.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BitrateMeter } from '../src/bitrate.js';
import { channelOf, describe } from '../src/channel.js';
import { behindLive } from '../src/latency.js';
import { noticeFor } from '../src/notice.js';
import { pace } from '../src/pace.js';
import { probe } from '../src/probe.js';
import { StallMeter } from '../src/stalls.js';

test('a watch page knows its channel from its address', () => {
  assert.equal(channelOf('/watch/main'), 'main');
  assert.equal(channelOf('/watch/main/'), 'main');
  assert.equal(channelOf('/watch/caf%C3%A9-1'), 'café-1');
});

test('a channel is described by what is known of it', () => {
  const now = Date.parse('2026-11-22T22:05:30Z');
  const all = { name: 'main', since: '2026-11-22T20:00:00Z', width: 1280, height: 720, frame_rate: 29.97002997, codecs: ['avc1.64001f', 'mp4a.40.2'] };
  assert.equal(describe(all, now), '1280 × 720 at 29.97 fps · H.264 + AAC · live for 2 h 5 min');
  assert.equal(describe({ name: 'main' }, now), '');
  assert.equal(describe({ name: 'main', codecs: ['theora'], since: '2026-11-22T22:05:00Z' }, now), 'theora · live for less than a minute');
});

test('the bitrate is that of the last seconds, of all tracks together', () => {
  const meter = new BitrateMeter();
  assert.equal(meter.bitsPerSecond(), null);
  for (let part = 0; part < 100; part += 1) meter.add('main', 75_000, 0.2);
  for (let part = 0; part < 100; part += 1) meter.add('audio', 3_200, 0.2);
  assert.equal(Math.round(meter.bitsPerSecond()), 3_128_000);
  for (let part = 0; part < 41; part += 1) meter.add('main', 25_000, 0.2);
  assert.equal(Math.round(meter.bitsPerSecond()), 1_128_000);
});

test('a picture that stands still is one stall for as long as it lasts', () => {
  const meter = new StallMeter();
  const look = (now, position, expected = true) => meter.sample(now, position, expected);
  for (let now = 0; now <= 1000; now += 100) look(now, now / 1000);
  assert.equal(meter.count, 0);
  for (let now = 1100; now <= 2000; now += 100) look(now, 1);
  assert.equal(meter.standingStill(2000), 1000);
  look(2100, 1.1);
  look(2200, 1.2);
  assert.deepEqual([meter.count, meter.totalMs, meter.standingStill(2200)], [1, 1100, 0]);
});

test('a picture that stands still because it is paused is no stall', () => {
  const meter = new StallMeter();
  meter.sample(0, 1, true);
  for (let now = 100; now <= 5000; now += 100) meter.sample(now, 1, false);
  assert.deepEqual([meter.count, meter.totalMs, meter.standingStill(5000)], [0, 0, 0]);
});

test('latency is told by the programme date, or by the distance to the edge where that makes no sense', () => {
  assert.equal(behindLive(10_000, 8_900, 0.6), 1.1);
  assert.equal(behindLive(10_000, null, 0.6), 0.6);
  assert.equal(behindLive(10_000, 10_500, 0.6), 0.6, 'the clock of the viewer is slow');
  assert.equal(behindLive(1e12, 8_900, 0.6), 0.6, 'the clock of the viewer is years ahead');
  assert.equal(behindLive(10_000, NaN, null), null);
});

test('a picture too far behind jumps within what is buffered, a little behind it hurries, too near it dawdles', () => {
  const moving = (behind, buffer) => pace({ behind, buffer, standingStillMs: 0 });
  assert.deepEqual(moving(1.8, 2.4), { jump: 1.8, rate: 1 });
  assert.deepEqual(moving(1.8, 1.5), { jump: 1.3, rate: 1 });
  assert.deepEqual(moving(1.8, 0.4), { jump: 0, rate: 1.1 }, 'what is not there cannot be jumped to');
  assert.deepEqual(moving(0.3, 0.9), { jump: 0, rate: 1.06 });
  assert.deepEqual(moving(0.04, 0.6), { jump: 0, rate: 1 });
  assert.deepEqual(moving(-0.4, 0.2), { jump: 0, rate: 0.92 });
  assert.deepEqual(moving(-9, 0), { jump: 0, rate: 0.9 });
});

test('a picture that stands still jumps to where there is more to play, and only there', () => {
  const standing = (behind, buffer, standingStillMs) => pace({ behind, buffer, standingStillMs }).jump;
  assert.equal(standing(0.8, 0.1, 800), 0.8);
  assert.equal(standing(0.8, 0.1, 500), 0, 'it may move by itself yet');
  assert.equal(standing(0.1, 0.1, 5_000), 0, 'the publisher is away');
});

test('nothing is said over a picture that moves', () => {
  assert.equal(noticeFor({ channel: 'main', phase: 'playing', standingStillMs: 0, silentMs: 9_000 }).kind, 'none');
  assert.equal(noticeFor({ channel: 'main', phase: 'playing', standingStillMs: 300, silentMs: 9_000 }).kind, 'none');
});

test('a standing picture is told as lost when nothing arrives, as buffering when something does', () => {
  const title = (silentMs) => noticeFor({ channel: 'main', phase: 'playing', standingStillMs: 1_000, silentMs }).title;
  assert.equal(title(2_000), 'Signal lost');
  assert.equal(title(100), 'Buffering');
});

test('how to publish is shown only where nobody does', () => {
  const phases = ['connecting', 'playing', 'absent', 'ended', 'unreachable', 'failed', 'unsupported'];
  const shown = phases.filter((phase) => noticeFor({ channel: 'main', phase, standingStillMs: 0, silentMs: 0 }).howToPublish);
  assert.deepEqual(shown, ['absent']);
});

test('a channel is live when a media playlist of it goes on', async (context) => {
  const MULTIVARIANT = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo/index.m3u8\n';
  const answers = {
    '/live/on/index.m3u8': [200, MULTIVARIANT],
    '/live/on/video/index.m3u8': [200, '#EXTM3U\n#EXTINF:2,\na.mp4\n'],
    '/live/over/index.m3u8': [200, MULTIVARIANT],
    '/live/over/video/index.m3u8': [200, '#EXTM3U\n#EXTINF:2,\na.mp4\n#EXT-X-ENDLIST\n'],
    '/live/half/index.m3u8': [200, MULTIVARIANT],
    '/live/starting/index.m3u8': [200, '#EXTM3U\n'],
    '/live/broken/index.m3u8': [500, ''],
  };
  context.mock.method(globalThis, 'fetch', async (url) => {
    const { pathname } = new URL(url, 'http://127.0.0.1');
    if (pathname.startsWith('/live/down/')) throw new TypeError('Failed to fetch');
    const [status, text] = answers[pathname] ?? [404, ''];
    return { status, ok: status === 200, text: async () => text };
  });
  globalThis.location = new URL('http://127.0.0.1/watch/main');
  const find = (channel) => probe(`/live/${channel}/index.m3u8`, AbortSignal.timeout(1_000));
  const found = {};
  for (const channel of ['on', 'over', 'half', 'starting', 'broken', 'down', 'nowhere']) found[channel] = await find(channel);
  assert.deepEqual(found, {
    on: 'live',
    over: 'ended',
    half: 'absent',
    starting: 'absent',
    broken: 'unreachable',
    down: 'unreachable',
    nowhere: 'absent',
  });
});
