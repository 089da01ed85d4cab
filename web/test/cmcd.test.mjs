import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Reports } from '../src/cmcd.js';

const playing = { doing: 'playing', startupMs: 420.4, latencyMs: 1_834.6, throughputKbps: 5_100, stalledMs: 0, errors: 0 };

test('a report is made when something changes, and every five seconds', () => {
  const reports = new Reports('abc');
  const at = (seconds, state) => reports.look(1000 * seconds, 1_000 + 1000 * seconds, { ...playing, ...state });
  assert.equal(at(0, { doing: 'starting', startupMs: null, latencyMs: null }), 'e=ps,mtp=5100,sid="abc",sta=s,ts=1000,v=2');
  assert.equal(at(1, {}), 'e=ps,ltc=1835,msd=420,mtp=5100,sid="abc",sta=p,ts=2000,v=2');
  assert.equal(at(2, {}), null);
  assert.equal(at(6, {}), 'e=t,ltc=1835,mtp=5100,sid="abc",sta=p,ts=7000,v=2');
});

test('what has stood still is told once, and so are errors', () => {
  const reports = new Reports('abc');
  const at = (seconds, state) => reports.look(1000 * seconds, 0, { ...playing, startupMs: null, throughputKbps: null, ...state });
  at(0, {});
  assert.equal(at(1, { doing: 'rebuffering', stalledMs: 300 }), 'bs,bsd=300,e=ps,sid="abc",sta=r,ts=0,v=2');
  assert.equal(at(2, { stalledMs: 800 }), 'bs,bsd=500,e=ps,ltc=1835,sid="abc",sta=p,ts=0,v=2');
  assert.equal(at(3, { stalledMs: 800, errors: 1 }), 'e=e,ec=("player"),ltc=1835,sid="abc",sta=p,ts=0,v=2');
  assert.equal(at(4, { stalledMs: 800, errors: 1 }), null);
  assert.equal(reports.leave(9.4), 'e=ps,sid="abc",sta=q,ts=9,v=2');
});
