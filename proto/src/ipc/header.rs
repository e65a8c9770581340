//! The 40 bytes before each document, in both layouts that Pacemaker has had.
//!
//! Both carry version 1 and are otherwise incompatible: releases up to 3.0.0 write the old one, later ones the new.
//! The version byte's place tells them apart; in the old layout the new one's place holds flags, so it is looked at
//! second.

use thiserror::Error;

use super::MAX_DOCUMENT;

/// Bytes of a header in either layout.
pub const HEADER_LEN: usize = 40;

const VERSION: u8 = 1;

/// Which layout a client writes and expects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Generation {
    /// Up to 3.0.0: one message a document, compressed where it does not fit.
    Old,
    /// Since 3.0.1: in parts where it does not fit.
    New,
}

/// Flag bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub u32);

impl Flags {
    /// The payload is bzip2 (old layout only).
    pub const COMPRESSED: Self = Self(0x1);
    /// Relayed by a remote node.
    pub const PROXIED: Self = Self(0x100);
    /// The client waits for a response with the same id.
    pub const RESPONSE_WANTED: Self = Self(0x200);
    /// On the event channel.
    pub const EVENT: Self = Self(0x1_0000);
    /// One of several parts (new layout only).
    pub const PART: Self = Self(0x8_0000);
    /// The last part (new layout only).
    pub const LAST_PART: Self = Self(0x10_0000);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A header, whichever layout it had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Correlates responses.
    pub id: i32,
    /// Flag bits.
    pub flags: Flags,
    /// Payload bytes in this message, with the closing NUL.
    pub payload: usize,
    /// Length after inflating, with the NUL, where the payload is compressed.
    pub inflated: Option<usize>,
    /// Number of this part.
    pub part: u16,
}

/// Why a message's header cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum HeaderError {
    /// Lengths that contradict each other.
    #[error("header announces {announced} bytes, the message has {actual}")]
    Length {
        /// In the header.
        announced: i64,
        /// Received.
        actual: usize,
    },
    /// No room for a header.
    #[error("message of {0} bytes is shorter than a header")]
    Short(usize),
    /// More than any document has.
    #[error("header announces a document of {0} bytes, the limit is {MAX_DOCUMENT}")]
    TooLarge(u32),
    /// Neither layout's version byte is there.
    #[error("unknown header version")]
    Version,
}

/// A checked message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// Its layout.
    pub generation: Generation,
    /// Its header.
    pub header: Header,
    /// The bytes behind the header that belong to it.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads one message. Once a client's layout is `known`, its messages are read in no other.
    ///
    /// # Errors
    /// [`HeaderError`]
    pub fn parse(bytes: &'a [u8], known: Option<Generation>) -> Result<Self, HeaderError> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(HeaderError::Short(bytes.len()))?;
        let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let generation = match known {
            Some(Generation::Old) | None if header[36] == VERSION => Generation::Old,
            Some(Generation::New) | None if header[32] == VERSION => Generation::New,
            _ => return Err(HeaderError::Version),
        };
        let size = word(8).cast_signed();
        let wrong = |announced: i64| HeaderError::Length { announced, actual: bytes.len() };
        // The real servers, too, ignore what is received beyond the length.
        let message = usize::try_from(size).ok().and_then(|size| bytes.get(HEADER_LEN..size));
        let body = message.ok_or_else(|| wrong(size.into()))?;
        let (length, inflated, flags, part) = match generation {
            Generation::Old if word(28) != 0 => {
                (word(28), Some(bounded(word(24))?), word(32) | Flags::COMPRESSED.0, 0)
            }
            Generation::Old => (word(24), None, word(32) & !Flags::COMPRESSED.0, 0),
            Generation::New => {
                (word(24), None, word(28), u16::from_ne_bytes(header[34..36].try_into().expect("two bytes")))
            }
        };
        let payload = bounded(length)?;
        Ok(Self {
            generation,
            header: Header { id: word(0).cast_signed(), flags: Flags(flags), payload, inflated, part },
            payload: body.get(..payload).ok_or_else(|| wrong(length.into()))?,
        })
    }
}

fn bounded(length: u32) -> Result<usize, HeaderError> {
    usize::try_from(length).ok().filter(|length| *length <= MAX_DOCUMENT).ok_or(HeaderError::TooLarge(length))
}

