use std::fmt::Write as _;

use super::*;
use crate::rtp::tests::network::{PPS, SPS};
use crate::rtp::tests::packetizer::payloads;

/// The pictures of one stream, packet by packet.
struct Bench {
    pictures: Pictures,
    form: Form,
    now: Instant,
    seen: String,
}

impl Bench {
    fn new(form: Form) -> Self {
        Self::told(form, &[])
    }

    /// Of a sender that has told of these parameter sets elsewhere.
    fn told(form: Form, sets: &[&[u8]]) -> Self {
        let sets: Vec<Vec<u8>> = sets.iter().map(|set| set.to_vec()).collect();
        Self { pictures: Pictures::new(form, &sets), form, now: Instant::now(), seen: String::new() }
    }

    /// Takes the units of a time, with a marker or not.
    fn unit(&mut self, timestamp: u32, marker: bool, units: &[&[u8]]) -> &mut Self {
        let units: Vec<Vec<u8>> = units.iter().map(|unit| unit.to_vec()).collect();
        let payloads = payloads(self.form, &units, 60);
        let count = payloads.len();
        for (n, payload) in payloads.into_iter().enumerate() {
            self.payload(timestamp, marker && n + 1 == count, &payload);
        }
        self
    }

    fn payload(&mut self, timestamp: u32, marker: bool, payload: &[u8]) -> &mut Self {
        let packet = Packet { sequence: 0, timestamp, marker, payload: Bytes::copy_from_slice(payload) };
        let mut events = Vec::new();
        self.pictures.push(&packet, self.now, &mut events);
        self.tell(events);
        self
    }

    fn lose(&mut self) -> &mut Self {
        self.pictures.lose();
        self
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Configuration(format) => writeln!(self.seen, "{}", format.codec()),
                Event::Unit(unit) => {
                    let key = if unit.sync { " key" } else { "" };
                    write!(self.seen, "{}{key} ", unit.timestamp).unwrap();
                    unit.data.iter().for_each(|byte| write!(self.seen, "{byte:02x}").unwrap());
                    writeln!(self.seen)
                }
                Event::Dropped(damage) => writeln!(self.seen, "drops: {damage}"),
            }
            .unwrap();
        }
    }

    fn end(&mut self) -> &str {
        let mut events = Vec::new();
        self.pictures.finish(&mut events);
        self.tell(events);
        &self.seen
    }
}

const AUD: &[u8] = &[9, 0xf0];
const IDR: &[u8] = &[0x65, 1];
const SLICE: &[u8] = &[0x41, 2];

#[test]
fn an_access_unit_ends_with_its_marker_or_where_another_time_begins() {
    let mut bench = Bench::new(Form::H264);
    bench.unit(0, true, &[AUD, SPS, PPS, IDR, IDR]).unit(1, false, &[SLICE]).payload(1, false, &[]).unit(
        2,
        false,
        &[SLICE],
    );
    assert_eq!(bench.end(), "avc1.64000d\n0 key 000000026501000000026501\n1 000000024102\n2 000000024102\n");
}

#[test]
fn what_comes_before_the_first_keyframe_is_dropped() {
    let mut bench = Bench::new(Form::H264);
    bench.unit(0, true, &[SLICE]).unit(1, true, &[IDR]).unit(2, true, &[SPS, PPS]).unit(3, true, &[IDR]);
    assert_eq!(
        bench.end(),
        "drops: no keyframe with its parameter sets has come yet\n\
         drops: no keyframe with its parameter sets has come yet\n\
         avc1.64000d\n3 key 000000026501\n"
    );
}

#[test]
fn after_a_gap_pictures_go_on_at_a_keyframe_whose_beginning_is_there() {
    let begin = |bench: &mut Bench| {
        bench.unit(0, true, &[SPS, PPS, IDR]);
        bench.seen.clear();
    };
    let mut bench = Bench::new(Form::H264);
    begin(&mut bench);
    // Within a picture; then the keyframe after it is whole.
    bench.unit(1, false, &[SLICE]).lose().unit(1, true, &[SLICE]).unit(2, true, &[SLICE]).unit(
        3,
        true,
        &[SPS, PPS, IDR],
    );
    assert_eq!(
        bench.end(),
        "drops: packets of it are missing\n\
         drops: a picture before it was lost, and no keyframe has come since\n\
         3 key 000000026501\n"
    );
    // From one picture into the next, a keyframe.
    let mut bench = Bench::new(Form::H264);
    begin(&mut bench);
    bench.unit(1, false, &[SLICE]).lose().unit(2, true, &[IDR]).unit(3, true, &[SPS, PPS, IDR]);
    let twice = "drops: packets of it are missing\n".repeat(2);
    assert_eq!(bench.end(), format!("{twice}3 key 000000026501\n"));
    // Between pictures.
    let mut bench = Bench::new(Form::H264);
    begin(&mut bench);
    bench.lose().unit(2, true, &[SPS, PPS, IDR]);
    assert_eq!(bench.end(), "2 key 000000026501\n");
}

