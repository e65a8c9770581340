//! Documents to messages and back: parts, compression, the closing NUL.

use std::io::{Read as _, Write as _};

use thiserror::Error;

use super::header::{Flags, Generation, HEADER_LEN, Header, HeaderError, Message};
use super::{BUFFER, MAX_DOCUMENT};

/// Text bytes in a full part of the new layout: the buffer less header and NUL.
const PART: usize = BUFFER as usize - HEADER_LEN - 1;

/// A document as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// The message's id.
    pub id: i32,
    /// The message's flags; those about parts and compression are gone.
    pub flags: Flags,
    /// The text without its NUL.
    pub text: String,
}

/// Why a message is no part of a document. The client's next message may be fine.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not bzip2, or not of the announced length.
    #[error("compressed document cannot be inflated: {0}")]
    Compression(String),
    /// The header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No text.
    #[error("document is not UTF-8")]
    NotUtf8,
    /// A part that does not follow the one before.
    #[error("part {found} of message {id} where part {expected} of message {expected_id} was due")]
    OutOfOrder {
        /// The message it says it belongs to.
        id: i32,
        /// Its number.
        found: u16,
        /// The number that was due.
        expected: u16,
        /// The message that was due.
        expected_id: i32,
    },
    /// The document does not fit.
    #[error("document of {0} bytes does not fit into the client's buffer")]
    TooLarge(usize),
}

/// Puts a peer's messages together. Memory stays below [`MAX_DOCUMENT`].
#[derive(Debug, Default)]
pub struct Assembler {
    generation: Option<Generation>,
    open: Option<Open>,
}

/// A document of which parts are missing.
#[derive(Debug)]
struct Open {
    id: i32,
    next: u16,
    text: Vec<u8>,
}

impl Assembler {
    /// The peer's layout, known from its first good message.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// Takes one message; gives the document that it completes.
    ///
    /// # Errors
    /// [`DocumentError`]: the message, and what it was to complete, are dropped.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Document>, DocumentError> {
        let open = self.open.take();
        let Message { generation, header, payload } = Message::parse(bytes, self.generation)?;
        self.generation = Some(generation);
        let done = |text: Vec<u8>| {
            let flags = Flags(header.flags.0 & !(Flags::COMPRESSED.0 | Flags::PART.0 | Flags::LAST_PART.0));
            let text = String::from_utf8(text).map_err(|_| DocumentError::NotUtf8)?;
            Ok(Some(Document { id: header.id, flags, text }))
        };
        if let Some(announced) = header.inflated {
            return done(until_nul(&inflate(payload, announced)?).to_vec());
        }
        if generation == Generation::Old || !header.flags.has(Flags::PART) {
            return done(until_nul(payload).to_vec());
        }
        let mut open = open.unwrap_or(Open { id: header.id, next: 0, text: Vec::new() });
        if (header.id, header.part) != (open.id, open.next) {
            let (id, found, expected, expected_id) = (header.id, header.part, open.next, open.id);
            return Err(DocumentError::OutOfOrder { id, found, expected, expected_id });
        }
        let text = until_nul(payload);
        if open.text.len() + text.len() > MAX_DOCUMENT {
            return Err(DocumentError::TooLarge(open.text.len() + text.len()));
        }
        open.text.extend_from_slice(text);
        open.next = open.next.wrapping_add(1);
        if header.flags.has(Flags::LAST_PART) {
            return done(open.text);
        }
        self.open = Some(open);
        Ok(None)
    }
}

