// Pause, sound, quality and full screen, by mouse, touch and keyboard.

import { connectQualityMenu } from './quality-menu.js';

/** Controls fade after this long without a move, in milliseconds. */
const IDLE_AFTER_MS = 2_500;

/**
 * Returns what makes the controls show the state of the session.
 *
 * @param {(id: string) => HTMLElement} element
 * @param {HTMLVideoElement} video
 * @param {import('./session.js').Session} session
 */
export function connectControls(element, video, session) {
  const [stage, pause, mute, unmute, fullscreen] = ['stage', 'pause', 'mute', 'unmute', 'fullscreen'].map(element);
  const volume = /** @type {HTMLInputElement} */ (element('volume'));
  if (!stage || !pause || !mute || !unmute || !fullscreen) throw new Error('watch.html lacks controls');

  const togglePause = () => {
    if (!video.paused) return video.pause();
    // What was missed is not what a live viewer waits for.
    session.playback?.seekToLive();
    play(video);
  };
  const toggleSound = () => {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 1;
    if (!video.muted) play(video);
  };
  const toggleFullscreen = () => (document.fullscreenElement ? document.exitFullscreen() : enterFullscreen(stage, video));

  pause.addEventListener('click', togglePause);
  mute.addEventListener('click', toggleSound);
  unmute.addEventListener('click', toggleSound);
  fullscreen.addEventListener('click', toggleFullscreen);
  volume.addEventListener('input', () => {
    video.volume = volume.valueAsNumber;
    video.muted = video.volume === 0;
  });
  video.addEventListener('dblclick', toggleFullscreen);

  const keys = { k: togglePause, m: toggleSound, f: toggleFullscreen };
  document.addEventListener('keydown', ({ key, ctrlKey, metaKey, altKey }) => {
    if (!ctrlKey && !metaKey && !altKey) keys[/** @type {keyof typeof keys} */ (key.toLowerCase())]?.();
  });

  const reflectQuality = connectQualityMenu(element, session);
  const reflect = () => {
    // The icons show what is: sound on or off, running or not.
    mute.dataset.off = String(video.muted);
    mute.setAttribute('aria-pressed', String(video.muted));
    pause.dataset.off = String(video.paused);
    pause.setAttribute('aria-label', video.paused ? 'Play' : 'Pause');
    volume.valueAsNumber = video.muted ? 0 : video.volume;
    unmute.hidden = !video.muted || session.phase !== 'playing';
    reflectQuality();
  };
  for (const event of ['volumechange', 'play', 'pause', 'playing', 'emptied']) video.addEventListener(event, reflect);
  reflect();
  fadeWhenIdle(stage, video);
  return reflect;
}

/** @param {HTMLVideoElement} video */
function play(video) {
  // Refused without a gesture when there is sound: the page stays as it is, and the play button is there.
  video.play().catch(() => {});
}

/**
 * @param {HTMLElement} stage
 * @param {HTMLVideoElement & { webkitEnterFullscreen?: () => void }} video
 */
function enterFullscreen(stage, video) {
  // An iPhone lets only the video itself fill the screen.
  if (stage.requestFullscreen) stage.requestFullscreen();
  else video.webkitEnterFullscreen?.();
}

/**
 * @param {HTMLElement} stage
 * @param {HTMLVideoElement} video
 */
function fadeWhenIdle(stage, video) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
  const awake = () => {
    stage.dataset.idle = 'false';
    clearTimeout(timer);
    timer = setTimeout(() => (stage.dataset.idle = String(!video.paused)), IDLE_AFTER_MS);
  };
  for (const event of ['pointermove', 'pointerdown', 'focusin']) stage.addEventListener(event, awake);
  video.addEventListener('pause', awake);
  awake();
}
