// The real server and the real feed, as processes of their own on ports of their own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The feeds are small, so that several fit beside a browser on two cores. */
const SMALL = { size: '640x360', bitrate: '800k' };

/**
 * Starts a server and waits until it listens.
 *
 * @param {{ grace: string, rungs?: string[], key?: string, toml?: string }} settings how long a channel waits for its publisher to
 *   return, what is made of its pictures (nothing, unless given), the key of every channel (none, unless given), and further
 *   settings as the file has them
 * @returns {Promise<Server>}
 *
 * @typedef {object} Server addresses are without a slash at the end
 * @property {string} watch
 * @property {string} publish
 * @property {string} admin
 * @property {() => number} worker the process id of the transcoding worker that has begun last
 * @property {() => string[]} said lines of its log
 * @property {() => Promise<void>} stop
 */
export async function startServer({ grace, rungs = [], key, toml = '' }) {
  const folder = await mkdtemp(join(tmpdir(), 'touchline-e2e-'));
  const config = join(folder, 'touchline.toml');
  const ladder = rungs.length === 0 ? 'profile = "off"' : `profile = "small"\n[ladder.profiles.small]\nrungs = ${JSON.stringify(rungs)}`;
  const keys = key ? `[publish.keys]\n"*" = "${key}"\n` : '';
  await writeFile(config, `[channels]\ngrace = "${grace}"\n${keys}[ladder]\n${ladder}\n${toml}`);
  const anywhere = ['--http', '127.0.0.1:0', '--rtmp', '127.0.0.1:0', '--srt', 'off', '--webrtc', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const server = run(binary('TOUCHLINE_BIN'), ['serve', '--config', config, ...anywhere]);
  const address = await addresses(server, ['watch', 'publish', 'admin']);
  return {
    watch: address.watch,
    publish: address.publish,
    admin: address.admin,
    worker: () => Number(server.said.map((line) => /a worker begins worker=(\d+)/.exec(line)?.[1]).findLast(Boolean)),
    said: () => server.said,
    stop: async () => {
      await end(server, 'SIGTERM');
      await rm(folder, { recursive: true });
    },
  };
}

/**
 * Starts a feed into a channel.
 *
 * @param {string} publish `rtmp://HOST:PORT/live`
 * @param {string} channel
 * @param {string} [gop] the time from keyframe to keyframe
 * @param {{ size: string, bitrate: string }} [picture]
 */
export function startFeed(publish, channel, gop = '1s', { size, bitrate } = SMALL) {
  const feed = run(binary('LOADTEST_BIN'), ['feed', '--size', size, '--bitrate', bitrate, '--gop', gop, `${publish}/${channel}`]);
  return {
    /** Takes its leave as an encoder does when somebody presses stop. */
    stop: () => end(feed, 'SIGTERM'),
    /** Is gone without a word, the encoder included. */
    kill: () => end(feed, 'SIGKILL'),
  };
}

/**
 * Starts a ladder of renditions and waits until it plays.
 *
 * @param {{ discontinuityEvery?: number }} [settings] seconds; never, unless given
 * @returns {Promise<{ watch: string, playlist: string, stop: () => Promise<void> }>}
 */
export async function startLadder({ discontinuityEvery } = {}) {
  const ladder = run(binary('LADDER_BIN'), discontinuityEvery ? ['--discontinuity-every', `${discontinuityEvery}s`] : []);
  const { watch } = await addresses(ladder, ['watch']);
  const playlist = `${watch.replace('/watch/', '/live/')}/index.m3u8`;
  // It listens before there is anything to play.
  while (!(await fetch(playlist)).ok) await new Promise((resolve) => setTimeout(resolve, 50));
  return { watch, playlist, stop: () => end(ladder, 'SIGTERM') };
}

function binary(variable) {
  const path = process.env[variable];
  if (!path) throw new Error(`$${variable} is not set. Run \`make test\`, or build the binaries and set it to the path of one.`);
  return path;
}

/** A process that leads a group of its own: a signal to the group reaches its children too. */
function run(command, args) {
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  child.said = [];
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => child.said.push(line));
  return child;
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, 'exit');
  process.kill(-child.pid, signal);
  await over;
}

/** The addresses that a server announces; fails with its last words when it ends instead. */
function addresses(server, wanted) {
  const found = {};
  return new Promise((resolve, reject) => {
    createInterface(server.stdout).on('line', (line) => {
      const [, what, url] = /^(watch|publish|admin)\s+(\S+?)\/?(?:\s|$)/.exec(line) ?? [];
      if (what) found[what] ??= url;
      if (wanted.every((name) => found[name])) resolve(found);
    });
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`${server.spawnfile} ended with ${code}:\n${server.said.join('\n')}`)));
  });
}
