// How hls.js is told which rendition to load, beside a player of hls.js that is played here.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';

import Hls from 'hls.js';

import { RateControl } from '../src/rate-control.js';

const PART_S = 0.2;
const SEGMENT_S = 1;
/** As hls.js lists them: the lightest first. */
const LEVELS = [250_000, 1_500_000].map((bitrate) => ({ bitrate, averageBitrate: bitrate, codecSet: 'avc1', videoRange: 'SDR', loadError: 0, fragmentError: 0 }));
const [LIGHT, HEAVY] = [0, 1];

/** What of hls.js a rate control looks at, and a clock that both go by. */
class Player extends EventEmitter {
  now = 0;
  loadLevel = HEAVY;
  nextLoadLevel = -1;
  firstLevel = HEAVY;
  levels = LEVELS.map((level) => ({ ...level, details: { averagetargetduration: SEGMENT_S, endSN: 8, partList: [] } }));
  minAutoLevel = LIGHT;
  maxAutoLevel = HEAVY;
  targetLatency = 0.6;
  mainForwardBufferInfo = { len: 0.5 };
  aborted = 0;

  /** @param {import('node:test').TestContext} context */
  constructor(context) {
    super();
    context.mock.timers.enable({ apis: ['setInterval'] });
    context.mock.method(performance, 'now', () => this.now);
    this.tick = (ms) => {
      for (let passed = 0; passed < ms; passed += 50) {
        this.now += 50;
        context.mock.timers.tick(50);
      }
    };
  }

  /** As that of hls.js, which takes what listeners are called on. */
  on(event, listener, self) {
    return super.on(event, listener.bind(self));
  }

  /** The first part of a segment begins to be loaded, of which those are listed where `keyframes` says if they begin with one. */
  load(keyframes = [true]) {
    const stats = () => ({ loaded: 0, total: 0, loading: { start: this.now, first: 0, end: 0 } });
    const frag = { type: 'main', level: this.loadLevel, sn: 8, start: 8, duration: SEGMENT_S, stats: stats(), abortRequests: () => (this.aborted += 1) };
    const partOf = (independent, index) => ({ index, duration: PART_S, end: frag.start + PART_S * (index + 1), fragment: frag, independent, stats: stats() });
    const partList = keyframes.map(partOf);
    this.levels[this.loadLevel].details.partList = partList;
    this.emit(Hls.Events.FRAG_LOADING, Hls.Events.FRAG_LOADING, { frag, part: partList[0] });
    return { frag, part: partList[0] };
  }

  /** All of it has come in, `ms` after it was asked for. */
  loaded({ frag, part }, bytes, ms) {
    this.now += ms;
    Object.assign(part.stats, { loaded: bytes, total: bytes });
    Object.assign(part.stats.loading, { first: part.stats.loading.start + 1, end: this.now });
    this.emit(Hls.Events.FRAG_LOADED, Hls.Events.FRAG_LOADED, { frag, part });
  }
}

test('where it has left a rendition it stays away until something of another has come in', (context) => {
  const player = new Player(context);
  const control = new RateControl(/** @type {any} */ (player));
  context.after(() => control.destroy());
  for (let part = 0; part < 10; part += 1) player.loaded(player.load(), (LEVELS[HEAVY].bitrate * PART_S) / 8, 20);
  assert.equal(control.nextAutoLevel, HEAVY, 'the way is fast');

  const crawling = player.load();
  Object.assign(crawling.part.stats, { loaded: 5_000, total: 37_500 });
  player.tick(500);
  assert.equal(player.aborted, 1, 'it does not wait for the rest');
  assert.equal(player.nextLoadLevel, LIGHT);
  assert.equal(control.nextAutoLevel, LIGHT, 'hls.js asks before anything has come in');
  player.loadLevel = LIGHT;
  assert.equal(control.nextAutoLevel, LIGHT, 'and again');

  player.loaded(player.load(), (LEVELS[LIGHT].bitrate * PART_S) / 8, 60);
  assert.equal(control.nextAutoLevel, LIGHT, 'one part is no reason to go back to what crawled');
  for (let part = 0; part < 40; part += 1) player.loaded(player.load(), (LEVELS[LIGHT].bitrate * PART_S) / 8, 5);
  assert.equal(control.nextAutoLevel, HEAVY, 'the way is fast again');
});

test('it goes down at a keyframe within a segment, where hls.js loads on without asking', async (context) => {
  const player = new Player(context);
  const control = new RateControl(/** @type {any} */ (player));
  context.after(() => control.destroy());
  const heavy = (LEVELS[HEAVY].bitrate * PART_S) / 8;
  for (let part = 0; part < 10; part += 1) player.loaded(player.load(), heavy, 20);

  for (let part = 0; part < 3; part += 1) player.loaded(player.load([true, false]), heavy, 240);
  await Promise.resolve();
  assert.equal(player.aborted, 0, 'no keyframe follows');
  player.loaded(player.load([true, true]), heavy, 20);
  player.loaded(player.load([true, true]), heavy, 240);
  assert.equal(player.aborted, 0, 'hls.js has not gone on to the next part yet');
  await Promise.resolve();
  assert.equal(player.aborted, 1);
  assert.deepEqual([player.nextLoadLevel, control.nextAutoLevel], [LIGHT, LIGHT]);
});
