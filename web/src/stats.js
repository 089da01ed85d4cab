// The figures beneath the picture, and the same for scripts.

import { bufferAhead } from './buffer.js';
import { behindLive } from './latency.js';

/**
 * A rendition that can be chosen.
 *
 * @typedef {object} Rendition
 * @property {string} name `720p`
 * @property {number} bitrate bits per second, on average where that is declared
 * @property {number} level what the player calls it
 */

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
 * @property {Rendition[]} renditions that can be chosen, best first
 * @property {string | null} rendition the name of the one on the screen
 * @property {boolean} fixed whether the viewer has chosen it
 * @property {number | null} throughput bits per second that the way from the server is taken to carry
 * @property {string[]} errors all that went wrong, recovered from or not
 */

/**
 * @typedef {ReturnType<typeof snapshot>} Stats
 */

/**
 * @param {HTMLVideoElement} video
 * @param {import('./session.js').Session} session
 * @param {import('./stalls.js').StallMeter} stalls
 * @param {import('./renditions.js').SwitchMeter} switches
 */
export function snapshot(video, session, stalls, switches) {
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
    renditions: readings?.renditions.map(({ name }) => name) ?? [],
    rendition: readings?.rendition ?? null,
    fixed: readings?.fixed ?? false,
    switches: switches.count,
    throughput: readings?.throughput ?? null,
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
    // Of renditions there is something to tell only where there are several.
    if (cell.matches('[data-stat="rendition"], [data-stat="switches"]')) cell.parentElement?.toggleAttribute('hidden', stats.renditions.length < 2);
    cell.replaceChildren(value ?? '–', ...(value === undefined ? [] : [small]));
  }
}

/**
 * Value and unit of each figure that is known.
 *
 * @param {Stats} stats
 * @returns {Record<string, [string, string?]>}
 */
function figures({ phase, latency, bitrate, width, height, frameRate, buffer, droppedFrames, stalls, stalledMs, frames, renditions, rendition, fixed, switches }) {
  /** @type {Record<string, [string, string?]>} */ const known = {};
  if (phase === 'playing') {
    if (latency !== null) known.latency = [latency.toFixed(2), 's'];
    if (bitrate !== null) known.bitrate = [(bitrate / 1e6).toFixed(2), 'Mb/s'];
    if (height > 0) known.resolution = [`${width}×${height}`, frameRate ? `p${Math.round(frameRate * 100) / 100}` : ''];
    if (rendition) known.rendition = [rendition, `of ${renditions.length}, ${fixed ? 'chosen' : 'auto'}`];
    known.switches = [String(switches)];
    known.buffer = [buffer.toFixed(1), 's'];
  }
  if (frames > 0) known.dropped = [String(droppedFrames)];
  if (frames > 0) known.stalls = [String(stalls), stalledMs > 0 ? `${(stalledMs / 1000).toFixed(1)} s` : ''];
  return known;
}
