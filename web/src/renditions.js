// The renditions of a stream as a viewer is told of them.

/**
 * A rendition of the pictures, as the multivariant playlist declares it.
 *
 * @typedef {object} Variant
 * @property {number} width pixels, 0 where it is not declared
 * @property {number} height
 * @property {number} frameRate frames per second, 0 where it is not declared
 * @property {number} bitrate bits per second
 * @property {string} [codec] RFC 6381, of the pictures
 * @property {string} [sound] the same, of the sound
 */

const CODECS = { avc1: 'H.264', avc3: 'H.264', hvc1: 'HEVC', hev1: 'HEVC', av01: 'AV1', mp4a: 'AAC', Opus: 'Opus', opus: 'Opus' };

/**
 * A name for each variant, no two the same: `720p`, and where that is not enough its frame rate, its codecs, its bitrate.
 *
 * @param {Variant[]} variants
 */
export function names(variants) {
  const short = variants.map((variant) => {
    const alike = variants.filter((other) => lines(other) === lines(variant));
    /** @param {(of: Variant) => string} what */
    const where = (what) => (alike.some((other) => what(other) !== what(variant)) ? what(variant) : '');
    return [lines(variant) + where(frameRate), where(codec), where(sound)].filter(Boolean).join(' ');
  });
  return variants.map(({ bitrate }, index) => {
    const name = short[index] ?? '';
    const enough = name !== '' && short.indexOf(name) === short.lastIndexOf(name);
    return enough ? name : `${name} ${inWords(bitrate)}`.trim();
  });
}

/**
 * `3.8 Mb/s`, `640 kb/s`.
 *
 * @param {number} bitrate bits per second
 */
export function inWords(bitrate) {
  if (bitrate >= 999_500) return `${(bitrate / 1e6).toFixed(bitrate < 9_950_000 ? 1 : 0)} Mb/s`;
  return `${Math.round(bitrate / 1e3)} kb/s`;
}

/** Counts how often the rendition on the screen became another. */
export class SwitchMeter {
  count = 0;
  /** @type {string | null} */ #last = null;

  /** @param {string | null} name of what is on the screen; null while that is nothing */
  sample(name) {
    if (name === null) return;
    if (this.#last !== null && name !== this.#last) this.count += 1;
    this.#last = name;
  }
}

/** A picture that stands upright is named by its width, as one that lies is by its height. @param {Variant} variant */
function lines({ width, height }) {
  const shorter = Math.min(width || height, height);
  return shorter > 0 ? `${shorter}p` : '';
}

/** @param {Variant} variant */
function frameRate({ frameRate: rate }) {
  return rate > 0 ? String(Math.round(rate)) : '';
}

/** @param {Variant} variant */
function codec({ codec: rfc6381 = '' }) {
  return codecName(rfc6381);
}

/** @param {Variant} variant */
function sound({ sound: rfc6381 = '' }) {
  return codecName(rfc6381);
}

/** @param {string} rfc6381 */
function codecName(rfc6381) {
  return CODECS[/** @type {keyof typeof CODECS} */ (rfc6381.split('.')[0] ?? '')] ?? '';
}
