import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { COLUMNS, ROWS, crc16, decode, parse } from './frame-clock.mjs';

/** The vectors that the encoder's tests read too: Unix milliseconds, sequence, the bytes of the codeword. */
async function vectors() {
  const text = await readFile(new URL('../../loadtest/frame_clock_vectors.txt', import.meta.url), 'utf8');
  const lines = text.trim().split('\n').filter((line) => !line.startsWith('#'));
  return lines.map((line) => line.split(' ')).map(([unixMs, sequence, codeword]) => ({
    unixMs: Number(unixMs),
    sequence: Number(sequence),
    bytes: new Uint8Array(Buffer.from(codeword, 'hex')),
  }));
}

/** The clock as a canvas would hold it, with cells of `size` pixels. */
function draw(bytes, size, brightness = (bit) => (bit ? 255 : 0)) {
  const width = COLUMNS * size;
  const rgba = new Uint8ClampedArray(4 * width * ROWS * size);
  for (let pixel = 0; pixel < rgba.length / 4; pixel += 1) {
    const [column, row] = [Math.floor((pixel % width) / size), Math.floor(pixel / width / size)];
    const bit = row * COLUMNS + column;
    rgba.fill(brightness((bytes[bit >> 3] >> (7 - (bit & 7))) & 1, pixel), 4 * pixel, 4 * pixel + 4);
  }
  return [rgba, width, ROWS * size];
}

/** A smaller picture of the same: each pixel is the mean of what it covers. */
function scaled([rgba, width, height], share) {
  const [columns, rows] = [Math.round(width * share), Math.round(height * share)];
  const smaller = new Uint8ClampedArray(4 * columns * rows);
  const covered = (pixel, of, from) => {
    const [begin, end] = [(pixel * from) / of, ((pixel + 1) * from) / of];
    const whole = Array.from({ length: Math.ceil(end) - Math.floor(begin) }, (_, step) => Math.floor(begin) + step);
    return whole.map((at) => [at, (Math.min(at + 1, end) - Math.max(at, begin)) / (end - begin)]);
  };
  for (let y = 0; y < rows; y += 1) {
    const across = covered(y, rows, height);
    for (let x = 0; x < columns; x += 1) {
      const along = covered(x, columns, width);
      const sum = across.reduce((all, [row, tall]) => all + along.reduce((line, [column, wide]) => line + wide * rgba[4 * (row * width + column)], 0) * tall, 0);
      smaller.fill(sum, 4 * (y * columns + x), 4 * (y * columns + x) + 4);
    }
  }
  return [smaller, columns, rows];
}

test('reads the vectors shared with the encoder', async () => {
  const all = await vectors();
  assert.equal(all.length, 5);
  for (const { unixMs, sequence, bytes } of all) assert.deepEqual(parse(bytes, unixMs + 900), { unixMs, sequence });
});

test('reads them from pixels, also small and noisy ones', async () => {
  for (const { unixMs, sequence, bytes } of await vectors()) {
    for (const size of [5, 10, 20]) {
      assert.deepEqual(decode(...draw(bytes, size), unixMs), { unixMs, sequence });
      const noisy = draw(bytes, size, (bit, pixel) => (bit ? 190 : 60) + ((pixel * 7919) % 97) - 48);
      assert.deepEqual(decode(...noisy, unixMs), { unixMs, sequence });
    }
  }
});

test('reads them from renditions of fewer lines, whose cells are no whole number of pixels', async () => {
  for (const { unixMs, sequence, bytes } of await vectors()) {
    for (const lines of [480, 360, 240]) {
      assert.deepEqual(decode(...scaled(draw(bytes, 20), lines / 720), unixMs), { unixMs, sequence }, `${lines} lines`);
    }
  }
});

test('a damaged clock and a picture without one read as null', async () => {
  const [{ bytes }] = (await vectors()).slice(2);
  for (let bit = 0; bit < 64; bit += 1) {
    const damaged = bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(parse(damaged, 0), null);
  }
  for (const shade of [0, 110, 255]) assert.equal(decode(...draw(bytes, 10, () => shade), 0), null);
});

test('the CRC is CRC-16/IBM-3740', () => {
  assert.equal(crc16(new TextEncoder().encode('123456789')), 0x29b1);
});
