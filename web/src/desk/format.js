// Figures as people read them.

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** @param {number | null | undefined} value */
export function whole(value) {
  return value === null || value === undefined ? '–' : WHOLE.format(value);
}

/** At most three digits and a letter. @param {number | null | undefined} value */
export function short(value) {
  return value === null || value === undefined ? '–' : SHORT.format(value);
}

/** A rate: with a digit after the point as long as it is small. @param {number | null | undefined} value */
export function rate(value) {
  if (value === null || value === undefined) return '–';
  return value < 9.95 ? Math.abs(value).toFixed(1) : short(value);
}

/** @param {number | null | undefined} value */
export function bits(value) {
  if (value === null || value === undefined) return '–';
  if (value >= 999.5e6) return `${digits(value / 1e9)} Gb/s`;
  if (value >= 999.5e3) return `${digits(value / 1e6)} Mb/s`;
  return `${(value / 1e3).toFixed(0)} kb/s`;
}

/** Three of them. @param {number} value */
function digits(value) {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/** @param {number | null | undefined} value milliseconds */
export function ms(value) {
  if (value === null || value === undefined) return '–';
  return value < 9_995 ? `${value < 10 ? value.toFixed(1) : WHOLE.format(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** @param {number | null | undefined} value a share */
export function percent(value) {
  if (value === null || value === undefined) return '–';
  return `${(100 * value).toFixed(value < 0.0995 ? 2 : 1)} %`;
}

/** @param {number} value seconds */
export function span(value) {
  const seconds = Math.max(0, Math.round(value));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  return minutes > 0 ? `${minutes} min ${String(seconds % 60).padStart(2, '0')} s` : `${seconds} s`;
}

/** The time of day, here. @param {string} at */
export function clock(at) {
  return new Date(at).toLocaleTimeString('en-GB');
}

/** Words instead of a name with lines in it. @param {string} name */
export function words(name) {
  return name.replaceAll('_', ' ');
}
