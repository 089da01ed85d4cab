//! What several targets need: `seed` writes inputs in the same form.

/// Cuts an input into pieces, each behind its length in two bytes, the high one first. The last may be shorter than it says.
pub fn pieces(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = input.split_first_chunk()?;
        let (piece, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        input = rest;
        Some(piece)
    })
}