impl Header {
    /// The bytes, in that layout.
    ///
    /// # Panics
    /// Where a length is beyond [`MAX_DOCUMENT`], which encoding checks.
    #[must_use]
    pub fn to_bytes(self, generation: Generation) -> [u8; HEADER_LEN] {
        let length =
            |bytes: usize| u32::try_from(bytes).expect("documents are shorter than 4 GiB").to_ne_bytes();
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&self.id.to_ne_bytes());
        bytes[8..12].copy_from_slice(&length(HEADER_LEN + self.payload));
        match generation {
            Generation::Old => {
                bytes[24..28].copy_from_slice(&length(self.inflated.unwrap_or(self.payload)));
                bytes[28..32].copy_from_slice(&length(self.inflated.map_or(0, |_| self.payload)));
                bytes[32..36].copy_from_slice(&self.flags.0.to_ne_bytes());
                bytes[36] = VERSION;
            }
            Generation::New => {
                bytes[24..28].copy_from_slice(&length(self.payload));
                bytes[28..32].copy_from_slice(&self.flags.0.to_ne_bytes());
                bytes[32] = VERSION;
                bytes[34..36].copy_from_slice(&self.part.to_ne_bytes());
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Request of `crm_node` 2.1.5, from strace.
    #[cfg(target_endian = "little")]
    const OLD: [u8; 40] = [
        2, 0, 0, 0, 0, 0, 0, 0, 0xfa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd2, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 1, 0, 0, 0,
    ];

    #[test]
    #[cfg(target_endian = "little")]
    fn the_header_of_a_real_client_is_old() {
        let bytes = [OLD.as_slice(), &[b'x'; 210]].concat();
        let message = Message::parse(&bytes, None).unwrap();
        assert_eq!(message.generation, Generation::Old);
        assert_eq!((message.header.id, message.header.payload, message.payload.len()), (2, 210, 210));
        assert_eq!(message.header.to_bytes(Generation::Old), OLD);
    }

    #[test]
    fn a_compressed_old_message_is_not_taken_for_a_new_one() {
        let header = Header { id: 1, flags: Flags::COMPRESSED, payload: 3, inflated: Some(200), part: 0 };
        let bytes = [header.to_bytes(Generation::Old).as_slice(), b"BZh"].concat();
        assert_eq!(Message::parse(&bytes, None).unwrap().generation, Generation::Old);
    }

    #[test]
    fn a_client_cannot_change_its_layout() {
        let header = Header { id: 1, flags: Flags(0), payload: 0, inflated: None, part: 0 };
        let bytes = header.to_bytes(Generation::New);
        assert_eq!(Message::parse(&bytes, Some(Generation::Old)), Err(HeaderError::Version));
    }

    #[test]
    fn lengths_beyond_the_message_are_refused() {
        let header = Header { id: 1, flags: Flags(0), payload: 100, inflated: None, part: 0 };
        for generation in [Generation::Old, Generation::New] {
            let bytes = header.to_bytes(generation);
            assert!(matches!(Message::parse(&bytes, None), Err(HeaderError::Length { .. })));
        }
        let mut bytes = header.to_bytes(Generation::New).to_vec();
        bytes.resize(40 + 100, 0);
        bytes[24..28].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(Message::parse(&bytes, None), Err(HeaderError::TooLarge(u32::MAX)));
        bytes[8..12].copy_from_slice(&(-5_i32).to_ne_bytes());
        assert!(matches!(Message::parse(&bytes, None), Err(HeaderError::Length { announced: -5, .. })));
    }

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes, None);
        }

        #[test]
        fn a_header_survives_the_way(id: i32, flags in 0_u32..0x80_0000, part: u16, length in 0_usize..300, new: bool) {
            let generation = if new { Generation::New } else { Generation::Old };
            let (flags, part) = if new { (flags, part) } else { (flags & !1, 0) };
            let header = Header { id, flags: Flags(flags), payload: length, inflated: None, part };
            let bytes = [header.to_bytes(generation).as_slice(), &vec![b'x'; length]].concat();
            let message = Message::parse(&bytes, None).unwrap();
            prop_assert_eq!((message.generation, message.header), (generation, header));
        }
    }
}
