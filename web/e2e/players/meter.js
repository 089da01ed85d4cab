// Watches a video that should play: where it stood still, how far behind the wall clock it was, which rungs were shown.

const LOOK_MS = 20;
const SAMPLE_MS = 500;
/** What stands still for longer is a stall. */
const STALL_MS = 200;

/**
 * Measures from the first frame on. The latency of a sample is the wall clock minus EXT-X-PROGRAM-DATE-TIME, in seconds.
 *
 * @param {HTMLVideoElement} video
 * @param {() => number | null} programDate Unix milliseconds of the frame shown
 */
export function meter(video, programDate) {
  const reading = { opened: Date.now(), first: null, stalls: [], waiting: [], samples: [], heights: [] };
  video.addEventListener('waiting', () => reading.first !== null && reading.waiting.push(Date.now()));
  video.addEventListener('resize', () => reading.heights.push({ at: Date.now(), height: video.videoHeight }));
  let [position, lookedAt, still, sampledAt] = [video.currentTime, Date.now(), 0, 0];
  setInterval(() => {
    const now = Date.now();
    if (reading.first === null) {
      if (video.readyState >= 2 && video.currentTime > 0 && !video.paused) reading.first = now;
    } else if (video.currentTime === position) {
      // A page that is too busy to look says nothing about its video.
      still += Math.min(now - lookedAt, 5 * LOOK_MS);
    }
    if (video.currentTime !== position) {
      if (still > STALL_MS) reading.stalls.push({ at: now, ms: Math.round(still) });
      [position, still] = [video.currentTime, 0];
    }
    lookedAt = now;
    if (reading.first !== null && now - sampledAt >= SAMPLE_MS) {
      const date = programDate();
      if (date !== null) reading.samples.push({ at: now, latency: (now - date) / 1000, rate: video.playbackRate });
      sampledAt = now;
    }
  }, LOOK_MS);
  return () => {
    const { totalVideoFrames: frames, droppedVideoFrames: dropped } = video.getVideoPlaybackQuality();
    return { ...reading, standingStillMs: Math.round(still), frames, dropped };
  };
}
