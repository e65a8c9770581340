//! A ring buffer in shared memory: one writer, one reader, either of which may be another process.
//!
//! A header file holds positions and a semaphore that counts what is to be read; a data file holds chunks of
//! {length, magic, bytes}, in 32-bit words. Nothing the other side wrote is trusted: positions are taken modulo the
//! size, lengths are checked, and a chunk that is none breaks the connection.

use std::sync::atomic::{AtomicU32, Ordering, fence};

use thiserror::Error;

/// Bytes of a header file.
pub const HEADER_LEN: usize = 8252;

const WRITE: usize = 0;
const READ: usize = 1;
const WORDS: usize = 2;
const PATH: usize = 3;
const PATH_WORDS: usize = 1024;
const REFERENCES: usize = 2051;
/// glibc's semaphore: value, waiters, and 128 for "shared by processes".
const SEMAPHORE: usize = 2052;
const FLOW: usize = 2060;

const ALLOCATED: u32 = 0xA110_CED0;
const COMMITTED: u32 = 0xA1A1_A1A1;
const DEAD: u32 = 0xD0D0_D0D0;

/// Words before a chunk's bytes.
const CHUNK_HEADER: usize = 2;

/// What a ring must have free beyond the bytes of a message.
const MARGIN: usize = 12;

/// Why a ring is unusable, or not writable now.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RingError {
    /// The other side wrote something that is no chunk.
    #[error("no chunk where one is due: length {length}, mark {magic:#010x}")]
    Corrupt {
        /// Its length.
        length: u32,
        /// Its magic number.
        magic: u32,
    },
    /// Try again when something was read.
    #[error("the ring is full")]
    Full,
    /// The header is not one of a ring of that size.
    #[error("not a ring: it says {0} words")]
    Size(u32),
    /// It never will.
    #[error("{0} bytes do not fit into the ring")]
    TooLong(usize),
}

/// Length of the data file for messages of up to that size.
#[must_use]
pub fn data_len(max_msg_size: u32, page: usize) -> usize {
    (max_msg_size as usize + MARGIN + 1).next_multiple_of(page)
}

/// What the writer must do after a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Written {
    /// Somebody sleeps on the semaphore: wake one with a futex on [`Ring::semaphore`].
    pub wake: bool,
}

/// One ring.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'a> {
    header: &'a [AtomicU32],
    data: &'a [AtomicU32],
}

impl<'a> Ring<'a> {
    /// Writes a fresh header and takes it over. The memory is all zeros.
    ///
    /// # Errors
    /// [`RingError::Size`] where a piece of memory has another length.
    pub fn create(
        header: &'a [AtomicU32],
        data: &'a [AtomicU32],
        [header_path, data_path]: [&str; 2],
    ) -> Result<Self, RingError> {
        let words = u32::try_from(data.len()).map_err(|_| RingError::Size(u32::MAX))?;
        if header.len() < HEADER_LEN / 4 || words == 0 {
            return Err(RingError::Size(words));
        }
        header[WORDS].store(words, Ordering::Relaxed);
        for (path, start) in [(header_path, PATH), (data_path, PATH + PATH_WORDS)] {
            for (index, chunk) in path.as_bytes().chunks(4).take(PATH_WORDS - 1).enumerate() {
                header[start + index].store(word(chunk), Ordering::Relaxed);
            }
        }
        header[SEMAPHORE + 2].store(128, Ordering::Relaxed);
        header[REFERENCES].store(1, Ordering::Release);
        Ok(Self { header, data })
    }

    /// Takes over a ring whose header this side wrote, or one that a server wrote.
    ///
    /// # Errors
    /// [`RingError::Size`] where the data's length is not the header's.
    pub fn attach(header: &'a [AtomicU32], data: &'a [AtomicU32]) -> Result<Self, RingError> {
        let words = header.get(WORDS).map_or(0, |words| words.load(Ordering::Acquire));
        if header.len() < REFERENCES + 7 || words == 0 || usize::try_from(words) != Ok(data.len()) {
            return Err(RingError::Size(words));
        }
        Ok(Self { header, data })
    }

