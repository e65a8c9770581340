//! Message framing: a 40-byte header, then the XML text and one NUL byte.
//!
//! What we send is always host byte order, version 1 and uncompressed. What we accept is either byte order
//! and a bzip2 payload. Peers of release 2.1 and 3.0 map whatever length a header announces; here a header
//! that announces more than [`MAX_MESSAGE`] is an error before anything is reserved for it, and a bad header
//! ends the connection instead of blocking it.

use std::io::Read as _;

use thiserror::Error;

/// Bytes of a header. It must travel as a TLS record of its own: GnuTLS peers act on it alone.
pub const HEADER_LEN: usize = 40;

/// Longest message, header included, in bytes: 20 MiB, the limit that Pacemaker's main branch has since 2026.
pub const MAX_MESSAGE: usize = 20 * 1024 * 1024;

const MAGIC: u32 = 0xBADA_DBBD;

/// Why a byte stream is not (or no longer) a sequence of messages. The connection cannot be used further.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FrameError {
    /// The first word is not the magic number in either byte order.
    #[error("not a message: the header starts with {0:#010x} instead of 0xbadadbbd")]
    BadMagic(u32),
    /// The inflated text does not end where the header says.
    #[error("compressed payload holds {actual} bytes, the header announced {announced}")]
    BadInflatedLength {
        /// Bytes the header promised.
        announced: usize,
        /// Bytes found, or one more than promised where there were more.
        actual: usize,
    },
    /// The payload announced as compressed is not a bzip2 stream.
    #[error("payload is announced as bzip2 and cannot be inflated: {0}")]
    BadCompression(String),
    /// The lengths in a header contradict each other.
    #[error(
        "header lengths contradict each other: total {total}, offset {offset}, compressed {compressed}, uncompressed {uncompressed}"
    )]
    Inconsistent {
        /// `size_total`.
        total: u32,
        /// `payload_offset`.
        offset: u32,
        /// `payload_compressed`.
        compressed: u32,
        /// `payload_uncompressed`.
        uncompressed: u32,
    },
    /// The text is not UTF-8.
    #[error("payload is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// A length is over [`MAX_MESSAGE`].
    #[error("header announces {0} bytes, the limit is {MAX_MESSAGE}")]
    TooLarge(u32),
}

/// A message ready to send: the header goes out as one TLS record, the payload as the following ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The 40 header bytes.
    pub header: [u8; HEADER_LEN],
    /// XML text and the closing NUL.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Frames `xml` as message number `id`.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] where text, NUL and header exceed [`MAX_MESSAGE`].
    pub fn new(id: u64, xml: String) -> Result<Self, FrameError> {
        let mut payload = xml.into_bytes();
        payload.push(0);
        let too_large = || FrameError::TooLarge(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        let length = u32::try_from(payload.len()).map_err(|_| too_large())?;
        if payload.len() + HEADER_LEN > MAX_MESSAGE {
            return Err(too_large());
        }
        let mut header = [0; HEADER_LEN];
        header[0..4].copy_from_slice(&MAGIC.to_ne_bytes());
        header[4..8].copy_from_slice(&1_u32.to_ne_bytes());
        header[8..16].copy_from_slice(&id.to_ne_bytes());
        header[24..28].copy_from_slice(&(40 + length).to_ne_bytes());
        header[28..32].copy_from_slice(&40_u32.to_ne_bytes());
        header[36..40].copy_from_slice(&length.to_ne_bytes());
        Ok(Self { header, payload })
    }
}

/// What a received header says about the bytes behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Announced {
    /// Bytes on the wire behind the header.
    on_wire: usize,
    /// Text length after inflating, where the payload is compressed.
    inflated: Option<usize>,
}

impl Announced {
    fn parse(header: &[u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let word = |at: usize| -> [u8; 4] { header[at..at + 4].try_into().expect("a header has ten words") };
        let magic = u32::from_ne_bytes(word(0));
        let read = if magic == MAGIC {
            u32::from_ne_bytes
        } else if magic.swap_bytes() == MAGIC {
            |bytes: [u8; 4]| u32::from_ne_bytes(bytes).swap_bytes()
        } else {
            return Err(FrameError::BadMagic(u32::from_be_bytes(word(0))));
        };
        // Version, id and flags are ignored by every receiver, here too.
        let (total, offset, compressed, uncompressed) =
            (read(word(24)), read(word(28)), read(word(32)), read(word(36)));
        for length in [total, uncompressed] {
            if usize::try_from(length).map_or(true, |bytes| bytes > MAX_MESSAGE) {
                return Err(FrameError::TooLarge(length));
            }
        }
        let carried = if compressed == 0 { uncompressed } else { compressed };
        if offset != 40 || total.checked_sub(40) != Some(carried) {
            return Err(FrameError::Inconsistent { total, offset, compressed, uncompressed });
        }
        Ok(Self { on_wire: carried as usize, inflated: (compressed != 0).then_some(uncompressed as usize) })
    }

    fn text(self, payload: &[u8]) -> Result<String, FrameError> {
        let inflated;
        let payload = match self.inflated {
            None => payload,
            Some(announced) => {
                inflated = inflate(payload, announced)?;
                &inflated
            }
        };
        let text = payload.split(|byte| *byte == 0).next().unwrap_or_default();
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(FrameError::NotUtf8(error.valid_up_to())),
        }
    }
}

/// Inflates at most `announced` bytes, so a bomb costs no more than its header admitted (and the cap allowed).
fn inflate(payload: &[u8], announced: usize) -> Result<Vec<u8>, FrameError> {
    let mut text = Vec::new();
    bzip2::read::BzDecoder::new(payload)
        .take(announced as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| FrameError::BadCompression(error.to_string()))?;
    if text.len() == announced {
        Ok(text)
    } else {
        Err(FrameError::BadInflatedLength { announced, actual: text.len() })
    }
}

/// Cuts a byte stream into messages. Records, partial headers and several messages in one piece all work.
///
/// Memory grows with the bytes really received, never with the length announced.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    announced: Option<Announced>,
}

impl Deframer {
    /// Adds bytes from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next complete message's text, without its NUL; `None` until more bytes come.
    ///
    /// # Errors
    /// Any [`FrameError`]: the stream has lost its framing, close the connection.
    pub fn next_message(&mut self) -> Result<Option<String>, FrameError> {
        let announced = match self.announced {
            Some(announced) => announced,
            None => match self.buffer.first_chunk() {
                Some(header) => *self.announced.insert(Announced::parse(header)?),
                None => return Ok(None),
            },
        };
        let end = HEADER_LEN + announced.on_wire;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let text = announced.text(&self.buffer[HEADER_LEN..end])?;
        self.buffer.drain(..end);
        self.announced = None;
        if self.buffer.is_empty() && end > 64 * 1024 {
            // A rare large message must not pin its memory for the life of the connection.
            self.buffer = Vec::new();
        }
        Ok(Some(text))
    }

    /// Whether the stream stopped inside a message.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        !self.buffer.is_empty()
    }
}
