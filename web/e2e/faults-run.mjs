// How the transcoding worker of a server is made to fail, and what a viewer sees of that.

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** How often to look at a process, in milliseconds. */
const LOOK_MS = 5;
/** Media that is played after a fault before it counts as survived, in seconds. */
const AFTERWARDS_S = 3;

/** What can befall a worker. Each is over when it has. */
export const FAULTS = {
  /** As a null pointer in a codec does. The first signal only ends the guard against stack overflows of Rust programs. */
  SIGSEGV: async (pid) => {
    while (alive(pid)) {
      signal(pid, 'SIGSEGV');
      await pause(LOOK_MS);
    }
  },
  /** As a deadlock does. */
  SIGSTOP: async (pid) => signal(pid, 'SIGSTOP'),
};

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has been reaped meanwhile.
    if (error.code !== 'ESRCH') throw error;
  }
}

function alive(pid) {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Has the worker of a server fail, and returns when another has taken over and the page has played on for some time.
 *
 * @param {keyof typeof FAULTS} fault
 * @param {{ worker: () => number }} server see stage.mjs
 * @param {import('playwright-core').Page} page of a channel
 * @param {number} timeout milliseconds
 * @returns {Promise<number>} `performance.now()` of the page before the fault
 */
export async function survive(fault, server, page, timeout) {
  const [before, at] = [server.worker(), await page.evaluate(() => performance.now())];
  await FAULTS[fault](before);
  const until = Date.now() + timeout;
  while (server.worker() === before) {
    if (Date.now() > until) throw new Error(`no other worker has taken over within ${timeout} ms of ${fault}`);
    await pause(LOOK_MS);
  }
  const aim = (await page.evaluate(() => document.querySelector('video').currentTime)) + AFTERWARDS_S;
  await page.waitForFunction((position) => document.querySelector('video').currentTime > position, aim, { timeout });
  return at;
}

/**
 * The largest interval between two frames that were shown since `at`, in milliseconds; and how many frames of the media are
 * missing between two that were shown, at most.
 *
 * @param {import('./abr-run.mjs').Frame[]} frames
 * @param {number} at `performance.now()` of the page
 */
export function gap(frames, at) {
  const first = Math.max(1, frames.findIndex((frame) => frame.at > at));
  const pairs = frames.slice(first).map((frame, index) => [frames[first + index - 1], frame]);
  return {
    ms: Math.round(Math.max(...pairs.map(([before, after]) => after.at - before.at))),
    mediaMs: Math.round(1000 * Math.max(...pairs.map(([before, after]) => (after.mediaTime - before.mediaTime) / Math.max(1, after.presented - before.presented)))),
  };
}

/**
 * Notes when parts of a rendition come, as a client that asks for one after the other. Ends when `signal` is aborted.
 *
 * @param {string} playlist address of a media playlist
 * @param {AbortSignal} signal
 * @returns {Promise<number[]>} `performance.now()` of each
 */
export async function arrivals(playlist, signal) {
  const times = [];
  let [msn, part] = [-1, -1];
  while (!signal.aborted) {
    const query = msn < 0 ? '' : `?_HLS_msn=${msn}&_HLS_part=${part}`;
    // An end in the midst of an answer is one too.
    const text = await fetch(playlist + query, { signal }).then((answer) => (answer.ok ? answer.text() : null)).catch(() => null);
    if (text === null) continue;
    const next = edge(text);
    if (next.msn > msn || next.part > part) times.push(performance.now());
    [msn, part] = [next.msn, next.part];
  }
  return times;
}

/** The part after the last one of a playlist (RFC 8216bis 6.2.5.2). */
function edge(text) {
  const lines = text.split('\n');
  const sequence = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
  const msn = sequence + lines.filter((line) => line.startsWith('#EXTINF:')).length;
  const lastSegment = lines.findLastIndex((line) => line.startsWith('#EXTINF:'));
  return { msn, part: lines.slice(lastSegment + 1).filter((line) => line.startsWith('#EXT-X-PART:')).length };
}

/** The largest interval between two of these. */
export const longest = (times) => Math.round(Math.max(...times.slice(1).map((time, index) => time - times[index])));
