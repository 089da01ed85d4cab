// Camera, microphone and screen.

/**
 * What is to be captured.
 *
 * @typedef {object} Wish
 * @property {'camera' | 'screen'} source
 * @property {string} camera device id; empty is the default one
 * @property {string} sound `none`, `default`, `screen` or a device id
 * @property {number} height pixels
 * @property {number} frameRate frames per second
 */

/** Sport and music, not a telephone call. */
const SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: { ideal: 2 } };

/** Whether the browser lets this page capture anything. */
export function available() {
  return Boolean(navigator.mediaDevices && 'RTCPeerConnection' in window);
}

/**
 * Asks the person and the browser. Fails with what the browser says (DOMException).
 *
 * @param {Wish} wish
 * @returns {Promise<MediaStream>}
 */
export async function capture(wish) {
  const media = await (wish.source === 'screen' ? screen(wish) : camera(wish));
  // Encoders are to keep movement smooth, whatever is filmed.
  for (const track of media.getVideoTracks()) track.contentHint = 'motion';
  return media;
}

/** @param {MediaStream | null} media */
export function release(media) {
  for (const track of media?.getTracks() ?? []) track.stop();
}

/**
 * Another size or frame rate of what is captured already, as near as the device can.
 *
 * @param {MediaStream} media
 * @param {Wish} wish
 */
export async function adjust(media, wish) {
  for (const track of media.getVideoTracks()) await track.applyConstraints(picture(wish));
}

/** @param {Wish} wish */
function camera(wish) {
  const video = { ...picture(wish), ...device(wish.camera) };
  return navigator.mediaDevices.getUserMedia({ video, audio: sound(wish) });
}

/** @param {Wish} wish */
async function screen(wish) {
  const withSound = wish.sound === 'screen';
  const media = await navigator.mediaDevices.getDisplayMedia({ video: picture(wish), audio: withSound ? SOUND : false });
  if (withSound || wish.sound === 'none') return media;
  try {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: sound(wish) });
    for (const track of microphone.getAudioTracks()) media.addTrack(track);
    return media;
  } catch (error) {
    release(media);
    throw error;
  }
}

/** @param {Wish} wish */
function sound({ sound: id }) {
  if (id === 'none') return false;
  return { ...SOUND, ...device(id === 'default' || id === 'screen' ? '' : id) };
}

/** @param {string} id */
function device(id) {
  return id ? { deviceId: { exact: id } } : {};
}

/** @param {Wish} wish */
function picture({ height, frameRate }) {
  return { width: { ideal: Math.round((height * 16) / 9) }, height: { ideal: height }, frameRate: { ideal: frameRate, max: frameRate } };
}
