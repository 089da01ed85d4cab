/*! Contains hls.js, licensed under the Apache License 2.0: https://github.com/video-dev/hls.js */
// Playback by hls.js in low-latency mode.

import Hls from 'hls.js';

import { BitrateMeter } from './bitrate.js';
import { bufferAhead } from './buffer.js';
import { sign } from './cmcd.js';
import { pace } from './pace.js';
import { RateControl } from './rate-control.js';
import { names } from './renditions.js';
import { SteeringControl } from './steering-control.js';

/** @typedef {import('./session.js').Outcome} Outcome */
/** @typedef {import('./session.js').Playback} Playback */

/** A media error that comes back this soon after a recovery is not going to be recovered from. */
const RECOVERY_HOLDS_MS = 5_000;

/** How often the pace is looked after, in milliseconds. */
const PACE_EVERY_MS = 100;
/** How much further from the edge to stay for each stall, in seconds. */
const STALL_LESSON_S = 0.2;

/** A programme whose playlist has ended is over when the picture stands still this long, in milliseconds. */
const OVER_AFTER_MS = 1_000;

export const supported = () => Hls.isSupported();

/**
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @param {string | null} id of the viewer's session; null: nothing is said of it
 * @returns {Playback}
 */
export function play(video, url, id = null) {
  const hls = new Hls({
    lowLatencyMode: true,
    abrController: /** @type {any} */ (RateControl),
    contentSteeringController: /** @type {any} */ (SteeringControl),
    xhrSetup: id === null ? undefined : (request, target) => sign(request, target, id),
    // Held playlist requests end with 503 while a publisher is away. It may well return, so keep asking; a channel that is
    // gone answers 404, which is not asked again.
    playlistLoadPolicy: policy(60),
    fragLoadPolicy: policy(6),
    backBufferLength: 30,
    liveSyncOnStallIncrease: STALL_LESSON_S,
  });
  const rate = /** @type {RateControl} */ (/** @type {any} */ (hls).abrController);
  const bitrate = new BitrateMeter();
  /** @type {import('./stats.js').Rendition[]} */ let renditions = [];
  /** @type {string | null} */ let choice = null;
  /** @type {string[]} */ const errors = [];
  let lastMediaAt = performance.now();
  let recoveredAt = -Infinity;
  /** @type {(outcome: Outcome) => void} */ let settle = () => {};
  const done = new Promise((/** @type {(outcome: Outcome) => void} */ resolve) => (settle = resolve)).finally(() => {
    clearInterval(pacer);
    video.playbackRate = 1;
    video.removeEventListener('ended', onEnded);
    hls.destroy();
  });

  const onEnded = () => settle({ kind: 'ended' });
  video.addEventListener('ended', onEnded);

  let [position, movedAt, helped, jumped] = [-1, 0, 0, false];
  const pacer = setInterval(() => {
    const now = performance.now();
    const pausedByViewer = video.paused && video.played.length > 0;
    const still = video.currentTime === position && video.buffered.length > 0 && !pausedByViewer;
    if (!still) [position, movedAt, helped, jumped] = [video.currentTime, now, jumped ? helped : 0, false];
    const live = hls.latestLevelDetails?.live ?? true;
    // The last frames of sound and picture seldom end together, and then the video does not say that it has ended.
    if (!live && now - movedAt > OVER_AFTER_MS) return settle({ kind: 'ended' });
    const aim = hls.liveSyncPosition;
    if (aim === null || !live || video.buffered.length === 0 || pausedByViewer) return;
    const { jump, rate } = pace({ behind: aim - position, buffer: bufferAhead(video), standingStillMs: now - movedAt, helped });
    if (jump > 0) {
      video.currentTime += jump;
      [helped, jumped] = [helped + 1, true];
    }
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }, PACE_EVERY_MS);

  hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag, part, stats }) => {
    lastMediaAt = performance.now();
    bitrate.add(frag.type, stats.total, (part ?? frag).duration);
  });

  const choose = () => {
    const level = renditions.find(({ name }) => name === choice)?.level;
    rate.fixed = level ?? null;
  };
  const list = () => {
    const variant = (/** @type {import('hls.js').Level} */ { videoCodec: codec, audioCodec: sound, averageBitrate: bitrate }) => ({ codec, sound, bitrate });
    const named = names(hls.levels.map((level) => ({ ...sizeOf(level), ...variant(level) })));
    renditions = hls.levels.map(({ averageBitrate }, level) => ({ name: named[level] ?? '', bitrate: averageBitrate, level }));
    renditions.reverse();
    choose();
  };
  hls.on(Hls.Events.MANIFEST_PARSED, list);
  hls.on(Hls.Events.LEVELS_UPDATED, list);

  hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    // A programme that was over before anything was seen of it.
    if (!details.live && video.readyState === 0) settle({ kind: 'ended' });
  });

  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, error, response }) => {
    errors.push(`${fatal ? 'fatal ' : ''}${details}: ${error.message}`);
    if (!fatal) return;
    if (response?.code === 404 || response?.code === 410) {
      settle({ kind: 'absent' });
    } else if (type === Hls.ErrorTypes.MEDIA_ERROR && performance.now() - recoveredAt > RECOVERY_HOLDS_MS) {
      recoveredAt = performance.now();
      hls.recoverMediaError();
    } else {
      settle({ kind: 'failed', reason: details });
    }
  });

  hls.loadSource(url);
  hls.attachMedia(video);

  return {
    done,
    abandon: (reason) => settle({ kind: 'failed', reason }),
    lastMediaAt: () => lastMediaAt,
    choose: (name) => {
      choice = name;
      choose();
    },
    seekToLive: () => {
      if (hls.liveSyncPosition !== null) video.currentTime = hls.liveSyncPosition;
    },
    readings: () => ({
      player: `hls.js ${Hls.version}`,
      live: hls.latestLevelDetails?.live ?? false,
      programDate: hls.playingDate?.getTime() ?? null,
      edgeLatency: hls.latestLevelDetails ? hls.latency : null,
      targetLatency: hls.targetLatency,
      bitrate: bitrate.bitsPerSecond(),
      frameRate: hls.levels[hls.currentLevel]?.frameRate || null,
      renditions,
      rendition: renditions.find(({ level }) => level === hls.currentLevel)?.name ?? null,
      fixed: rate.fixed !== null,
      throughput: rate.throughput,
      errors,
    }),
  };
}

/** @param {import('hls.js').Level} level */
function sizeOf({ width, height, frameRate }) {
  return { width: width || 0, height: height || 0, frameRate: frameRate || 0 };
}

/** @param {number} retries */
function policy(retries) {
  return {
    default: {
      maxTimeToFirstByteMs: 15_000,
      maxLoadTimeMs: 30_000,
      timeoutRetry: { maxNumRetry: 4, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry: retries, retryDelayMs: 500, maxRetryDelayMs: 1_000 },
    },
  };
}
