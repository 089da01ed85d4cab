/// What a demuxer has met with since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets of 188 bytes, all of them.
    pub packets: u64,
    /// Packets that only fill up the bit rate.
    pub null_packets: u64,
    /// Packets of streams that are not taken.
    pub unclaimed_packets: u64,
    /// Packets that came twice, which is allowed (ISO/IEC 13818-1 2.4.3.3).
    pub duplicates: u64,
    /// Places where packets of a stream are missing, by its continuity counter.
    pub gaps: u64,
    /// Places where whoever delivers the bytes has said that some are missing.
    pub told_gaps: u64,
    /// Places where packets did not begin where the one before ended.
    pub resyncs: u64,
    /// Bytes that were in no packet.
    pub skipped_bytes: u64,
    /// Packets that came with the transport error indicator set, or with a header that contradicts itself.
    pub bad_packets: u64,
    /// Packets that are scrambled.
    pub scrambled_packets: u64,
    /// Sections (of tables and of cues) whose checksum is wrong, or whose parts are missing.
    pub bad_sections: u64,
    /// Access units that were handed on.
    pub units: u64,
    /// PES packets that were dropped whole because something in them is missing or wrong.
    pub damaged_pes: u64,
    /// Access units that were dropped because nothing says when they are due.
    pub untimed_units: u64,
    /// Pictures that were dropped because there was no keyframe yet, or none after damage.
    pub skipped_pictures: u64,
    /// Cues and other timed metadata.
    pub metadata: u64,
}

impl Counters {
    /// The counters that tell of trouble, by name.
    pub fn troubles(&self) -> [(&'static str, u64); 11] {
        [
            ("duplicates", self.duplicates),
            ("gaps", self.gaps),
            ("told_gaps", self.told_gaps),
            ("resyncs", self.resyncs),
            ("bad_packets", self.bad_packets),
            ("scrambled_packets", self.scrambled_packets),
            ("bad_sections", self.bad_sections),
            ("damaged_pes", self.damaged_pes),
            ("untimed_units", self.untimed_units),
            ("skipped_pictures", self.skipped_pictures),
            ("skipped_bytes", self.skipped_bytes),
        ]
    }
}
