// The page at /publish/CHANNEL.

import { Broadcast } from './broadcast.js';
import { adjust, available, capture, release } from './capture.js';
import { channelOf } from './channel.js';
import { show } from './feed-health.js';
import { NO_WHIP, captureWords, endedWords, failureWords, unavailableWords } from './publish-words.js';
import { supported } from './whip.js';

/** @typedef {import('./publish-words.js').Words} Words */

/** What a picture is given, in kilobits per second, by its height: at up to 30 frames per second, and above. */
const BITRATES = /** @type {Record<string, [number, number]>} */ ({ 1080: [5500, 7500], 720: [3000, 4500], 540: [2000, 3000], 360: [800, 2000] });
/** How often a pause is counted down, in milliseconds. */
const COUNT_MS = 250;

const channel = channelOf(location.pathname);
const endpoint = `/whip/${encodeURIComponent(channel)}`;
const form = /** @type {HTMLFormElement} */ (element('settings'));
const preview = /** @type {HTMLVideoElement} */ (element('preview'));
const keyField = /** @type {HTMLInputElement} */ (form.elements.namedItem('key'));
const [liveButton, lookButton, muteButton] = /** @type {HTMLButtonElement[]} */ (['live', 'look', 'mute'].map(element));

/** What is captured. @type {MediaStream | null} */ let media = null;
/** Where it is from. @type {'camera' | 'screen'} */ let source = 'camera';
/** @type {Broadcast | null} */ let broadcast = null;
/** The browser is asking the person. */ let asking = false;
let muted = false;
/** What the browser has told of. @type {MediaDeviceInfo[]} */ let devices = [];

document.title = `Publish to ${channel} · Touchline`;
element('channel').textContent = channel;
element('watch').setAttribute('href', `/watch/${encodeURIComponent(channel)}`);
takeKeyFromAddress();

// For tests and for people at the console: read only.
Object.defineProperty(window, 'touchline', {
  value: Object.freeze({
    channel,
    get stats() {
      const { phase = 'idle', starts = 0, failure = null, report = null } = broadcast ?? {};
      return structuredClone({ phase, starts, failure, report });
    },
  }),
});

if (available()) begin();
else refuse(unavailableWords(window));
reflect();

/** Everything that the person can do. */
function begin() {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (broadcast) stop();
    else goLive();
  });
  form.addEventListener('change', ({ target }) => changed(/** @type {HTMLInputElement} */ (target).name));
  lookButton?.addEventListener('click', () => (media ? putAway() : look()));
  muteButton?.addEventListener('click', () => {
    muted = !muted;
    reflect();
  });
  navigator.mediaDevices.addEventListener('devicechange', listDevices);
  addEventListener('pagehide', stop);
  addEventListener('beforeunload', (event) => {
    if (broadcast) event.preventDefault();
  });
  setInterval(() => {
    if (broadcast?.phase === 'waiting') reflect();
  }, COUNT_MS);
  listDevices();
  supported(endpoint).then((yes) => yes || refuse(NO_WHIP), () => complain(failureWords({ kind: 'unreachable' }, channel)));
}

/** Nothing can be done here, and why. */
function refuse(/** @type {Words} */ words) {
  complain(words);
  for (const control of form.elements) control.toggleAttribute('disabled', true);
}

async function goLive() {
  const captured = media ?? (await look());
  // Another click came while the browser was asking.
  if (!captured || broadcast) return;
  complain(null);
  broadcast = new Broadcast(endpoint, value('key'), programme(captured));
  broadcast.addEventListener('change', reflect);
  const { failure } = await over(broadcast);
  broadcast = null;
  if (failure) complain(failureWords(failure, channel));
  reflect();
}

/** Settles when a broadcast is over. */
async function over(/** @type {Broadcast} */ running) {
  await running.run();
  return running;
}

function stop() {
  broadcast?.stop();
}

/** Shows what would be sent, and sends it if it is live; null if there is nothing to show. */
async function look() {
  if (asking) return null;
  asking = true;
  complain(null);
  reflect();
  const wanted = wish();
  try {
    const before = media;
    media = await capture(wanted);
    source = wanted.source;
    release(before);
    for (const track of media.getTracks()) track.addEventListener('ended', () => gone(track));
    preview.srcObject = media;
    await broadcast?.change(programme(media));
    await listDevices();
  } catch (error) {
    complain(captureWords(error, wanted.source));
    // What was sent before is sent still.
    if (media) /** @type {RadioNodeList} */ (form.elements.namedItem('source')).value = source;
    listSounds();
  }
  asking = false;
  reflect();
  return media;
}

function putAway() {
  stop();
  release(media);
  media = null;
  preview.srcObject = null;
  reflect();
}

/** A device was unplugged, or the person has ended the sharing by the browser's own button. */
function gone(/** @type {MediaStreamTrack} */ track) {
  if (!media?.getTracks().includes(track)) return;
  putAway();
  complain(endedWords(source));
}

/** The person has changed a setting. */
async function changed(/** @type {string} */ name) {
  if (name === 'height' || name === 'frameRate') select('bitrate').value = String(recommended());
  if (name === 'source') listSounds();
  reflect();
  if (!media || name === 'key') return;
  if (name === 'source' || name === 'camera' || name === 'sound') return void (await look());
  try {
    await adjust(media, wish());
    await broadcast?.change(programme(media));
  } catch (error) {
    complain(captureWords(error, source));
  }
}

