// Is a channel live? Asked of its playlists while nothing plays.

/** @typedef {'live' | 'ended' | 'absent' | 'unreachable'} Finding */

/**
 * `ended` is a channel whose playlists are still there, with EXT-X-ENDLIST.
 *
 * @param {string} url of the multivariant playlist
 * @param {AbortSignal} signal
 * @returns {Promise<Finding>}
 */
export async function probe(url, signal) {
  try {
    const multivariant = await playlist(url, signal);
    if (multivariant === null) return 'absent';
    const uri = multivariant.split('\n').find((line) => line.trim() && !line.startsWith('#'));
    if (uri === undefined) return 'absent';
    const media = await playlist(new URL(uri.trim(), new URL(url, location.href)).href, signal);
    if (media === null) return 'absent';
    return media.includes('#EXT-X-ENDLIST') ? 'ended' : 'live';
  } catch {
    return 'unreachable';
  }
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<string | null>} null when there is no such playlist
 */
async function playlist(url, signal) {
  const response = await fetch(url, { cache: 'no-store', signal });
  if (response.status === 404 || response.status === 410) return null;
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.text();
}