/// The messages that carry a document, each at most `limit` bytes long.
///
/// # Errors
/// [`DocumentError::TooLarge`] where the old layout has no way to send it.
pub fn encode(
    generation: Generation,
    id: i32,
    flags: Flags,
    text: &str,
    limit: usize,
) -> Result<Vec<Vec<u8>>, DocumentError> {
    let length = text.len() + 1;
    if text.len() > 2 * MAX_DOCUMENT {
        return Err(DocumentError::TooLarge(length));
    }
    let message = |flags, inflated, part, payload: &[u8], end: &[u8]| {
        let header = Header { id, flags, payload: payload.len() + end.len(), inflated, part };
        [header.to_bytes(generation).as_slice(), payload, end].concat()
    };
    match generation {
        Generation::Old if HEADER_LEN + length < limit => {
            Ok(vec![message(flags, None, 0, text.as_bytes(), &[0])])
        }
        Generation::Old => {
            // Small blocks are the quickest for both sides, large ones make the shortest text.
            for blocks in [bzip2::Compression::fast(), bzip2::Compression::best()] {
                let payload = deflate(text.as_bytes(), blocks)?;
                if HEADER_LEN + payload.len() <= limit {
                    return Ok(vec![message(flags | Flags::COMPRESSED, Some(length), 0, &payload, &[])]);
                }
            }
            Err(DocumentError::TooLarge(length))
        }
        Generation::New if text.len() <= PART => Ok(vec![message(flags, None, 0, text.as_bytes(), &[0])]),
        Generation::New => {
            let chunks = text.as_bytes().chunks(PART);
            let last = chunks.len() - 1;
            let parts = chunks.enumerate().map(|(index, chunk)| {
                let end = if index == last { Flags::PART | Flags::LAST_PART } else { Flags::PART };
                let part = u16::try_from(index).expect("no document has 65536 parts");
                message(flags | end, None, part, chunk, &[0])
            });
            Ok(parts.collect())
        }
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn inflate(payload: &[u8], announced: usize) -> Result<Vec<u8>, DocumentError> {
    let mut text = Vec::new();
    bzip2::read::BzDecoder::new(payload)
        .take(announced as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| DocumentError::Compression(error.to_string()))?;
    if text.len() == announced {
        Ok(text)
    } else {
        Err(DocumentError::Compression(format!("{} bytes instead of {announced}", text.len())))
    }
}

/// Text and its NUL as bzip2.
fn deflate(text: &[u8], blocks: bzip2::Compression) -> Result<Vec<u8>, DocumentError> {
    let broken = |error: std::io::Error| DocumentError::Compression(error.to_string());
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), blocks);
    encoder.write_all(text).map_err(broken)?;
    encoder.write_all(&[0]).map_err(broken)?;
    encoder.finish().map_err(broken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = BUFFER as usize;

    fn assemble(messages: &[Vec<u8>]) -> Option<Document> {
        let mut assembler = Assembler::default();
        let mut documents: Vec<_> = messages.iter().map(|message| assembler.push(message).unwrap()).collect();
        let last = documents.pop().unwrap();
        assert!(documents.iter().all(Option::is_none));
        last
    }

    #[test]
    fn parts_have_the_lengths_of_the_original() {
        let messages = encode(Generation::New, 1, Flags(0), &"x".repeat(355_299), LIMIT).unwrap();
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [131_072, 131_072, 93_278]);
    }

    #[test]
    fn a_document_that_just_fits_is_one_message() {
        let fits = |generation, length: usize| {
            encode(generation, 1, Flags(0), &"x".repeat(length), LIMIT).unwrap()[0].len()
        };
        assert_eq!(fits(Generation::New, PART), LIMIT);
        assert_eq!(fits(Generation::Old, PART - 1), LIMIT - 1);
        // Not smaller than the buffer: compressed.
        assert!(fits(Generation::Old, PART) < 1000);
    }

    #[test]
    fn a_missing_part_drops_the_document_and_nothing_else() {
        let messages = encode(Generation::New, 7, Flags(0), &"x".repeat(3 * PART), LIMIT).unwrap();
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(&messages[0]), Ok(None));
        assert!(matches!(
            assembler.push(&messages[2]),
            Err(DocumentError::OutOfOrder { found: 2, expected: 1, .. })
        ));
        let next = encode(Generation::New, 8, Flags(0), "<a/>", LIMIT).unwrap();
        assert_eq!(assembler.push(&next[0]).unwrap().unwrap().text, "<a/>");
    }

    #[test]
    fn a_bomb_costs_no_more_than_announced() {
        let bomb = deflate(&vec![b'x'; 10_000_000], bzip2::Compression::fast()).unwrap();
        let header =
            Header { id: 1, flags: Flags::COMPRESSED, payload: bomb.len(), inflated: Some(100), part: 0 };
        let message = [header.to_bytes(Generation::Old).as_slice(), &bomb].concat();
        assert!(matches!(Assembler::default().push(&message), Err(DocumentError::Compression(_))));
    }

    #[test]
    fn an_old_client_with_a_small_buffer_cannot_get_everything() {
        let result = encode(Generation::Old, 1, Flags(0), &noise(1_000_000), LIMIT);
        assert_eq!(result, Err(DocumentError::TooLarge(1_000_001)));
    }

    /// A text that does not compress.
    fn noise(length: usize) -> String {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'0' + u8::try_from(state >> 26).unwrap())
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_large_blocks_make_fit_is_sent() {
        // The second half repeats the first, further away than a small block reaches.
        let text = noise(150_000).repeat(2);
        let (small, large) = [bzip2::Compression::fast(), bzip2::Compression::best()]
            .map(|blocks| deflate(text.as_bytes(), blocks).unwrap().len())
            .into();
        assert!(large + 1000 < small, "{large} {small}");
        let sent = encode(Generation::Old, 1, Flags(0), &text, HEADER_LEN + large).unwrap();
        assert_eq!(assemble(&sent).unwrap().text, text);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_document_survives_the_way(id: i32, text in "[a-zé]{1,300}", times in 1_usize..900, new: bool) {
            let generation = if new { Generation::New } else { Generation::Old };
            let text = text.repeat(times);
            let messages = encode(generation, id, Flags::EVENT, &text, LIMIT).unwrap();
            prop_assert!(messages.iter().all(|message| message.len() <= LIMIT));
            let document = assemble(&messages).unwrap();
            prop_assert_eq!(document, Document { id, flags: Flags::EVENT, text });
        }

        #[test]
        fn messages_never_panic(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..8)) {
            let mut assembler = Assembler::default();
            for message in messages {
                let _ = assembler.push(&message);
            }
        }
    }
}
