// The figures beneath the picture, and the same for scripts.

import { bufferAhead } from './buffer.js';
import { behindLive } from './latency.js';

/**
 * What a player knows of itself.
 *
 * @typedef {object} Readings
 * @property {string} player name and version
 * @property {boolean} live whether the playlist goes on
 * @property {number | null} programDate Unix milliseconds of the frame on the screen
 * @property {number | null} edgeLatency seconds to the end of the playlist
 * @property {number | null} targetLatency seconds to the end of the playlist that the player aims at
 * @property {number | null} bitrate bits per second received
 * @property {number | null} frameRate frames per second, as declared
 * @property {string[]} errors all that went wrong, recovered from or not
 */

/**
 * @typedef {ReturnType<typeof snapshot>} Stats
 */

/**
 * @param {HTMLVideoElement} video
 * @param {import('./session.js').Session} session
 * @param {import('./stalls.js').StallMeter} stalls
 */
export function snapshot(video, session, stalls) {
  const readings = session.playback?.readings() ?? null;
  const quality = video.getVideoPlaybackQuality();
  return {
    phase: session.phase,
    starts: session.starts,
    failures: [...session.failures],
    errors: [...(readings?.errors ?? [])],
    player: readings?.player ?? null,
    live: readings?.live ?? false,
    position: video.currentTime,
    latency: readings && behindLive(Date.now(), readings.programDate, readings.edgeLatency),
    edgeLatency: readings?.edgeLatency ?? null,
    targetLatency: readings?.targetLatency ?? null,
    bitrate: readings?.bitrate ?? null,
    width: video.videoWidth,
    height: video.videoHeight,
    frameRate: readings?.frameRate ?? null,
    frames: quality.totalVideoFrames,
    droppedFrames: quality.droppedVideoFrames,
    buffer: bufferAhead(video),
    playbackRate: video.playbackRate,
    stalls: stalls.count,
    stalledMs: stalls.totalMs,
  };
}

/**
 * Writes the figures into the elements that carry `data-stat`.
 *
 * @param {HTMLElement} strip
 * @param {Stats} stats
 */
export function show(strip, stats) {
  const texts = figures(stats);
  for (const cell of strip.querySelectorAll('[data-stat]')) {
    const [value, unit = ''] = texts[/** @type {HTMLElement} */ (cell).dataset.stat ?? ''] ?? [];
    const small = document.createElement('small');
    small.textContent = unit;
    cell.replaceChildren(value ?? '–', ...(value === undefined ? [] : [small]));
  }
}

/**
 * Value and unit of each figure that is known.
 *
 * @param {Stats} stats
 * @returns {Record<string, [string, string?]>}
 */
function figures({ phase, latency, bitrate, width, height, frameRate, buffer, droppedFrames, stalls, stalledMs, frames }) {
  /** @type {Record<string, [string, string?]>} */ const known = {};
  if (phase === 'playing') {
    if (latency !== null) known.latency = [latency.toFixed(2), 's'];
    if (bitrate !== null) known.bitrate = [(bitrate / 1e6).toFixed(2), 'Mb/s'];
    if (height > 0) known.resolution = [`${width}×${height}`, frameRate ? `p${Math.round(frameRate * 100) / 100}` : ''];
    known.buffer = [buffer.toFixed(1), 's'];
  }
  if (frames > 0) known.dropped = [String(droppedFrames)];
  if (frames > 0) known.stalls = [String(stalls), stalledMs > 0 ? `${(stalledMs / 1000).toFixed(1)} s` : ''];
  return known;
}
