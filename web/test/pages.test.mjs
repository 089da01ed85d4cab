// What the pages' pure parts say and count.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BitrateMeter } from '../src/bitrate.js';
import { channelOf, describe } from '../src/channel.js';
import { behindLive } from '../src/latency.js';
import { noticeFor } from '../src/notice.js';
import { pace } from '../src/pace.js';
import { probe } from '../src/probe.js';
import { best, mustLeave } from '../src/rate.js';
import { SwitchMeter, inWords, names } from '../src/renditions.js';
import { StallMeter } from '../src/stalls.js';
import { Throughput } from '../src/throughput.js';

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
  const moving = (behind, buffer) => pace({ behind, buffer, standingStillMs: 0, helped: 0 });
  assert.deepEqual(moving(1.8, 2.4), { jump: 1.8, rate: 1 });
  assert.deepEqual(moving(1.8, 1.5), { jump: 1.3, rate: 1 });
  assert.deepEqual(moving(1.8, 0.4), { jump: 0, rate: 1.1 }, 'what is not there cannot be jumped to');
  assert.deepEqual(moving(1.8, 0.175), { jump: 0, rate: 0.85 }, 'nor hurried to: what there is must last until more comes');
  assert.deepEqual(moving(0.3, 0.9), { jump: 0, rate: 1.06 });
  assert.deepEqual(moving(0.04, 0.6), { jump: 0, rate: 1 });
  assert.deepEqual(moving(-0.4, 0.4), { jump: 0, rate: 0.92 });
  assert.deepEqual(moving(-9, 0.4), { jump: 0, rate: 0.9 });
  assert.deepEqual(moving(0, 0), { jump: 0, rate: 0.7 });
});

