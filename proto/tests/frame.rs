//! Framing: layout, byte orders, compression and hostile headers.
#![allow(clippy::unwrap_used, reason = "test helpers")]
use std::io::Write as _;

use picket_proto::frame::{Deframer, Frame, FrameError, HEADER_LEN, MAX_MESSAGE};
use proptest::prelude::*;

fn bytes(id: u64, xml: &str) -> Vec<u8> {
    let frame = Frame::new(id, xml.to_owned()).expect("short text fits");
    [&frame.header[..], &frame.payload[..]].concat()
}

/// A header in big-endian order, as a cluster node on such a machine would send it.
fn big_endian(total: u32, offset: u32, compressed: u32, uncompressed: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(0xBADA_DBBD_u32.to_be_bytes());
    header.extend(1_u32.to_be_bytes());
    header.extend(7_u64.to_be_bytes());
    header.extend(0_u64.to_be_bytes());
    for word in [total, offset, compressed, uncompressed] {
        header.extend(word.to_be_bytes());
    }
    assert_eq!(header.len(), HEADER_LEN);
    header
}

fn only_message(stream: &[u8]) -> Result<Option<String>, FrameError> {
    let mut deframer = Deframer::default();
    deframer.push(stream);
    deframer.next_message()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
#[cfg(target_endian = "little")]
fn header_layout_is_the_one_captured_from_real_peers() {
    let frame = Frame::new(1, "x".repeat(203)).unwrap();
    let expected = [
        0xbd, 0xdb, 0xda, 0xba, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, //
        0, 0, 0, 0, 0, 0, 0, 0, 0xf4, 0, 0, 0, 0x28, 0, 0, 0, //
        0, 0, 0, 0, 0xcc, 0, 0, 0,
    ];
    assert_eq!(frame.header, expected);
    assert_eq!(frame.payload.last(), Some(&0));
}

#[test]
fn the_other_byte_order_is_understood() {
    let mut stream = big_endian(45, 40, 0, 5);
    stream.extend(b"<a/>\0");
    assert_eq!(only_message(&stream), Ok(Some("<a/>".to_owned())));
}

#[test]
fn a_message_without_its_nul_is_accepted() {
    let mut stream = big_endian(44, 40, 0, 4);
    stream.extend(b"<a/>");
    assert_eq!(only_message(&stream), Ok(Some("<a/>".to_owned())));
}

#[test]
fn a_compressed_message_is_inflated() {
    let text = format!("<a b=\"{}\"/>\0", "c".repeat(5000));
    let packed = bzip2(text.as_bytes());
    let length = u32::try_from(packed.len()).unwrap();
    let mut stream = big_endian(40 + length, 40, length, u32::try_from(text.len()).unwrap());
    stream.extend(packed);
    assert_eq!(only_message(&stream).unwrap().unwrap().len(), text.len() - 1);
}

#[test]
fn a_bzip2_bomb_ends_at_the_announced_length() {
    let packed = bzip2(&vec![b'a'; 50_000_000]);
    assert!(packed.len() < 1000, "a bomb is small");
    let length = u32::try_from(packed.len()).unwrap();
    let mut stream = big_endian(40 + length, 40, length, 1000);
    stream.extend(&packed);
    assert_eq!(only_message(&stream), Err(FrameError::BadInflatedLength { announced: 1000, actual: 1001 }));
    let mut stream = big_endian(40 + length, 40, length, 50_000_000);
    stream.extend(&packed);
    assert_eq!(only_message(&stream), Err(FrameError::TooLarge(50_000_000)));
}

#[test]
fn garbage_announced_as_bzip2_is_an_error() {
    let mut stream = big_endian(44, 40, 4, 100);
    stream.extend(b"oops");
    assert!(matches!(only_message(&stream), Err(FrameError::BadCompression(_))));
}

#[test]
fn a_header_of_four_gigabytes_is_refused_at_once() {
    assert_eq!(
        only_message(&big_endian(u32::MAX, 40, 0, u32::MAX - 40)),
        Err(FrameError::TooLarge(u32::MAX))
    );
    let limit = u32::try_from(MAX_MESSAGE).unwrap();
    assert_eq!(only_message(&big_endian(limit, 40, 0, limit - 40)), Ok(None));
    assert_eq!(only_message(&big_endian(limit + 1, 40, 0, limit - 39)), Err(FrameError::TooLarge(limit + 1)));
}

#[test]
fn contradicting_lengths_and_wrong_magic_are_refused() {
    assert!(matches!(only_message(&big_endian(100, 44, 0, 56)), Err(FrameError::Inconsistent { .. })));
    assert!(matches!(only_message(&big_endian(100, 40, 0, 61)), Err(FrameError::Inconsistent { .. })));
    assert!(matches!(only_message(&big_endian(39, 40, 0, 0)), Err(FrameError::Inconsistent { .. })));
    assert_eq!(only_message(&[b'G'; 40]), Err(FrameError::BadMagic(0x4747_4747)));
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let mut stream = big_endian(44, 40, 0, 4);
    stream.extend(b"<a\xff\0");
    assert_eq!(only_message(&stream), Err(FrameError::NotUtf8(2)));
}

#[test]
fn text_over_the_limit_is_not_framed() {
    assert!(Frame::new(1, "x".repeat(MAX_MESSAGE - HEADER_LEN - 1)).is_ok());
    assert!(matches!(Frame::new(1, "x".repeat(MAX_MESSAGE - HEADER_LEN)), Err(FrameError::TooLarge(_))));
}

proptest! {
    #[test]
    fn messages_survive_any_cutting_of_the_stream(
        texts in prop::collection::vec("[^\0]{0,300}", 1..6),
        cuts in prop::collection::vec(1_usize..97, 1..40),
    ) {
        let stream: Vec<u8> = texts.iter().zip(1..).flat_map(|(text, id)| bytes(id, text)).collect();
        let mut deframer = Deframer::default();
        let (mut seen, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            deframer.push(piece);
            while let Some(text) = deframer.next_message().unwrap() {
                seen.push(text);
            }
            rest = tail;
        }
        prop_assert_eq!(seen, texts);
        prop_assert!(!deframer.is_mid_message());
    }

    #[test]
    fn arbitrary_bytes_never_panic(stream in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = only_message(&stream);
        let mut framed = 0xBADA_DBBD_u32.to_ne_bytes().to_vec();
        framed.extend(stream);
        let _ = only_message(&framed);
    }
}
