// The page at /: the channels that are live, kept up to date.

import { Card } from './card.js';
import { ffmpegCommand, rtmpServer } from './how-to-publish.js';

/** @typedef {import('./channel.js').Channel} Channel */

const REFRESH_MS = 3_000;

/** Those on the page, by the names of their channels. @type {Map<string, Card>} */
let cards = new Map();

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

element('from-here').addEventListener('submit', (event) => {
  event.preventDefault();
  const channel = new FormData(/** @type {HTMLFormElement} */ (event.target)).get('channel');
  location.assign(`/publish/${encodeURIComponent(String(channel))}`);
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
  const before = cards;
  cards = new Map(channels.map(({ name }) => [name, before.get(name) ?? new Card(name)]));
  // Putting cards where they are already would take the keyboard focus away.
  if ([...cards.keys()].join() !== [...before.keys()].join()) {
    list.replaceChildren(...[...cards.values()].map((card) => card.element));
  }
  for (const channel of channels) cards.get(channel.name)?.update(channel, now);
  say(channels.length === 0 ? 'Nothing is live right now.' : `${channels.length} live`);
  element('how-to').hidden = false;
}

/** @param {string} text */
function say(text) {
  if (summary.textContent !== text) summary.textContent = text;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}