    /// Counts one more user.
    pub fn join(&self) {
        self.header[REFERENCES].fetch_add(1, Ordering::AcqRel);
    }

    /// Counts one user less; the last one removes the files.
    pub fn leave(&self) {
        self.header[REFERENCES].fetch_sub(1, Ordering::AcqRel);
    }

    /// The word a futex sleeps on.
    #[must_use]
    pub fn semaphore(&self) -> &'a AtomicU32 {
        &self.header[SEMAPHORE]
    }

    /// Asks clients to hold their requests back, or lets them go on.
    pub fn hold(&self, hold: bool) {
        if let Some(flow) = self.header.get(FLOW) {
            flow.store(hold.into(), Ordering::Release);
        }
    }

    /// Adds one message, given in pieces.
    ///
    /// # Errors
    /// [`RingError::Full`], [`RingError::TooLong`]
    pub fn write(&self, message: &[u8]) -> Result<Written, RingError> {
        let (size, need) = (self.data.len(), message.len() + MARGIN);
        if need > size * 4 {
            return Err(RingError::TooLong(message.len()));
        }
        let at = self.position(WRITE);
        if self.free(at) * 4 < need {
            return Err(RingError::Full);
        }
        let length = u32::try_from(message.len()).map_err(|_| RingError::TooLong(message.len()))?;
        self.put(at + 1, ALLOCATED);
        for (to, chunk) in self.from(at + CHUNK_HEADER).zip(message.chunks(4)) {
            to.store(word(chunk), Ordering::Relaxed);
        }
        self.put(at, length);
        let next = (at + CHUNK_HEADER + message.len().div_ceil(4)) % size;
        self.header[WRITE].store(u32::try_from(next).expect("below the ring's size"), Ordering::Release);
        self.data[(at + 1) % size].store(COMMITTED, Ordering::Release);
        self.header[SEMAPHORE].fetch_add(1, Ordering::AcqRel);
        // A waiter counts itself first and looks at the value then; here it is the other way round.
        fence(Ordering::SeqCst);
        Ok(Written { wake: self.header[SEMAPHORE + 1].load(Ordering::Acquire) > 0 })
    }

    /// Takes the oldest message, if there is one.
    ///
    /// # Errors
    /// [`RingError::Corrupt`]
    pub fn read(&self) -> Result<Option<Vec<u8>>, RingError> {
        let taken = self.header[SEMAPHORE]
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |value| value.checked_sub(1));
        if taken.is_err() {
            return Ok(None);
        }
        let (size, at) = (self.data.len(), self.position(READ));
        let magic = self.data[(at + 1) % size].load(Ordering::Acquire);
        let length = self.data[at].load(Ordering::Relaxed);
        let corrupt = RingError::Corrupt { length, magic };
        let bytes = usize::try_from(length).map_err(|_| corrupt)?;
        if magic != COMMITTED || bytes + MARGIN > size * 4 {
            return Err(corrupt);
        }
        let mut message = Vec::with_capacity(bytes.next_multiple_of(4));
        for from in self.from(at + CHUNK_HEADER).take(bytes.div_ceil(4)) {
            message.extend_from_slice(&from.load(Ordering::Relaxed).to_ne_bytes());
        }
        message.truncate(bytes);
        self.put(at, 0);
        self.put(at + 1, DEAD);
        let next = (at + CHUNK_HEADER + bytes.div_ceil(4)) % size;
        self.header[READ].store(u32::try_from(next).expect("below the ring's size"), Ordering::Release);
        Ok(Some(message))
    }

    /// Free words, when writing at `at`.
    fn free(&self, at: usize) -> usize {
        let read = self.position(READ);
        match read.cmp(&at) {
            std::cmp::Ordering::Greater => read - at - 1,
            std::cmp::Ordering::Less => read + self.data.len() - at - 1,
            std::cmp::Ordering::Equal if self.header[SEMAPHORE].load(Ordering::Acquire) == 0 => {
                self.data.len()
            }
            std::cmp::Ordering::Equal => 0,
        }
    }

    /// All words once around, beginning with that one.
    fn from(&self, at: usize) -> impl Iterator<Item = &'a AtomicU32> + use<'a> {
        let (wrapped, straight) = self.data.split_at(at % self.data.len());
        straight.iter().chain(wrapped)
    }

    fn position(&self, which: usize) -> usize {
        self.header[which].load(Ordering::Acquire) as usize % self.data.len()
    }

    fn put(&self, at: usize, value: u32) {
        self.data[at % self.data.len()].store(value, Ordering::Relaxed);
    }
}

