// A channel on the page at /. It stays for as long as the channel is live, so that neither the keyboard focus nor the picture
// is lost when the list is read again.

import { describe } from './channel.js';

/** @typedef {import('./channel.js').Channel} Channel */

/** How old a picture may get, in milliseconds. */
const PICTURE_MS = 10_000;

export class Card {
  element = document.createElement('li');
  #picture = document.createElement('img');
  #facts = document.createElement('span');
  #pictureAt = -Infinity;

  /** @param {string} name */
  constructor(name) {
    const link = this.element.appendChild(document.createElement('a'));
    link.href = `/watch/${encodeURIComponent(name)}`;
    this.#picture.alt = '';
    this.#picture.hidden = true;
    const top = document.createElement('span');
    top.className = 'top';
    const title = top.appendChild(document.createElement('span'));
    title.className = 'name';
    title.textContent = name;
    const badge = top.appendChild(document.createElement('span'));
    badge.className = 'badge';
    badge.dataset.live = 'true';
    badge.textContent = 'Live';
    this.#facts.className = 'facts';
    link.append(this.#picture, top, this.#facts);
  }

  /**
   * @param {Channel} channel as it is now
   * @param {number} now Unix milliseconds
   */
  update(channel, now) {
    const facts = describe(channel, now);
    if (this.#facts.textContent !== facts) this.#facts.textContent = facts;
    if (!channel.thumbnail || now - this.#pictureAt < PICTURE_MS || !this.#near()) return;
    this.#pictureAt = now;
    // Without a newer picture the one before stays.
    this.#show(channel.thumbnail).catch(() => {});
  }

  /**
   * Fetched, as an <img> shows again what the page has had under the same address, however old. Caches keep to its max-age.
   *
   * @param {string} path
   */
  async #show(path) {
    const response = await fetch(path);
    if (!response.ok) return;
    const url = URL.createObjectURL(await response.blob());
    try {
      const picture = new Image();
      picture.src = url;
      await picture.decode();
      this.#picture.src = url;
      this.#picture.hidden = false;
      await this.#picture.decode();
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  /** Whether it is on the screen, or would be after a little scrolling. */
  #near() {
    const { top, bottom } = this.element.getBoundingClientRect();
    return bottom > -innerHeight && top < 2 * innerHeight;
  }
}
