//! Sections (ISO/IEC 13818-1 2.4.4): tables and cues, cut into packets.

/// The longest section, in bytes (2.4.4.11: a length of 4093 and the three bytes before its end).
pub(super) const MAX_LEN: usize = 4_096;

/// Bytes up to and with the length of a section.
const HEAD_LEN: usize = 3;
/// A `table_id` that no section has: the rest of the packet is filled up (2.4.4).
const STUFFING: u8 = 0xff;

/// Puts the sections of one PID together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    buffer: Vec<u8>,
    open: bool,
}

/// Whole sections with right checksums, and how many others there were.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) whole: Vec<Vec<u8>>,
    pub(super) bad: u64,
}

impl Assembler {
    /// Takes the payload of the next packet, in which a section may start.
    pub(super) fn push(&mut self, payload: &[u8], starts: bool) -> Sections {
        let mut sections = Sections::default();
        if !starts {
            self.append(payload, &mut sections);
            return sections;
        }
        // 2.4.4.2: the pointer field says how much of the section before is left.
        let pointed = payload.split_first().and_then(|(&len, rest)| rest.split_at_checked(usize::from(len)));
        let Some((end, start)) = pointed else {
            sections.bad += 1;
            self.lose();
            return sections;
        };
        self.append(end, &mut sections);
        if self.open && !self.buffer.is_empty() {
            sections.bad += 1;
        }
        self.buffer.clear();
        self.open = true;
        self.append(start, &mut sections);
        sections
    }

    /// Drops what is there of a section. Whether there was anything.
    pub(super) fn lose(&mut self) -> bool {
        let open = std::mem::take(&mut self.open) && !self.buffer.is_empty();
        self.buffer.clear();
        open
    }

    fn append(&mut self, data: &[u8], sections: &mut Sections) {
        if !self.open {
            return;
        }
        self.buffer.extend_from_slice(data);
        while let Some(section) = self.take() {
            // Whoever tries bytes at random does not find the one checksum in four billion that is right.
            if checksum(&section) == 0 || cfg!(feature = "fuzzing") {
                sections.whole.push(section);
            } else {
                sections.bad += 1;
            }
        }
    }

    /// The section at the front of the buffer, if it is whole.
    fn take(&mut self) -> Option<Vec<u8>> {
        let &[table, high, low] = self.buffer.first_chunk::<HEAD_LEN>().or_else(|| self.stuffing())?;
        if table == STUFFING {
            self.lose();
            return None;
        }
        let len = HEAD_LEN + usize::from(u16::from_be_bytes([high & 0x0f, low]));
        let rest = (self.buffer.len() >= len).then(|| self.buffer.split_off(len))?;
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// A packet may end within what would be the head of a section.
    fn stuffing(&self) -> Option<&[u8; HEAD_LEN]> {
        (self.buffer.first() == Some(&STUFFING)).then_some(&[STUFFING; HEAD_LEN])
    }
}

/// The CRC of annex A over a section that ends with it: zero if it is right.
fn checksum(section: &[u8]) -> u32 {
    section.iter().fold(u32::MAX, |crc, &byte| {
        let at = (crc >> 24) as u8 ^ byte;
        crc << 8 ^ CRC.get(usize::from(at)).copied().unwrap_or(0)
    })
}

const CRC: [u32; 256] = crc_table();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        let (mut crc, mut bit) = ((n as u32) << 24, 0);
        while bit < 8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

/// A section that ends with its checksum, for tests.
#[cfg(test)]
pub(super) fn with_checksum(mut section: Vec<u8>) -> Vec<u8> {
    let crc = checksum(&section);
    section.extend_from_slice(&crc.to_be_bytes());
    section
}
