use proptest::prelude::*;

use super::*;
use crate::rtp::tests::packetizer::payloads;

fn read(form: Form, payloads: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Damage> {
    let mut assembly = Assembly::default();
    payloads.iter().try_for_each(|payload| form.read(payload, &mut assembly))?;
    assert!(!assembly.is_open());
    Ok(assembly.units().into_iter().map(<[u8]>::to_vec).collect())
}

/// A unit of a form, of a type that is no payload structure, and so many bytes behind its header.
fn unit(form: Form, kind: u8, len: usize) -> Vec<u8> {
    let mut unit = match form {
        Form::H264 => vec![0x60 | (1 + kind % 23)],
        Form::H265 => vec![(kind % 48) << 1, 1],
        Form::Av1 => vec![(kind % 16) << 3],
    };
    unit.extend((0..len).map(|n| u8::try_from((n + usize::from(kind)) % 251).unwrap()));
    unit
}

const FORMS: [Form; 3] = [Form::H264, Form::H265, Form::Av1];

proptest! {
    #[test]
    fn what_a_sender_takes_apart_is_put_together(
        units in prop::collection::vec((any::<u8>(), prop_oneof![1..40_usize, 1..3_000_usize]), 1..12),
        mtu in 20..1_300_usize,
    ) {
        for form in FORMS {
            let units: Vec<Vec<u8>> = units.iter().map(|(kind, len)| unit(form, *kind, *len)).collect();
            let payloads = payloads(form, &units, mtu);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= mtu));
            prop_assert_eq!(read(form, &payloads), Ok(units), "{:?}", form);
        }
    }

    #[test]
    fn a_fragment_that_is_missing_is_noticed_unless_it_was_whole(
        len in 200..3_000_usize, lost in any::<prop::sample::Index>(),
    ) {
        for form in FORMS {
            let mut payloads = payloads(form, &[unit(form, 1, len)], 100);
            let lost = lost.index(payloads.len());
            payloads.remove(lost);
            let mut assembly = Assembly::default();
            let read = payloads.iter().try_for_each(|payload| form.read(payload, &mut assembly));
            // One from the middle leaves no trace: sequence numbers tell of it.
            if lost == 0 {
                prop_assert!(read.is_err());
            } else if lost == payloads.len() {
                prop_assert!(assembly.is_open());
            }
        }
    }

    #[test]
    fn any_payloads_are_read_or_refused(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
    ) {
        for form in FORMS {
            let mut assembly = Assembly::default();
            for payload in &payloads {
                let _ = form.read(payload, &mut assembly);
                prop_assert!(assembly.units().iter().all(|unit| !unit.is_empty()));
            }
        }
    }
}

#[test]
fn payloads_of_the_specifications_are_read() {
    // RFC 6184 5.7.1 figure 7: a STAP-A of two; 5.8: a unit of type 5 in two fragments; 5.2: types to be passed over.
    let stap = b"\x78\0\x02\x67\x01\0\x03\x68\x02\x03".to_vec();
    let fragments = [b"\x7c\x85\x01\x02".to_vec(), b"\x7c\x45\x03".to_vec()];
    let units = read(Form::H264, &[vec![stap], fragments.to_vec(), vec![vec![31, 9]]].concat());
    assert_eq!(units.unwrap(), [&b"\x67\x01"[..], b"\x68\x02\x03", b"\x65\x01\x02\x03"]);
    // RFC 7798 4.4.2 and 4.4.3: the type is in the fragment's header, the layer and the temporal id in the payload's.
    let aggregation = b"\x60\x01\0\x03\x40\x01\x0c\0\x03\x42\x01\x01".to_vec();
    let fragments = [b"\x62\x02\x93\x01".to_vec(), b"\x62\x02\x53\x02".to_vec()];
    let units = read(Form::H265, &[vec![aggregation], fragments.to_vec()].concat());
    assert_eq!(units.unwrap(), [&b"\x40\x01\x0c"[..], b"\x42\x01\x01", b"\x26\x02\x01\x02"]);
    // AV1 RTP 4.4: a length before each where there is no count; a fragment over two packets.
    let units = read(Form::Av1, &[b"\x40\x02\x08\x01\x02\x30\x05".to_vec(), b"\x90\x06".to_vec()]);
    assert_eq!(units.unwrap(), [&b"\x08\x01"[..], b"\x30\x05\x06"]);
}

#[test]
fn what_contradicts_itself_is_refused_in_words() {
    let refused = |form: Form, payloads: &[&[u8]]| {
        let mut assembly = Assembly::default();
        payloads.iter().try_for_each(|payload| form.read(payload, &mut assembly)).unwrap_err().to_string()
    };
    assert_eq!(refused(Form::H264, &[b"\x78\0\x05\x67"]), "a payload is damaged: an aggregation is cut short");
    assert_eq!(refused(Form::H264, &[b"\x78\0\x01\x67\0"]), "a payload is damaged: an aggregation is cut short");
    assert_eq!(refused(Form::H264, &[b"\x7c"]), "a payload is damaged: a fragment is cut short");
    assert_eq!(refused(Form::H264, &[b"\x7c\x05\x01"]), "a payload is damaged: a unit goes on that has not begun");
    assert_eq!(
        refused(Form::H264, &[b"\x7c\x85\x01", b"\x41\x01\x02"]),
        "a payload is damaged: a unit begins before the one before it has ended"
    );
    assert_eq!(refused(Form::H264, &[b"\x79\0\0"]), "payloads of type 25 were not agreed on");
    assert_eq!(refused(Form::H265, &[b"\x64\x01\0"]), "payloads of type 50 were not agreed on");
    assert_eq!(refused(Form::H265, &[b"\x62"]), "a payload is damaged: a fragment is cut short");
    assert_eq!(refused(Form::Av1, &[b"\x20\x01\x08"]), "a payload is damaged: an OBU element is cut short");
    assert_eq!(refused(Form::Av1, &[b"\x00\x05\x08"]), "a payload is damaged: an OBU element is cut short");
    assert_eq!(refused(Form::Av1, &[b"\x80\x01\x08"]), "a payload is damaged: a unit goes on that has not begun");
}

#[test]
fn no_more_is_kept_of_an_access_unit_than_may_be() {
    let mut assembly = Assembly::default();
    let large = vec![0x41; 60_000];
    let read = (0..200).try_for_each(|_| Form::H264.read(&large, &mut assembly));
    assert_eq!(read, Err(Damage::TooLong { limit: MAX_LEN, unit: "bytes" }));
    assert!(assembly.data.len() <= MAX_LEN);
    let mut assembly = Assembly::default();
    let many = [&[0x78][..], &b"\0\x01\x41".repeat(300)].concat();
    let read = (0..20).try_for_each(|_| Form::H264.read(&many, &mut assembly));
    assert_eq!(read, Err(Damage::TooLong { limit: MAX_UNITS, unit: "units" }));
}
