// Reads the machine-readable frame clock. Its layout is documented in loadtest/src/frame_clock.rs.
// The functions also run inside a page, so they use nothing from outside this file.

export const COLUMNS = 32;
export const ROWS = 2;
/** The clock covers this much of the picture's width and height. */
export const WIDTH_SHARE = COLUMNS / 64;
export const HEIGHT_SHARE = ROWS / 36;

const TIME_MODULUS = 2 ** 40;
/** Between black (0) and white (255) of a canvas. */
const THRESHOLD = 127;

/**
 * Reads the clock from the RGBA pixels of the part of the picture that it covers; null when there is none or it is damaged.
 *
 * @param {Uint8ClampedArray} rgba
 * @param {number} width pixels in a row
 * @param {number} height rows
 * @param {number} now the reader's Unix milliseconds, for the bits of the time that are not shown
 */
export function decode(rgba, width, height, now) {
  const bytes = new Uint8Array(8);
  for (let bit = 0; bit < COLUMNS * ROWS; bit += 1) {
    const column = bit % COLUMNS;
    const row = Math.floor(bit / COLUMNS);
    if (meanOfCell(rgba, width, height, column, row) > THRESHOLD) bytes[bit >> 3] |= 0x80 >> (bit & 7);
  }
  return parse(bytes, now);
}

/**
 * @param {Uint8Array} bytes the eight bytes of the codeword
 * @param {number} now the reader's Unix milliseconds
 * @returns {{ unixMs: number, sequence: number } | null}
 */
export function parse(bytes, now) {
  if (crc16(bytes.subarray(0, 6)) !== bytes[6] * 256 + bytes[7]) return null;
  const shown = bytes.subarray(0, 5).reduce((value, byte) => value * 256 + byte, 0);
  const turns = Math.round((now - shown) / TIME_MODULUS);
  return { unixMs: shown + turns * TIME_MODULUS, sequence: bytes[5] };
}

/** CRC-16/IBM-3740: polynomial 0x1021, initial value 0xffff. */
export function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** The mean brightness of the inner half of a cell. */
function meanOfCell(rgba, width, height, column, row) {
  const [cellWidth, cellHeight] = [width / COLUMNS, height / ROWS];
  const [left, right] = [Math.floor((column + 0.25) * cellWidth), Math.ceil((column + 0.75) * cellWidth)];
  const [top, bottom] = [Math.floor((row + 0.25) * cellHeight), Math.ceil((row + 0.75) * cellHeight)];
  let sum = 0;
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const pixel = 4 * (y * width + x);
      sum += rgba[pixel] + rgba[pixel + 1] + rgba[pixel + 2];
    }
  }
  return sum / (3 * (right - left) * (bottom - top));
}
