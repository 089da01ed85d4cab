// Playback by the browser's own HLS, where Media Source Extensions are missing (older iPhones).

/** @typedef {import('./session.js').Outcome} Outcome */
/** @typedef {import('./session.js').Playback} Playback */

/** @param {HTMLVideoElement} video */
export const supported = (video) => video.canPlayType('application/vnd.apple.mpegurl') !== '';

/**
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @returns {Playback}
 */
export function play(video, url) {
  let lastMediaAt = performance.now();
  const listening = new AbortController();
  /** @type {(outcome: Outcome) => void} */ let settle = () => {};
  const done = new Promise((/** @type {(outcome: Outcome) => void} */ resolve) => (settle = resolve)).finally(() => {
    listening.abort();
    video.removeAttribute('src');
    video.load();
  });

  const { signal } = listening;
  video.addEventListener('ended', () => settle({ kind: 'ended' }), { signal });
  video.addEventListener('progress', () => (lastMediaAt = performance.now()), { signal });
  video.addEventListener(
    'error',
    () => {
      // The browser does not tell a 404 from any other failure; whoever asks next finds out.
      const absent = video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED;
      settle(absent ? { kind: 'absent' } : { kind: 'failed', reason: video.error?.message || 'media error' });
    },
    { signal },
  );
  video.src = url;

  return {
    done,
    abandon: (reason) => settle({ kind: 'failed', reason }),
    lastMediaAt: () => lastMediaAt,
    seekToLive: () => {
      if (video.seekable.length > 0) video.currentTime = video.seekable.end(video.seekable.length - 1);
    },
    // The browser chooses, and does not tell what.
    choose: () => {},
    readings: () => ({
      player: 'native',
      live: video.duration === Infinity,
      programDate: startDate(video) + video.currentTime * 1000,
      edgeLatency: null,
      targetLatency: null,
      bitrate: null,
      frameRate: null,
      renditions: [],
      rendition: null,
      fixed: false,
      throughput: null,
      errors: [],
    }),
  };
}

/**
 * The EXT-X-PROGRAM-DATE-TIME of position 0, NaN where the browser does not tell.
 *
 * @param {HTMLVideoElement & { getStartDate?: () => Date }} video
 */
function startDate(video) {
  return video.getStartDate?.().getTime() ?? NaN;
}
