// A browser publishes on the publish page, with a camera that is none; another one watches.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { FAKE_DEVICES, launch } from './browser.mjs';
import { startServer } from './stage.mjs';

const KEY = 's3cret';
const DESKTOP = { width: 1280, height: 860 };
const PHONE = { width: 360, height: 740 };
/** Nothing here takes longer than this unless it is broken, in milliseconds. */
const PATIENCE_MS = 30_000;
/** The picture is small, so that it fits beside two browsers on two cores. */
const SMALL = { height: '360', bitrate: '800', frameRate: '25' };

let browser;
let server;

before(async () => {
  server = await startServer({ grace: '20s', key: KEY });
  browser = await launch(FAKE_DEVICES);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test('a page publishes, another one plays it, and stopping ends it', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const { page, complaints } = await open(context, `${server.watch}/publish/camera#key=${KEY}`);
  assert.equal(page.url(), `${server.watch}/publish/camera`, 'the key does not stay in the address');
  await small(page);
  await page.getByRole('button', { name: 'Go live' }).click();
  await page.locator('#badge', { hasText: 'On air' }).waitFor({ timeout: PATIENCE_MS });

  const { page: viewer, complaints: viewers } = await open(context, `${server.watch}/watch/camera`);
  await viewer.waitForFunction(() => window.touchline.stats.frames > 20, null, { timeout: PATIENCE_MS });
  const { height, failures } = await viewer.evaluate(() => window.touchline.stats);
  assert.deepEqual({ height, failures }, { height: 360, failures: [] });

  const figure = (name) => page.locator(`[data-stat="${name}"]`);
  await figure('picture').filter({ hasText: '640×360H.264' }).waitFor({ timeout: PATIENCE_MS });
  await figure('bitrate').filter({ hasText: /b\/s$/ }).waitFor();
  await figure('keyframes').filter({ hasText: /s$/ }).waitFor({ timeout: PATIENCE_MS });
  await figure('loss').filter({ hasText: /^0/ }).waitFor();

  await page.getByRole('button', { name: 'Mute' }).click();
  await page.getByRole('button', { name: 'Muted', pressed: true }).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.locator('#badge', { hasText: 'Off air' }).waitFor();
  await published(server, 0);
  assert.deepEqual([complaints, viewers], [[], []]);
});

test('each refusal is told in words, by which it can be put right', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const { page } = await open(context, `${server.watch}/publish/words`);
  await small(page);
  await page.getByLabel('Publish key').fill('wrong');
  await page.getByRole('button', { name: 'Go live' }).click();
  await problem(page, 'Wrong publish key');
  await page.getByLabel('Publish key').fill(KEY);
  await page.getByRole('button', { name: 'Go live' }).click();
  await page.locator('#badge', { hasText: 'On air' }).waitFor({ timeout: PATIENCE_MS });
  assert.equal(await page.locator('#problem').textContent(), '');

  const { page: second } = await open(context, `${server.watch}/publish/words#key=${KEY}`);
  await small(second);
  await second.getByRole('button', { name: 'Go live' }).click();
  await problem(second, 'words is taken');

  // Closing the page is taking leave: the channel is free at once.
  await page.goto('about:blank');
  await published(server, 0);
});

test('a page that loses its session publishes again by itself', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const { page, complaints } = await open(context, `${server.watch}/publish/returns#key=${KEY}`);
  const created = page.waitForResponse((response) => response.request().method() === 'POST');
  await small(page);
  await page.getByRole('button', { name: 'Go live' }).click();
  const session = new URL((await created).headers().location, server.watch);
  await page.locator('#badge', { hasText: 'On air' }).waitFor({ timeout: PATIENCE_MS });
  const ended = await fetch(session, { method: 'DELETE', headers: { Authorization: `Bearer ${KEY}` } });
  assert.equal(ended.status, 200);
  await page.getByText('The server has ended the session').waitFor({ timeout: PATIENCE_MS });
  await page.waitForFunction(() => window.touchline.stats.starts === 2 && window.touchline.stats.phase === 'live', null, { timeout: PATIENCE_MS });
  assert.deepEqual(complaints, []);
  await page.goto('about:blank');
});

