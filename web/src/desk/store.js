// What is known, and how it comes: all at once at first, then by a stream that comes back by itself.

import { Refused, ask } from './api.js';
import { Series } from './series.js';

/** Without a word for so long, what is shown is old. */
const STALE_MS = 3_500;
/** From one attempt to reach the server to the next. */
const PAUSES_MS = [500, 1_000, 2_000, 4_000];
/** Entries of the timeline that are kept. */
const MAX_ENTRIES = 500;

export class Store {
  /** @type {import('./contract.js').Frame | null} */
  frame = null;
  /** Newest first. @type {import('./contract.js').Entry[]} */
  entries = [];
  series = new Series();
  /** @type {'opening' | 'login' | 'live'} */
  phase = 'opening';
  /** Why nothing comes; null while something does. @type {string | null} */
  trouble = null;
  /** When the last frame came. */
  heardAt = 0;
  /** For how long there has been nothing, in milliseconds; 0 while what is shown is new. */
  staleMs = 0;
  loginRequired = false;
  #attempts = 0;
  /** @type {EventSource | null} */
  #stream = null;
  /** @type {(() => void)[]} */
  #listeners = [];

  /** @param {() => void} listener */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  start() {
    setInterval(() => this.#look(), 500);
    void this.open();
  }

  /** Asks for everything, and for what is new from then on. */
  async open() {
    this.#stream?.close();
    try {
      const session = await ask('GET', '/api/v1/session');
      this.loginRequired = session.login_required;
      if (session.login_required && !session.logged_in) return this.#to('login');
      const [frame, history, entries] = await Promise.all([
        ask('GET', '/api/v1/desk'),
        ask('GET', '/api/v1/desk/history?seconds=3600'),
        ask('GET', '/api/v1/timeline?limit=200'),
      ]);
      this.series.load(history);
      this.entries = entries;
      this.take(frame);
      this.#to('live');
      this.#listen();
    } catch (error) {
      const refused = error instanceof Refused ? error : new Refused(0, String(error));
      if (refused.status === 401) return this.#to('login');
      this.trouble = refused.message;
      this.#again();
    }
  }

  /** @param {string} token */
  async logIn(token) {
    await ask('POST', '/api/v1/session', { token });
    await this.open();
  }

  async logOut() {
    this.#stream?.close();
    await ask('DELETE', '/api/v1/session').catch(() => {});
    this.frame = null;
    this.#to('login');
  }

  /** A frame has come. @param {import('./contract.js').Frame} frame */
  take(frame) {
    this.frame = frame;
    this.heardAt = performance.now();
    [this.staleMs, this.trouble, this.#attempts] = [0, null, 0];
    this.series.add(frame);
    this.changed();
  }

  /** Something has happened. @param {import('./contract.js').Entry} entry */
  note(entry) {
    if (this.entries.some(({ id }) => id === entry.id)) return;
    this.entries = [entry, ...this.entries.slice(0, MAX_ENTRIES - 1)];
    this.changed();
  }

  changed() {
    this.#listeners.forEach((listener) => listener());
  }

  #listen() {
    const stream = new EventSource('/api/v1/desk/stream');
    this.#stream = stream;
    stream.addEventListener('frame', ({ data }) => this.take(JSON.parse(data)));
    stream.addEventListener('entry', ({ data }) => this.note(JSON.parse(data)));
    stream.addEventListener('error', () => {
      // What has happened meanwhile is asked for when it is back.
      stream.close();
      if (this.#stream !== stream) return;
      this.trouble = 'The connection to the server is lost.';
      this.#again();
    });
  }

  #again() {
    const pause = PAUSES_MS[Math.min(this.#attempts, PAUSES_MS.length - 1)];
    this.#attempts += 1;
    setTimeout(() => void this.open(), pause);
    this.changed();
  }

  /** @param {'login' | 'live'} phase */
  #to(phase) {
    this.phase = phase;
    this.changed();
  }

  #look() {
    const silent = performance.now() - this.heardAt;
    const stale = this.frame !== null && silent > STALE_MS ? silent : 0;
    if (stale > 0 || this.staleMs > 0) {
      this.staleMs = stale;
      this.changed();
    }
  }
}