test('a picture that stands still jumps to where there is more to play, and only there', () => {
  const standing = (behind, buffer, standingStillMs, helped = 0) => pace({ behind, buffer, standingStillMs, helped }).jump;
  assert.equal(standing(0.8, 0.1, 800), 0.8);
  assert.equal(standing(0.8, 0.1, 500), 0, 'it may move by itself yet');
  assert.equal(standing(0.1, 0.1, 5_000), 0, 'the publisher is away');
  assert.equal(standing(0.8, 0.1, 800, 1), 0, 'what it was helped to is still being loaded');
  assert.equal(standing(0.8, 0.1, 1_500, 1), 0.8);
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

test('renditions are named by their lines, and by what else tells them apart', () => {
  const variant = (height, bitrate, more = {}) => ({ width: Math.round((height * 16) / 9), height, frameRate: 30, bitrate, codec: 'avc1.64001f', ...more });
  assert.deepEqual(names([variant(720, 3_800_000), variant(480, 1_400_000), variant(240, 320_000)]), ['720p', '480p', '240p']);
  assert.deepEqual(names([variant(720, 5_000_000, { frameRate: 60 }), variant(720, 3_000_000), variant(480, 1_000_000)]), ['720p60', '720p30', '480p']);
  assert.deepEqual(names([variant(720, 3_000_000), variant(720, 2_000_000, { codec: 'hvc1.1.6.L93.B0' })]), ['720p H.264', '720p HEVC']);
  const sounds = [variant(720, 3_800_000, { sound: 'mp4a.40.2' }), variant(720, 3_700_000, { sound: 'opus' }), variant(480, 1_400_000, { sound: 'mp4a.40.2' })];
  assert.deepEqual(names(sounds), ['720p AAC', '720p Opus', '480p']);
  assert.deepEqual(names([variant(720, 3_800_000), variant(720, 1_400_000)]), ['720p 3.8 Mb/s', '720p 1.4 Mb/s']);
  assert.deepEqual(names([variant(1280, 3_800_000, { width: 720 })]), ['720p'], 'a picture that stands upright');
  assert.deepEqual(names([variant(0, 640_000, { codec: undefined })]), ['640 kb/s'], 'no resolution is declared');
});

test('a bitrate is told in as many digits as matter', () => {
  assert.deepEqual([64_000, 999_499, 999_500, 3_849_000, 12_300_000].map(inWords), ['64 kb/s', '999 kb/s', '1.0 Mb/s', '3.8 Mb/s', '12 Mb/s']);
});

test('a rendition that is on the screen again after a pause is no switch', () => {
  const meter = new SwitchMeter();
  for (const name of ['720p', '720p', null, '720p', '480p', null, '720p']) meter.sample(name);
  assert.equal(meter.count, 2);
});

/** Parts of 200 ms of a rendition of 1 Mb/s, over a way that carries `rate`. */
function arrive(throughput, count, rate, answerMs = 5) {
  const bytes = 25_000;
  for (let part = 0; part < count; part += 1) {
    throughput.add({ bytes, seconds: 0.2, answerMs, totalMs: answerMs + (8000 * bytes) / rate });
  }
  return throughput.bitsPerSecond();
}

test('the throughput is low within three parts on a way that got slow, and high again within seconds', () => {
  const throughput = new Throughput();
  assert.equal(throughput.bitsPerSecond(), null);
  assert.ok(arrive(throughput, 300, 50e6) > 10e6);
  assert.ok(arrive(throughput, 3, 0.8e6) < 1.2e6, 'a minute of fast parts does not hide three slow ones');
  assert.ok(Math.abs(arrive(throughput, 30, 0.8e6) - 0.8e6) < 0.05e6);
  assert.ok(arrive(throughput, 5, 50e6) < 1.4e6, 'a second of fast parts may be luck');
  assert.ok(arrive(throughput, 25, 50e6) > 5e6);
});

test('the way there and back does not count as throughput, what waits for the line does', () => {
  assert.ok(arrive(new Throughput(), 50, 50e6, 180) > 10e6);
  const queued = new Throughput();
  for (let part = 0; part < 20; part += 1) queued.add({ bytes: 25_000, seconds: 0.2, answerMs: part % 2 ? 5 : 405, totalMs: part % 2 ? 10 : 410 });
  assert.ok(queued.bitsPerSecond() < 1.5e6);
});

test('the best rendition is played that the way carries, with more to spare for one above', () => {
  const rungs = [{ index: 0, bitrate: 0.4e6 }, { index: 1, bitrate: 1.4e6 }, { index: 2, bitrate: 3.8e6 }];
  assert.equal(best(rungs, 2, 4.3e6), 2, 'it stays');
  assert.equal(best(rungs, 1, 4.3e6), 1, 'it does not climb with nothing to spare');
  assert.equal(best(rungs, 1, 5.5e6), 2);
  assert.equal(best(rungs, 0, 20e6), 2, 'not step by step');
  assert.equal(best(rungs, 2, 1.7e6), 1);
  assert.equal(best(rungs, 2, 0.1e6), 0, 'the lowest where nothing is carried');
  assert.equal(best([{ index: 3, bitrate: 1e6 }], 3, 0), 3);
  const light = [{ index: 0, bitrate: 0.4e6 }, { index: 1, bitrate: 1.8e6 }, { index: 2, bitrate: 1.4e6 }];
  assert.equal(best(light, 1, 20e6), 2, 'the better one, though it is lighter');
  assert.equal(best(light, 2, 1.6e6), 2);
});

test('a segment is left only where staying stands still for longer', () => {
  const state = { begins: false, buffer: 0.05, restBits: 200_000, restSeconds: 0.2, followingSeconds: 1.2, segmentSeconds: 2, bitrate: 1e6, lower: 0.3e6 };
  assert.equal(mustLeave({ ...state, throughput: 2e6 }), false);
  assert.equal(mustLeave({ ...state, throughput: 0.96e6 }), false, 'the buffer lasts until the next segment');
  assert.equal(mustLeave({ ...state, throughput: 0.55e6 }), false, 'a second is less than the rest of the segment');
  assert.equal(mustLeave({ ...state, throughput: 0.3e6 }), true);
  assert.equal(mustLeave({ ...state, throughput: 0.1e6, buffer: 0.5 }), false, 'the way may be better than it seems');
  assert.equal(mustLeave({ ...state, throughput: 0.3e6, followingSeconds: 0 }), false, 'the segment is nearly over');
  assert.equal(mustLeave({ ...state, throughput: 0.3e6, lower: 0.9e6 }), false, 'the one below is hardly less');
});

test('at a keyframe, a rung is left as soon as staying would make the picture stand still', () => {
  const state = { begins: true, buffer: 0.7, restBits: 600_000, restSeconds: 0.2, followingSeconds: 1.8, segmentSeconds: 2, bitrate: 1e6, lower: 0.3e6 };
  assert.equal(mustLeave({ ...state, throughput: 1e6 }), false, 'the buffer lasts');
  assert.equal(mustLeave({ ...state, throughput: 0.8e6 }), true, 'it does not last until the end of the segment');
  assert.equal(mustLeave({ ...state, throughput: 1e6, buffer: 0.5 }), true, 'nor until the keyframe is there');
  assert.equal(mustLeave({ ...state, restBits: 60_000, throughput: 0.9e6 }), false, 'it has nearly come in');
  assert.equal(mustLeave({ ...state, throughput: 0.05e6, lower: 0.99e6 }), true);
});