/** Shows the state of things. */
function reflect() {
  const phase = broadcast?.phase ?? 'idle';
  const live = phase === 'live';
  for (const track of media?.getAudioTracks() ?? []) track.enabled = !muted;
  const badge = element('badge');
  badge.dataset.live = String(live);
  say(badge, live ? 'On air' : 'Off air');
  if (liveButton) {
    liveButton.dataset.live = String(broadcast !== null);
    say(liveButton, broadcast ? (live ? 'Stop' : 'Cancel') : 'Go live');
  }
  if (lookButton) {
    lookButton.hidden = broadcast !== null;
    say(lookButton, media ? 'Close' : 'Preview');
  }
  if (muteButton) {
    muteButton.disabled = !media?.getAudioTracks().length;
    muteButton.setAttribute('aria-pressed', String(muted));
    say(muteButton, muted ? 'Muted' : 'Mute');
  }
  keyField.readOnly = broadcast !== null;
  element('camera-field').hidden = wish().source !== 'camera';
  show(element('figures'), broadcast?.report ?? null);
  notice(phase);
}

/** Words over the picture. */
function notice(/** @type {string} */ phase) {
  const [kind, title, text] = noticeWords(phase);
  element('notice').dataset.kind = kind;
  element('notice').dataset.over = media ? 'picture' : 'nothing';
  say(element('notice-title'), title);
  say(element('notice-text'), text);
}

/**
 * @param {string} phase
 * @returns {['none' | 'busy' | 'problem', string, string]}
 */
function noticeWords(phase) {
  if (asking) return ['busy', 'Waiting for your permission', 'Your browser asks which device this page may use.'];
  if (phase === 'connecting') return ['busy', 'Connecting', `Opening ${channel}…`];
  if (phase === 'waiting' && broadcast?.failure) {
    const { title, text } = failureWords(broadcast.failure, channel);
    const seconds = Math.max(1, Math.ceil((broadcast.retryAt - performance.now()) / 1000));
    return ['busy', title, `${text} Trying again in ${seconds} s.`];
  }
  return media ? ['none', '', ''] : ['problem', 'Nothing is sent', 'Choose what to send and go live. Your browser will ask for permission.'];
}

/** Tells what is wrong, for a screen reader at once; null when it is right again. */
function complain(/** @type {Words | null} */ words) {
  const box = element('problem');
  if (!words) return box.replaceChildren();
  const title = document.createElement('strong');
  title.textContent = words.title;
  box.replaceChildren(title, words.text);
}

/** Fills the lists with the devices that the browser tells of: their names it tells once it has been allowed to. */
async function listDevices() {
  devices = await navigator.mediaDevices.enumerateDevices();
  const cameras = devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId);
  fill(select('camera'), [['', 'Default camera'], ...cameras.map(named)]);
  listSounds();
}

function listSounds() {
  const microphones = devices.filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId && deviceId !== 'default');
  /** @type {[string, string][]} */ const first = wish().source === 'screen' ? [['screen', 'Sound of the screen']] : [];
  fill(select('sound'), [...first, ['default', 'Default microphone'], ...microphones.map(named), ['none', 'No sound']]);
}

/**
 * @param {MediaDeviceInfo} device
 * @returns {[string, string]}
 */
function named({ deviceId, label, kind }, /** @type {number} */ index) {
  return [deviceId, label || `${kind === 'videoinput' ? 'Camera' : 'Microphone'} ${index + 1}`];
}

/**
 * @param {HTMLSelectElement} list
 * @param {[string, string][]} options
 */
function fill(list, options) {
  const chosen = list.value;
  list.replaceChildren(...options.map(([id, label]) => new Option(label, id)));
  list.value = options.some(([id]) => id === chosen) ? chosen : (options[0]?.[0] ?? '');
}

/** @returns {import('./capture.js').Wish} */
function wish() {
  return {
    source: value('source') === 'screen' ? 'screen' : 'camera',
    camera: value('camera'),
    sound: value('sound') || 'default',
    height: Number(value('height')),
    frameRate: Number(value('frameRate')),
  };
}

/** @param {MediaStream} captured */
function programme(captured) {
  return { media: captured, bitrate: 1000 * Number(value('bitrate')), frameRate: wish().frameRate };
}

function recommended() {
  const [usual, fast] = BITRATES[value('height')] ?? [3000, 4500];
  return wish().frameRate > 30 ? fast : usual;
}

/** A key may come with the address, as /publish/main#key=SECRET; it does not stay there, nor in the history. */
function takeKeyFromAddress() {
  const [, key] = /(?:^#|&)key=([^&]*)/.exec(location.hash) ?? [];
  if (key === undefined) return;
  history.replaceState(null, '', location.pathname + location.search);
  keyField.value = decodeURIComponent(key);
}

/** @param {string} name of a setting */
function value(name) {
  return String(new FormData(form).get(name) ?? '').trim();
}

/** @param {string} name */
function select(name) {
  return /** @type {HTMLSelectElement} */ (form.elements.namedItem(name));
}

/** Touches the page only when something changed, so that a screen reader speaks once. */
function say(/** @type {HTMLElement} */ place, /** @type {string} */ words) {
  if (place.textContent !== words) place.textContent = words;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`publish.html has no #${id}`);
  return found;
}
