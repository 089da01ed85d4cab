#!/usr/bin/env node
// How many edges a crowd takes: the tables of docs/sizing.md, from what was measured (tools/sizing.json).
//
//   tools/sizing.mjs [NAME=VALUE ...]   prints them; NAME=VALUE takes the place of an input: cpu_200ms=900 viewer_bitrate=6
//   tools/sizing.mjs --write            puts them into the page

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { insert, table } from './server.mjs';

const PAGE = fileURLToPath(new URL('../docs/sizing.md', import.meta.url));
const CROWDS = [10_000, 1_000_000, 25_000_000];
/** `[hls] profile`, and its parts in seconds. */
const PROFILES = { ultra: 0.2, balanced: 1 / 3, scale: 0.5 };
/** A playlist and a part, of pictures and of sound, in the time of a part. */
const REQUESTS_PER_PART = 4;
/** Edges to choose from: cores, and Mb/s of the network card. */
const NODES = [
  { name: '8 cores, 10 GbE', cores: 8, network: 10_000 },
  { name: '16 cores, 25 GbE', cores: 16, network: 25_000 },
  { name: '64 cores, 100 GbE', cores: 64, network: 100_000 },
];

const inputs = JSON.parse(await readFile(new URL('sizing.json', import.meta.url), 'utf8'));
const [write, ...rest] = process.argv[2] === '--write' ? process.argv.slice(2) : [false, ...process.argv.slice(2)];
for (const [name, value] of rest.map((arg) => arg.split('='))) {
  if (!inputs[name] || !(Number(value) >= 0)) {
    console.error(`Usage: tools/sizing.mjs [--write] [NAME=VALUE ...], where NAME is one of ${Object.keys(inputs).join(', ')}`);
    process.exit(2);
  }
  inputs[name] = { ...inputs[name], value: Number(value), from: 'the command line' };
}
const given = Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value]));
/** What a request takes, and what a megabit that is sent takes, in us: two measurements that differ in the requests alone. */
const requestCpu = (given.cpu_200ms - given.cpu_500ms) / (REQUESTS_PER_PART / PROFILES.ultra - REQUESTS_PER_PART / PROFILES.scale);
const megabitCpu = (given.cpu_500ms - (REQUESTS_PER_PART / PROFILES.scale) * requestCpu) / given.cpu_bitrate;

const profiles = Object.keys(PROFILES);
const tables = {
  inputs: table(['input', 'value', 'from'], Object.entries(inputs).map(([name, { value, unit, from }]) => [`\`${name}\``, `${number(value)} ${unit}`, from])),
  costs: table(['cost', 'us of a core'], [['a request', number(requestCpu)], ['a request by HTTP/2', number(requestCpu + given.http2_cpu)], ['a megabit, without TLS', number(megabitCpu)], ['a megabit, with TLS', number(megabitCpu + given.tls_cpu)]]),
  viewer: table(['profile', 'requests/s', 'Mb/s', 'us of a core, each second', 'viewers for each core', 'for each Gb/s'], profiles.map(viewerRow)),
  edge: table(['node', 'profile', 'by CPU', 'by network', 'viewers', 'what binds', 'their memory'], NODES.flatMap((node) => profiles.map((profile) => edgeRow(node, profile)))),
  crowd: table(['viewers', 'profile', 'Gb/s', 'requests/s', ...NODES.map(({ name }) => name)], CROWDS.flatMap((crowd) => profiles.map((profile) => crowdRow(crowd, profile)))),
  tiers: table(['viewers', 'node', 'edges', 'relays', 'each origin or relay sends, Gb/s'], CROWDS.flatMap((crowd) => NODES.map((node) => tierRow(crowd, node)))),
};
for (const [name, text] of Object.entries(tables)) {
  if (write) await insert(PAGE, name, text);
  else console.log(`${name}\n\n${text}\n`);
}

/** What a viewer takes each second. */
function viewer(profile) {
  const part = PROFILES[profile];
  const requests = REQUESTS_PER_PART / part;
  const answers = (requests * given.head + (requests / 2) * given.playlist) * 8e-6;
  const megabits = (given.viewer_bitrate + answers) * (1 + given.framing);
  return { requests, megabits, cpu: requests * (requestCpu + given.http2_cpu) + megabits * (megabitCpu + given.tls_cpu) };
}

/** How many viewers an edge carries at the peak, and why no more. */
function edge({ cores, network }, profile) {
  const { megabits, cpu } = viewer(profile);
  const byCpu = Math.floor((cores * given.cpu_used * 1e6) / cpu);
  const byNetwork = Math.floor((network * given.network_used) / megabits);
  return { byCpu, byNetwork, viewers: Math.min(byCpu, byNetwork) };
}

/** Edges for a crowd, and one that may be lost. */
function edges(crowd, node, profile) {
  return Math.ceil((crowd * given.surge) / edge(node, profile).viewers) + 1;
}

function viewerRow(profile) {
  const { requests, megabits, cpu } = viewer(profile);
  return [profile, number(requests), number(megabits), number(cpu), number(1e6 / cpu), number(1_000 / megabits)];
}

function edgeRow(node, profile) {
  const { byCpu, byNetwork, viewers } = edge(node, profile);
  const binds = byCpu < byNetwork ? 'CPU' : 'network';
  return [node.name, profile, number(byCpu), number(byNetwork), number(viewers), binds, `${number((viewers * given.viewer_memory) / 1_000)} MB`];
}

function crowdRow(crowd, profile) {
  const { requests, megabits } = viewer(profile);
  const nodes = NODES.map((node) => number(edges(crowd, node, profile)));
  return [number(crowd), profile, number((crowd * megabits) / 1_000), number(crowd * requests), ...nodes];
}

/** Relays stand between where one origin cannot feed all edges, each fed by one above. */
function tierRow(crowd, node) {
  const leaves = edges(crowd, node, 'balanced');
  const tiers = [];
  for (let below = leaves; below > given.fan_out; below = tiers[0]) tiers.unshift(Math.ceil(below / given.fan_out));
  const fed = Math.min(leaves, given.fan_out);
  return [number(crowd), node.name, number(leaves), tiers.map(number).join(', and below them ') || 'none', number((fed * given.ladder_bitrate) / 1_000)];
}

function number(value) {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toLocaleString('en-US', { maximumFractionDigits: Number.isInteger(value) ? 0 : digits });
}