test('a page whose way to the server breaks finds another one for the same session', { timeout: 2 * PATIENCE_MS }, async (context) => {
  const { page, complaints } = await open(context, `${server.watch}/publish/moves#key=${KEY}`);
  await small(page);
  await page.getByRole('button', { name: 'Go live' }).click();
  await page.locator('#badge', { hasText: 'On air' }).waitFor({ timeout: PATIENCE_MS });
  const restarted = page.waitForResponse((response) => response.request().method() === 'PATCH');
  const credentials = () => page.evaluate(() => /a=ice-ufrag:(.*)/.exec(window.peers[0].remoteDescription.sdp)[1]);
  const before = await credentials();
  // As after a change of the network, which a test cannot make.
  await page.evaluate(() => {
    const [peer] = window.peers;
    Object.defineProperty(peer, 'connectionState', { configurable: true, get: () => 'failed' });
    peer.dispatchEvent(new Event('connectionstatechange'));
    delete peer.connectionState;
  });
  assert.equal((await restarted).status(), 200);
  await page.waitForFunction((old) => !window.peers[0].remoteDescription.sdp.includes(`a=ice-ufrag:${old}`), before, { timeout: PATIENCE_MS });
  const samples = () => page.evaluate(() => window.touchline.stats.report?.tracks[0]?.samples ?? 0);
  const then = await samples();
  while ((await samples()) < then + 20) await page.waitForTimeout(100);
  const { starts, phase } = await page.evaluate(() => window.touchline.stats);
  assert.deepEqual({ starts, phase, complaints }, { starts: 1, phase: 'live', complaints: [] });
  await page.goto('about:blank');
});

test('an insecure page says that it needs HTTPS, and nothing sticks out on a phone', { timeout: PATIENCE_MS }, async (context) => {
  const { page } = await open(context, `${server.watch}/publish/a-channel-with-a-rather-long-name`, { viewport: PHONE, colorScheme: 'light' });
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('button', { name: 'Close' }).waitFor({ timeout: PATIENCE_MS });
  const { content, window } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: innerWidth }));
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window} px`);
  const { page: insecure } = await open(context, server.watch.replace('127.0.0.1', 'studio.test') + '/publish/main');
  await problem(insecure, 'This page needs HTTPS');
  assert.ok(await insecure.getByRole('button', { name: 'Go live' }).isDisabled());
});

/** Opens a page; notes its connections and what it complains about. The host `studio.test` is the server, by an insecure address. */
async function open(context, url, options = { viewport: DESKTOP }) {
  const window = await browser.newContext(options);
  context.after(() => window.close());
  const page = await window.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('console', (message) => {
    // The browser itself notes every refusal.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  await page.route('http://studio.test:*/**', async (route) => {
    const response = await fetch(route.request().url().replace('studio.test', '127.0.0.1'));
    await route.fulfill({ status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() });
  });
  await page.addInitScript(() => {
    const Peer = window.RTCPeerConnection;
    window.peers = [];
    window.RTCPeerConnection = class extends Peer {
      constructor(...settings) {
        super(...settings);
        window.peers.push(this);
      }
    };
  });
  await page.goto(url);
  return { page, complaints };
}

async function small(page) {
  for (const [name, value] of Object.entries(SMALL)) await page.locator(`select[name="${name}"]`).selectOption(value);
}

function problem(page, title) {
  return page.getByRole('alert').getByText(title).waitFor({ timeout: PATIENCE_MS });
}

/** Waits until so many publish. */
async function published({ admin }, count) {
  for (;;) {
    const publishers = await (await fetch(`${admin}/api/v1/publishers`)).json();
    if (publishers.length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
