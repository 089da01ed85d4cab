// A Chromium of its own for each run: no profile, no network of its own, video that may start without a gesture.

import { chromium } from 'playwright-core';
import { existsSync } from 'node:fs';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/** A camera with a moving picture and a microphone that beeps, which every page may use; any screen may be shared. */
export const FAKE_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/**
 * Starts a headless Chromium with a fresh, temporary profile.
 *
 * @param {string[]} [flags] more of them
 */
export async function launch(flags = []) {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`There is no Chromium at ${EXECUTABLE}. On Debian: apt-get install chromium; elsewhere set $CHROMIUM.`);
  }
  return chromium.launch({ executablePath: EXECUTABLE, headless: true, args: [...FLAGS, ...flags] });
}
