// The page at /watch/CHANNEL.

import { channelOf } from './channel.js';
import { Reporter, Reports, sessionId } from './cmcd.js';
import { connectControls } from './controls.js';
import { noticeFor } from './notice.js';
import { rtmpServer } from './how-to-publish.js';
import { SwitchMeter } from './renditions.js';
import { Session } from './session.js';
import { StallMeter } from './stalls.js';
import { show, snapshot } from './stats.js';

/** How often the page looks at its player, in milliseconds. */
const LOOK_MS = 100;
/** Figures change no faster than they can be read: every so many looks. */
const LOOKS_PER_FIGURE = 5;
/** Media arrives, yet the picture has stood still all this time: the player is stuck and is started again, in milliseconds. */
const STUCK_MS = 8_000;
/** Media that comes in time comes at least this often, in milliseconds. */
const FLOWS_MS = 1_000;

const channel = channelOf(location.pathname);
const video = /** @type {HTMLVideoElement} */ (element('video'));
const id = sessionId();
const session = new Session(video, `/live/${encodeURIComponent(channel)}/index.m3u8`, id);
const reporter = new Reporter(channel, new Reports(id));
const stalls = new StallMeter();
const switches = new SwitchMeter();
const reflect = connectControls(element, video, session);

document.title = `${channel} · Touchline`;
element('channel').textContent = channel;
element('publish-server').textContent = rtmpServer(location);
element('publish-key').textContent = channel;
element('publish-link').setAttribute('href', `/publish/${encodeURIComponent(channel)}`);

// For tests and for people at the console: read only.
Object.defineProperty(window, 'touchline', {
  value: Object.freeze({
    channel,
    get stats() {
      return Object.freeze(snapshot(video, session, stalls, switches));
    },
  }),
});

const openedAt = performance.now();
/** From when the page was opened, or was given something to play, until it played. @type {number | null} */ let startupMs = null;
let connectingAt = openedAt;

video.addEventListener('playing', () => {
  if (session.phase !== 'playing') startupMs ??= performance.now() - connectingAt;
  session.playing();
});
let looks = 0;
let notStuckAt = performance.now();
setInterval(look, LOOK_MS);
look();
session.run();

function look() {
  const now = performance.now();
  stalls.sample(now, video.currentTime, session.phase === 'playing' && !video.paused && !video.ended);
  switches.sample(session.playback?.readings().rendition ?? null);
  const standingStillMs = stalls.standingStill(now);
  const silentMs = now - (session.playback?.lastMediaAt() ?? now);
  tell(noticeFor({ channel, phase: session.phase, standingStillMs, silentMs }));
  if (standingStillMs === 0 || silentMs > FLOWS_MS) notStuckAt = now;
  if (now - notStuckAt > STUCK_MS) session.playback?.abandon('stuck');

  const live = session.phase === 'playing' && standingStillMs === 0 && !video.paused;
  const badge = element('badge');
  badge.dataset.live = String(live);
  const word = live ? 'Live' : session.phase === 'playing' ? (video.paused ? 'Paused' : 'Waiting') : 'Offline';
  if (badge.textContent !== word) badge.textContent = word;
  if (looks % LOOKS_PER_FIGURE === 0) show(element('stats'), snapshot(video, session, stalls, switches));
  if (session.phase !== 'playing' && session.phase !== 'connecting') connectingAt = now;
  if (looks % LOOKS_PER_FIGURE === 0) reporter.look(state(standingStillMs));
  reflect();
  looks += 1;
}

/** What the reports say. @param {number} standingStillMs @returns {import('./cmcd.js').State} */
function state(standingStillMs) {
  const { phase, latency, throughput, failures } = snapshot(video, session, stalls, switches);
  /** @type {Record<string, import('./cmcd.js').State['doing']>} */
  const others = { connecting: 'starting', ended: 'ended' };
  const playing = video.paused ? 'paused' : standingStillMs > 0 ? 'rebuffering' : 'playing';
  return {
    doing: phase === 'playing' ? playing : (others[phase] ?? 'waiting'),
    startupMs,
    latencyMs: latency === null ? null : 1000 * latency,
    throughputKbps: throughput === null ? null : throughput / 1000,
    stalledMs: stalls.totalMs + standingStillMs,
    errors: failures.length,
  };
}

/**
 * Touches the page only when something changed, so that a screen reader speaks once.
 *
 * @param {import('./notice.js').Notice} notice
 */
function tell({ kind, title, text, overPicture, howToPublish }) {
  const box = element('notice');
  box.dataset.kind = kind;
  box.dataset.over = overPicture ? 'picture' : 'nothing';
  for (const [id, words] of /** @type {const} */ ([['notice-title', title], ['notice-text', text]])) {
    if (element(id).textContent !== words) element(id).textContent = words;
  }
  element('publish-hint').hidden = !howToPublish;
  element('controls').hidden = kind !== 'none' && !overPicture;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`watch.html has no #${id}`);
  return found;
}
