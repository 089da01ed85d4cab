// What ffmpeg makes of a channel that has ended: a file to it, of which it gets everything.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { sleep } from './server.mjs';

/** ffmpeg says so at each reload of a list with EXT-X-MAP, of any server; and where pictures have the full range of values. */
const HARMLESS = /Found duplicated MOOV Atom|deprecated pixel format used/;
/** How long a channel may take to end after its publisher has left, in milliseconds. */
const PATIENCE_MS = 30_000;

/** Waits until the playlist of a channel has its end. */
export async function ended(watch, channel) {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const playlist = await fetch(`${watch}/live/${channel}/index.m3u8`);
    const [, rendition] = /^(?!#)(\S+)$/m.exec(playlist.ok ? await playlist.text() : '') ?? [];
    if (rendition) {
      const media = await fetch(`${watch}/live/${channel}/${rendition}`);
      if ((await media.text()).includes('#EXT-X-ENDLIST')) return;
    }
    await sleep(100);
  }
  throw new Error(`channel ${channel} has not ended within ${PATIENCE_MS / 1_000} s`);
}

/**
 * Decodes every stream of a playlist. What there was of it, by stream: `video` and `audio` frames; and what ffmpeg had to say.
 *
 * @returns {Promise<{ video: number[], audio: number[], said: string[] }>}
 */
export async function decode(ffmpeg, url) {
  const args = ['-v', 'repeat+warning', '-nostdin', '-i', url, '-map', '0', '-fps_mode', 'passthrough', '-f', 'framecrc', '-'];
  const { stdout, stderr } = await promisify(execFile)(ffmpeg, args, { maxBuffer: 1 << 28 });
  const streams = new Map();
  for (const line of stdout.split('\n')) {
    const [, index, kind] = /^#media_type (\d+): (\w+)/.exec(line) ?? [];
    if (index) streams.set(Number(index), { kind, frames: 0 });
    const [, of] = /^(\d+),/.exec(line) ?? [];
    if (of) streams.get(Number(of)).frames += 1;
  }
  const of = (wanted) => [...streams.values()].filter(({ kind }) => kind === wanted).map(({ frames }) => frames);
  const said = stderr.split('\n').filter((line) => line && !HARMLESS.test(line));
  return { video: of('video'), audio: of('audio'), said };
}