/// Up to four bytes as a word, zeros behind them.
fn word(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    u32::from_ne_bytes(word)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    struct Memory {
        header: Vec<AtomicU32>,
        data: Vec<AtomicU32>,
    }

    impl Memory {
        fn new(words: usize) -> Self {
            let zeros = |count| (0..count).map(|_| AtomicU32::new(0)).collect();
            Self { header: zeros(HEADER_LEN / 4), data: zeros(words) }
        }

        fn ring(&self) -> Ring<'_> {
            Ring::create(&self.header, &self.data, ["/x-header", "/x-data"]).unwrap()
        }
    }

    #[test]
    fn sizes_are_those_of_the_original() {
        assert_eq!((data_len(131_072, 4096), data_len(524_288, 4096)), (135_168, 528_384));
    }

    #[test]
    fn the_header_has_the_original_layout() {
        let memory = Memory::new(1024);
        let _ring = memory.ring();
        let bytes: Vec<u8> =
            memory.header.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        assert_eq!(bytes.len(), 8252);
        assert_eq!(bytes[8..12], 1024_u32.to_ne_bytes());
        assert!(bytes[12..].starts_with(b"/x-header\0") && bytes[4108..].starts_with(b"/x-data\0"));
        assert_eq!(bytes[8204..8208], 1_u32.to_ne_bytes());
        assert_eq!(bytes[8216..8220], 128_u32.to_ne_bytes());
    }

    #[test]
    fn a_message_longer_than_the_ring_is_not_worth_waiting_for() {
        let memory = Memory::new(16);
        assert_eq!(memory.ring().write(&[0; 53]), Err(RingError::TooLong(53)));
    }

    #[test]
    fn a_sleeping_reader_is_to_be_woken() {
        let memory = Memory::new(64);
        let ring = memory.ring();
        assert_eq!(ring.write(b"x"), Ok(Written { wake: false }));
        memory.header[SEMAPHORE + 1].store(1, Ordering::Relaxed);
        assert_eq!(ring.write(b"x"), Ok(Written { wake: true }));
    }

    proptest! {
        #[test]
        fn it_is_a_queue(words in 16_usize..80, steps in prop::collection::vec((any::<bool>(), 0_usize..150), 1..200)) {
            let memory = Memory::new(words);
            let ring = memory.ring();
            let mut queue = VecDeque::new();
            for (count, (write, length)) in steps.into_iter().enumerate() {
                let message = vec![u8::try_from(count).unwrap(); length];
                if write {
                    match ring.write(&message) {
                        Ok(_) => queue.push_back(message),
                        Err(RingError::Full) => prop_assert!(!queue.is_empty()),
                        Err(error) => prop_assert_eq!(error, RingError::TooLong(length)),
                    }
                } else {
                    prop_assert_eq!(ring.read().unwrap(), queue.pop_front());
                }
            }
        }

        #[test]
        fn garbage_in_the_memory_never_panics(
            words in prop::collection::vec(any::<u32>(), 16..64),
            positions in prop::array::uniform2(any::<u32>()),
            semaphore: u32,
            committed in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let memory = Memory::new(words.len());
            let ring = memory.ring();
            for (to, from) in memory.data.iter().zip(&words) {
                to.store(*from, Ordering::Relaxed);
            }
            for index in committed {
                memory.data[index.index(words.len())].store(COMMITTED, Ordering::Relaxed);
            }
            memory.header[WRITE].store(positions[0], Ordering::Relaxed);
            memory.header[READ].store(positions[1], Ordering::Relaxed);
            memory.header[SEMAPHORE].store(semaphore, Ordering::Relaxed);
            for _ in 0..8 {
                let _ = ring.read();
                let _ = ring.write(&[7; 20]);
            }
        }
    }
}
