// What has to be read and written of session descriptions (RFC 8866). The browser does the rest.

/**
 * The ICE part of an offer, for a PATCH (RFC 8840 9): of the first medium alone, which carries all others.
 *
 * @param {string} offer
 */
export function fragment(offer) {
  const lines = offer.split(/\r?\n/);
  const first = lines.findIndex((line) => line.startsWith('m='));
  const second = lines.findIndex((line, index) => index > first && line.startsWith('m='));
  const session = lines.slice(0, first).filter((line) => /^a=(group:BUNDLE|ice-options|ice-lite|ice-ufrag|ice-pwd)\b/.test(line));
  const medium = lines
    .slice(first, second < 0 ? lines.length : second)
    .filter((line) => /^(m=|a=(mid|ice-ufrag|ice-pwd|candidate|end-of-candidates)\b)/.test(line));
  return [...session, ...medium, ''].join('\r\n');
}

/**
 * An answer with the ICE part of a fragment in place of its own.
 *
 * @param {string} answer
 * @param {string} fragment the server's
 */
export function withIce(answer, fragment) {
  const theirs = fragment.split(/\r?\n/);
  const [ufrag, password] = ['a=ice-ufrag:', 'a=ice-pwd:'].map((name) => theirs.find((line) => line.startsWith(name)));
  if (!ufrag || !password) throw new Error('the server’s answer to an ICE restart has no credentials');
  const candidates = theirs.filter((line) => line.startsWith('a=candidate:'));
  const lines = answer.split(/\r?\n/).flatMap((line) => {
    if (line.startsWith('a=ice-ufrag:')) return [ufrag];
    // Those of the server stand behind its password; without new ones the old ones hold.
    if (line.startsWith('a=ice-pwd:')) return [password, ...candidates];
    return candidates.length > 0 && line.startsWith('a=candidate:') ? [] : [line];
  });
  return lines.join('\r\n');
}

/**
 * Codecs in the order in which they are offered: H.264 of whole access units first, which every player knows. Those that no HLS
 * player knows are left out, unless there are no others.
 *
 * @template {{ mimeType: string, sdpFmtpLine?: string }} T
 * @param {T[]} codecs
 * @returns {T[]}
 */
export function preferred(codecs) {
  const rank = (/** @type {T} */ { mimeType, sdpFmtpLine = '' }) => {
    const order = ['video/h264', 'video/h265', 'video/av1'].indexOf(mimeType.toLowerCase());
    // RFC 6184 6.3: without packetization mode 1, a picture is one packet.
    return order === 0 && !sdpFmtpLine.includes('packetization-mode=1') ? 0.5 : order;
  };
  const known = codecs.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b));
  const repair = codecs.filter(({ mimeType }) => mimeType.toLowerCase() === 'video/rtx');
  return known.length > 0 ? [...known, ...repair] : codecs;
}
