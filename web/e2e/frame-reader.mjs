// Reads the frame clock from the video of a watch page, frame by frame as they are shown, and watches for stalls.

import { readFile } from 'node:fs/promises';

/**
 * Makes a page read its video from the moment it loads. Call before `page.goto`.
 *
 * @param {import('playwright-core').Page} page
 */
export async function install(page) {
  const clock = await readFile(new URL('frame-clock.mjs', import.meta.url), 'utf8');
  await page.addInitScript(`window.frameClock = (() => {
    ${clock.replaceAll(/^export /gm, '')}
    return { decode, WIDTH_SHARE, HEIGHT_SHARE };
  })();
  window.frameReader = { frames: [], damaged: 0, shown: 0, stalls: [], waiting: 0, firstFrameAt: null };
  document.addEventListener('DOMContentLoaded', () => {
    const video = document.querySelector('video');
    if (video) (${read})(video, window.frameClock, window.frameReader);
  });`);
}

/**
 * What has been read so far. A frame is what its clock says, and how long after being drawn it was shown.
 *
 * @param {import('playwright-core').Page} page
 * @param {number} [from] the first frame wanted
 * @returns {Promise<{ frames: { unixMs: number, sequence: number, latency: number, position: number }[], damaged: number, shown: number,
 *   stalls: { at: number, ms: number }[], waiting: number, firstFrameAt: number | null }>}
 */
export function readings(page, from = 0) {
  return page.evaluate((start) => ({ ...window.frameReader, frames: window.frameReader.frames.slice(start) }), from);
}

/* Runs in the page. */
function read(video, { decode, WIDTH_SHARE, HEIGHT_SHARE }, reader) {
  const STANDS_STILL_MS = 100;
  const canvas = new OffscreenCanvas(320, 20);
  const context = canvas.getContext('2d', { willReadFrequently: true });

  const onFrame = (_, { expectedDisplayTime, presentedFrames, mediaTime }) => {
    video.requestVideoFrameCallback(onFrame);
    // The whole picture, so large that the clock fills the canvas: the same for every rendition, also between two of them.
    context.drawImage(video, 0, 0, canvas.width / WIDTH_SHARE, canvas.height / HEIGHT_SHARE);
    const shownAt = Date.now() + expectedDisplayTime - performance.now();
    const clock = decode(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height, shownAt);
    reader.firstFrameAt ??= performance.now();
    reader.shown = presentedFrames;
    if (!clock) {
      reader.damaged += 1;
      return;
    }
    // A callback that comes late finds the next picture already there; the one that is meant for it tells more of it.
    const last = reader.frames.at(-1);
    if (last?.unixMs === clock.unixMs && last.sequence === clock.sequence) reader.frames.pop();
    reader.frames.push({ ...clock, latency: shownAt - clock.unixMs, position: mediaTime });
  };
  video.requestVideoFrameCallback(onFrame);

  video.addEventListener('waiting', () => (reader.waiting += reader.firstFrameAt === null ? 0 : 1));

  // Only what stands still between two looks counts: a page that is too busy to look says nothing about its video.
  let [position, lookedAt, standingStill] = [-1, 0, 0];
  setInterval(() => {
    const now = performance.now();
    if (video.currentTime === position && !video.paused && reader.firstFrameAt !== null) {
      standingStill += now - lookedAt;
    } else {
      if (standingStill > STANDS_STILL_MS) reader.stalls.push({ at: Date.now(), ms: standingStill });
      [position, standingStill] = [video.currentTime, 0];
    }
    lookedAt = now;
  }, 10);
}
