#!/usr/bin/env node
// What a viewer sees when NATS and then an origin is killed: two origins, three edges and NATS (tools/cluster), a watch page of an
// edge in headless Chromium, and a look at whether the edges say the same, byte for byte.
//
//   node e2e/cluster.mjs --binaries ../target/release --nats ../target/tools/nats-server-2.15.1/bin/nats-server [--times 3] [--json]
//
// Exit code 0: all as it should be; 1: something is not; 2: nothing could be tried.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { open } from './abr-run.mjs';
import { launch } from './browser.mjs';
import { longest } from './faults-run.mjs';

/** How long each spell of watching lasts, in milliseconds. */
const SPELL_MS = 8_000;
/** Time for the first frame to appear, in milliseconds. */
const START_WITHIN_MS = 20_000;
/** How often the edges' playlists are compared. */
const COMPARED = 20;

const { values: options } = parseArgs({
  options: {
    binaries: { type: 'string' },
    nats: { type: 'string' },
    times: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const times = Number(options.times);
if (!options.binaries || !options.nats || !(times >= 1)) {
  console.error('Usage: node e2e/cluster.mjs --binaries FOLDER --nats NATS_SERVER [--times N] [--json]');
  process.exit(2);
}

const browser = await launch();
let failed = false;
try {
  for (let time = 0; time < times; time += 1) {
    const result = await evening();
    failed ||= result.faults.length > 0;
    console.log(options.json ? JSON.stringify(result) : told(result));
  }
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);

async function evening() {
  const cluster = await start();
  try {
    const viewer = await open(browser, cluster.pages[0]);
    await viewer.page.waitForFunction(() => window.frameRecord?.length > 0, null, { timeout: START_WITHIN_MS });
    const spells = [];
    const spell = async (what) => {
      const from = await viewer.page.evaluate(() => performance.now());
      await new Promise((done) => setTimeout(done, SPELL_MS));
      const frames = (await viewer.frames()).filter(({ at }) => at >= from);
      const { stalls, stalledMs, latency, starts, failures, errors } = await viewer.stats();
      spells.push({ what, longestMs: longest(frames.map(({ at }) => at)), stalls, stalledMs, latency, starts, failures, errors });
    };
    await spell('all there');
    const compared = await compare(cluster.pages);
    cluster.kill('nats');
    await spell('NATS killed');
    const origin = await cluster.followed();
    cluster.kill(origin);
    await spell(`${origin} killed, which the edge had followed`);
    const after = await compare(cluster.pages);
    await viewer.page.close();
    // A page that comes before the first part may have to begin twice.
    const [before] = spells;
    const harmed = ({ stalls, failures, starts }) => stalls > 0 || failures.length > before.failures.length || starts > before.starts;
    const faults = spells.filter(harmed).map(({ what }) => what);
    if (compared + after < 2 * COMPARED) faults.push('the edges differ');
    return { spells, compared: [compared, after], faults };
  } finally {
    await cluster.end();
  }
}

/** Begins tools/cluster, and reads what it says. */
async function start() {
  const script = fileURLToPath(new URL('../../tools/cluster', import.meta.url));
  const process = spawn(script, [resolve(options.binaries), resolve(options.nats)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pages = [];
  const pids = new Map();
  let folder = '';
  for await (const line of createInterface(process.stdout)) {
    const [, name, url, , pid] = /^ {2}(\S+)\s+(\S+?:\/\/\S+)( {3}\(kill -9 (\d+) ends it\))?$/.exec(line) ?? [];
    if (pid) pids.set(name, Number(pid));
    else if (name) pages.push(url);
    [, folder] = /What each says is in (\S+)\. Ctrl-C/.exec(line) ?? ['', folder];
    if (folder) break;
  }
  if (!folder) throw new Error('tools/cluster has not come up');
  const said = (name) => readFile(join(folder, name), 'utf8');
  return {
    pages,
    kill: (name) => globalThis.process.kill(pids.get(name), 'SIGKILL'),
    /** The origin that the first edge follows. */
    followed: async () => {
      const [, url] = [...(await said('edge-1')).matchAll(/the channel is followed from (\S+)/g)].at(-1) ?? [];
      for (const origin of ['origin-a', 'origin-b']) {
        const [, watch] = /^watch\s+(\S+)\/$/m.exec(await said(origin)) ?? [];
        if (url && watch === url) return origin;
      }
      throw new Error(`edge-1 follows ${url}, which is no origin`);
    },
    end: async () => {
      process.kill('SIGTERM');
      await once(process, 'exit');
    },
  };
}

/** How often all edges have the same playlists, asked for at one version. */
async function compare(pages) {
  const bases = pages.map((page) => page.replace('/watch/', '/live/'));
  let same = 0;
  for (let round = 0; round < COMPARED; round += 1) {
    const multivariant = await Promise.all(bases.map((base) => text(`${base}/index.m3u8`)));
    const newest = await text(`${bases[0]}/video/index.m3u8`);
    const [, msn, part] = /RENDITION-REPORT:.*LAST-MSN=(\d+),LAST-PART=(\d+)/.exec(newest) ?? [];
    const media = await Promise.all(bases.map((base) => text(`${base}/audio/index.m3u8?_HLS_msn=${msn}&_HLS_part=${Number(part) + 2}`)));
    same += Number(new Set(multivariant).size === 1 && new Set(media).size === 1 && media[0].startsWith('#EXTM3U'));
  }
  return same;
}

async function text(url) {
  return (await fetch(url)).text();
}

function told({ spells, compared, faults }) {
  const row = ({ what, longestMs, stalls, stalledMs, latency }) =>
    `${what.padEnd(48)} a picture stood for ${String(longestMs).padStart(4)} ms at most, ${stalls} stalls, ${stalledMs.toFixed(0)} ms; ${latency?.toFixed(2)} s behind live`;
  return [...spells.map(row), `playlists the same on all edges: ${compared.join(' and ')} of ${COMPARED} times`, faults.join('; ') || 'as it should be'].join('\n');
}
