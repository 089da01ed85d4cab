// A watch page in headless Chromium whose network becomes slow and fast again: which renditions it plays, and how the picture
// gets from one to the next.

/** Pictures this near to a switch belong to it, in milliseconds. */
const AROUND_MS = 500;

/**
 * Opens a watch page whose frames are recorded, and returns what throttles it.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} url of the watch page
 */
export async function open(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
  await recordFrames(page);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  await page.goto(url);
  return {
    page,
    /** @param {number | null} bitsPerSecond null is as fast as it goes */
    throttle: (bitsPerSecond) =>
      devtools.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 0,
        downloadThroughput: bitsPerSecond === null ? -1 : bitsPerSecond / 8,
        uploadThroughput: -1,
      }),
    stats: () => page.evaluate(() => window.touchline.stats),
    /** @returns {Promise<Frame[]>} */
    frames: () => page.evaluate(() => window.frameRecord),
  };
}

/**
 * A frame as it was shown: when, in milliseconds; its time in the media, in seconds; which one it is of those shown; how many
 * the browser had decoded by then and not shown, because it was busy.
 *
 * @typedef {{ at: number, mediaTime: number, presented: number, dropped: number, width: number, height: number }} Frame
 */

/**
 * Makes a page note each frame of its video, in `window.frameRecord`. Call before `page.goto`.
 *
 * @param {import('playwright-core').Page} page
 */
export function recordFrames(page) {
  return page.addInitScript(`document.addEventListener('DOMContentLoaded', () => (${record})(document.querySelector('video')));`);
}

/* Runs in the page. */
function record(video) {
  window.frameRecord = [];
  const onFrame = (at, { mediaTime, presentedFrames: presented, width, height }) => {
    video.requestVideoFrameCallback(onFrame);
    const { droppedVideoFrames: dropped } = video.getVideoPlaybackQuality();
    window.frameRecord.push({ at, mediaTime, presented, dropped, width, height });
  };
  video.requestVideoFrameCallback(onFrame);
}

/**
 * What is seen of each switch of rendition: the largest step from frame to frame, in frames, where 1 is as it should be and a
 * frame that was shown between two callbacks counts as shown; and how many frames are missing, and were dropped by a busy browser.
 *
 * @param {Frame[]} frames
 */
export function seams(frames) {
  const steps = frames.slice(1).map((frame, index) => {
    const before = /** @type {Frame} */ (frames[index]);
    const shown = Math.max(1, frame.presented - before.presented);
    return { ...frame, before, seconds: (frame.mediaTime - before.mediaTime) / shown };
  });
  const frameSeconds = [...steps].sort((a, b) => a.seconds - b.seconds)[Math.floor(steps.length / 2)]?.seconds ?? NaN;
  const switches = steps.filter(({ before, width, height }) => width !== before.width || height !== before.height);
  return {
    frameSeconds,
    back: steps.filter(({ seconds, presented, before }) => seconds < 0 || presented <= before.presented).length,
    switches: switches.map((at) => {
      const around = steps.filter((step) => Math.abs(step.at - at.at) < AROUND_MS);
      const [first, last] = [around[0].before, around.at(-1)];
      const missing = Math.round((last.mediaTime - first.mediaTime) / frameSeconds) - (last.presented - first.presented);
      const step = Math.max(...around.map(({ seconds }) => seconds / frameSeconds));
      return { at: at.at, from: at.before.height, to: at.height, step, missing, dropped: last.dropped - first.dropped };
    }),
  };
}

/**
 * The renditions of a channel, best first, as its multivariant playlist declares them.
 *
 * @param {string} playlist its address
 * @returns {Promise<{ peak: number, average: number, height: number }[]>} bits per second, pixels
 */
export async function rungs(playlist) {
  const text = await (await fetch(playlist)).text();
  const declared = [...text.matchAll(/^#EXT-X-STREAM-INF:(.*)$/gm)].map(([, attributes]) => {
    const number = (name) => Number(new RegExp(`(?:^|,)${name}=(\\d+)`).exec(attributes)?.[1]);
    const height = Number(/RESOLUTION=\d+x(\d+)/.exec(attributes)?.[1]);
    return { peak: number('BANDWIDTH'), average: number('AVERAGE-BANDWIDTH') || number('BANDWIDTH'), height };
  });
  return declared.sort((a, b) => b.peak - a.peak);
}
