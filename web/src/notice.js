// What the page says over the picture, in words, for each situation.

/**
 * @typedef {object} Notice
 * @property {'none' | 'busy' | 'problem'} kind
 * @property {string} title
 * @property {string} text
 * @property {boolean} overPicture whether the last picture stays visible beneath
 * @property {boolean} howToPublish
 */

/** The picture has to stand still this long before it is talked about, in milliseconds. */
const TALK_AFTER_MS = 700;
/** No media for this long means that nothing comes from the publisher, in milliseconds. */
const SILENT_AFTER_MS = 1_500;

/**
 * @param {object} situation
 * @param {string} situation.channel
 * @param {import('./session.js').Phase} situation.phase
 * @param {number} situation.standingStillMs
 * @param {number} situation.silentMs since media last arrived
 * @returns {Notice}
 */
export function noticeFor({ channel, phase, standingStillMs, silentMs }) {
  switch (phase) {
    case 'playing':
      if (standingStillMs < TALK_AFTER_MS) return NONE;
      return silentMs > SILENT_AFTER_MS
        ? over('Signal lost', 'Nothing comes from the publisher right now. The picture goes on as soon as it does.')
        : over('Buffering', 'Catching up with the stream…');
    case 'connecting':
      return { ...NONE, kind: 'busy', title: 'Connecting', text: `Opening ${channel}…` };
    case 'absent':
      return {
        ...NONE,
        kind: 'busy',
        title: `${channel} is not live`,
        text: 'Waiting for a publisher. Playback starts by itself.',
        howToPublish: true,
      };
    case 'ended':
      return { ...NONE, kind: 'busy', title: `${channel} has ended`, text: 'Playback starts by itself when it is live again.' };
    case 'unreachable':
      return { ...NONE, kind: 'busy', title: 'Connection lost', text: 'The server can’t be reached. Trying again…' };
    case 'failed':
      return over('Playback failed', 'Starting again…');
    case 'unsupported':
      return {
        ...NONE,
        kind: 'problem',
        title: 'This browser can’t play the stream',
        text: 'It has neither Media Source Extensions nor HLS of its own. Any current browser will do.',
      };
  }
}

/** @type {Notice} */
const NONE = { kind: 'none', title: '', text: '', overPicture: false, howToPublish: false };

/**
 * @param {string} title
 * @param {string} text
 * @returns {Notice}
 */
function over(title, text) {
  return { ...NONE, kind: 'busy', title, text, overPicture: true };
}
