// The page at /: the channels that are live, kept up to date.

import { describe } from './channel.js';
import { ffmpegCommand, rtmpServer } from './publish.js';

/** @typedef {import('./channel.js').Channel} Channel */

const REFRESH_MS = 3_000;

const list = element('channels');
const summary = element('summary');

for (const code of document.querySelectorAll('[data-publish="server"]')) code.textContent = rtmpServer(location);
for (const code of document.querySelectorAll('[data-publish="ffmpeg"]')) code.textContent = ffmpegCommand(location, 'main');

const copy = element('copy');
// The clipboard is there for secure origins only.
copy.hidden = !navigator.clipboard;
copy.addEventListener('click', async () => {
  await navigator.clipboard.writeText(ffmpegCommand(location, 'main'));
  copy.textContent = 'Copied';
});

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_MS);
refresh();

async function refresh() {
  try {
    const response = await fetch('/channels.json', { cache: 'no-store' });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    /** @type {{channels: Channel[]}} */
    const { channels } = await response.json();
    show(channels);
  } catch (error) {
    say(`Can't reach the server (${error instanceof Error ? error.message : error}). Trying again…`);
  }
}

/** @param {Channel[]} channels */
function show(channels) {
  const now = Date.now();
  const cards = channels.map((channel) => card(channel, now));
  // Replacing unchanged cards would take the keyboard focus away.
  if (cards.map((item) => item.outerHTML).join('') !== list.innerHTML) list.replaceChildren(...cards);
  say(channels.length === 0 ? 'Nothing is live right now.' : `${channels.length} live`);
  element('how-to').hidden = false;
}

/** @param {string} text */
function say(text) {
  if (summary.textContent !== text) summary.textContent = text;
}

/**
 * @param {Channel} channel
 * @param {number} now
 */
function card(channel, now) {
  const item = document.createElement('li');
  const link = item.appendChild(document.createElement('a'));
  link.href = `/watch/${encodeURIComponent(channel.name)}`;
  const top = link.appendChild(document.createElement('span'));
  top.className = 'top';
  const name = top.appendChild(document.createElement('span'));
  name.className = 'name';
  name.textContent = channel.name;
  const badge = top.appendChild(document.createElement('span'));
  badge.className = 'badge';
  badge.dataset.live = 'true';
  badge.textContent = 'Live';
  const facts = link.appendChild(document.createElement('span'));
  facts.className = 'facts';
  facts.textContent = describe(channel, now);
  return item;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}