#[test]
fn a_payload_that_is_damaged_costs_its_picture_and_what_refers_to_it() {
    let mut bench = Bench::new(Form::H264);
    bench.unit(0, true, &[SPS, PPS, IDR]).payload(1, false, &[0x78, 0, 9, 1]).unit(1, true, &[SLICE]).unit(
        2,
        true,
        &[SLICE],
    );
    assert!(bench.pictures.awaits_keyframe());
    assert!(bench.end().ends_with(
        "drops: a payload is damaged: an aggregation is cut short\n\
         drops: a picture before it was lost, and no keyframe has come since\n"
    ));
    let mut bench = Bench::new(Form::H264);
    bench.payload(0, true, &[0x7c, 0x85, 1]);
    assert_eq!(bench.end(), "drops: a payload is damaged: the last unit has no end\n");
}

#[test]
fn a_keyframe_whose_parameter_sets_do_not_parse_is_dropped() {
    let mut bench = Bench::new(Form::H264);
    bench.unit(0, true, &[&[0x67, 0x64], PPS, IDR]).unit(1, true, &[SPS, PPS, IDR]);
    assert_eq!(
        bench.end(),
        "drops: H.264 sequence parameter set is cut short: 2 bytes\navc1.64000d\n1 key 000000026501\n"
    );
}

#[test]
fn parameter_sets_that_were_told_elsewhere_hold_until_others_come() {
    let mut other = SPS.to_vec();
    other[3] = 0x0c;
    let mut bench = Bench::told(Form::H264, &[SPS, PPS]);
    bench.unit(0, true, &[SLICE]).unit(1, true, &[IDR]).unit(2, true, &[SLICE]).unit(3, true, &[&other, PPS, IDR]);
    assert_eq!(
        bench.end(),
        "drops: no keyframe with its parameter sets has come yet\n\
         avc1.64000d\n1 key 000000026501\n2 000000024102\n\
         avc1.64000c\n3 key 000000026501\n"
    );
    let [vps, sps, pps] = HEVC_SETS;
    let mut bench = Bench::told(Form::H265, &[vps, sps, pps]);
    bench.unit(0, true, &[&[19 << 1, 1, 9]]);
    assert_eq!(bench.end(), "hvc1.1.6.L30.90\n0 key 00000003260109\n");
    // Such as nobody can begin with, and what is none.
    let mut bench = Bench::told(Form::H264, &[&[0x67, 0x64], PPS, IDR]);
    bench.unit(0, true, &[IDR]).unit(1, true, &[SPS, PPS, IDR]);
    assert_eq!(
        bench.end(),
        "drops: H.264 sequence parameter set is cut short: 2 bytes\navc1.64000d\n1 key 000000026501\n"
    );
}

/// x265 at 160x90.
const HEVC_SETS: [&[u8]; 3] = [
    b"\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x90\x09",
    b"\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x14\x20\x61\xf2\x65\x95\x91\x29\x30\
      \xbc\x05\xa0\x20\0\0\x03\0\x20\0\0\x03\x03\xc1",
    b"\x44\x01\xc0\x73\xc1\x89",
];

#[test]
fn hevc_begins_at_a_picture_of_random_access_and_leaves_out_those_that_lead_it() {
    let [vps, sps, pps] = HEVC_SETS;
    // CRA, RASL, and a trailing picture.
    let (cra, rasl, trail): (&[u8], &[u8], &[u8]) = (&[21 << 1, 1, 9], &[9 << 1, 1, 8], &[1 << 1, 1, 7]);
    let mut bench = Bench::new(Form::H265);
    bench.unit(0, true, &[trail]).unit(1, true, &[vps, sps, pps, cra]).unit(2, true, &[rasl]).unit(3, true, &[trail]);
    assert_eq!(
        bench.end(),
        "drops: no keyframe with its parameter sets has come yet\n\
         hvc1.1.6.L30.90\n1 key 000000032a0109\n\
         drops: a picture refers to what was before the keyframe\n\
         3 00000003020107\n"
    );
    assert!(!bench.pictures.awaits_keyframe());
}

#[test]
fn obus_of_av1_get_their_sizes_and_temporal_delimiters_go() {
    /// libaom at 160x90.
    const HEADER: &[u8] = b"\x08\0\0\0\x03\xb4\xfd\x93\x6b\xe4\x01";
    let (delimiter, key, other): (&[u8], &[u8], &[u8]) = (&[0x10], &[0x30, 0x10, 5], &[0x34, 0x28, 0x30, 6]);
    let mut bench = Bench::new(Form::Av1);
    bench.unit(0, true, &[other]).unit(1, true, &[delimiter, HEADER, key]).unit(2, true, &[other]);
    bench.lose().unit(3, true, &[key]).unit(4, true, &[HEADER, key]);
    assert_eq!(
        bench.end(),
        "drops: no keyframe with its parameter sets has come yet\n\
         av01.0.00M.08\n1 key 0a0a00000003b4fd936be40132021005\n2 3628023006\n\
         drops: packets of it are missing\n\
         4 key 0a0a00000003b4fd936be40132021005\n"
    );
}
