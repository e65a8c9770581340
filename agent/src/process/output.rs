//! What a child writes, kept within bounds and made fit for XML.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

/// Bytes kept of each stream; the rest is read and thrown away so that the child never blocks. Pacemaker 3's limit.
const KEEP: usize = 10 * 1024 * 1024;

/// Bytes that the text may need inside an attribute. Escaping can multiply a text's size by six, and a report
/// must stay below the 20 MiB of a message.
const ESCAPED_LIMIT: usize = 12 * 1024 * 1024;

/// Where an agent announces why it failed; also in its environment.
pub(crate) const EXIT_REASON_PREFIX: &str = "ocf-exit-reason:";

/// Characters of a reason that are reported.
const REASON_LIMIT: usize = 128;

/// Most reads in the final drain: a grandchild that writes for ever must not keep a result back.
const DRAIN_READS: usize = 4096;

/// One of the child's streams.
#[derive(Debug)]
pub(super) struct Capture {
    pipe: Option<pipe::Receiver>,
    kept: Vec<u8>,
    lost: usize,
    buffer: Box<[u8]>,
}

impl Capture {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        let pipe = Some(pipe::Receiver::from_owned_fd(pipe)?);
        Ok(Self { pipe, kept: Vec::new(), lost: 0, buffer: vec![0; 8192].into() })
    }

    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Waits for output and keeps it. Safe to cancel.
    pub(super) async fn fill(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut self.buffer).await {
            Ok(count @ 1..) => self.keep(count),
            Ok(0) | Err(_) => self.pipe = None,
        }
    }

    /// Takes what is there already and closes our end.
    pub(super) fn drain(&mut self) {
        for _ in 0..DRAIN_READS {
            let Some(pipe) = &self.pipe else { return };
            match pipe.try_read(&mut self.buffer) {
                Ok(count @ 1..) => self.keep(count),
                Ok(0) | Err(_) => break,
            }
        }
        self.pipe = None;
    }

    fn keep(&mut self, count: usize) {
        let room = KEEP.saturating_sub(self.kept.len()).min(count);
        self.kept.extend_from_slice(&self.buffer[..room]);
        self.lost += count - room;
    }

    /// The text, `None` if there is none. NULs and characters that XML cannot carry are left out.
    pub(super) fn text(&self) -> Option<String> {
        let mut size = 0;
        let text: String = String::from_utf8_lossy(&self.kept)
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'))
            .take_while(|c| {
                size += if c.is_alphanumeric() { c.len_utf8() } else { 6 };
                size <= ESCAPED_LIMIT
            })
            .collect();
        (!text.is_empty()).then_some(text)
    }

    /// The last announced reason, to the end of its line.
    pub(super) fn exit_reason(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.kept);
        let (_, after) = text.rsplit_once(EXIT_REASON_PREFIX)?;
        let line = after.split('\n').next().unwrap_or_default();
        let reason: String = line.chars().filter(|c| !c.is_control()).take(REASON_LIMIT).collect();
        (!reason.is_empty()).then_some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(bytes: &[u8]) -> Capture {
        Capture { pipe: None, kept: bytes.to_vec(), lost: 0, buffer: Box::default() }
    }

    #[test]
    fn the_last_reason_wins_and_is_cut() {
        let long = "x".repeat(300);
        let text = format!("noise\nocf-exit-reason:first\nocf-exit-reason:{long}\ntail");
        assert_eq!(captured(text.as_bytes()).exit_reason().unwrap(), "x".repeat(128));
        assert_eq!(captured(b"ocf-exit-reason:why\nlater").exit_reason().unwrap(), "why");
        assert_eq!(captured(b"nothing").exit_reason(), None);
        assert_eq!(captured(b"ocf-exit-reason:\n").exit_reason(), None);
    }

    #[test]
    fn output_never_carries_what_xml_cannot() {
        assert_eq!(captured(b"a\0b\x1b[1m\xff\tc\n").text().unwrap(), "ab[1m\u{fffd}\tc\n");
        assert_eq!(captured(b"\0\x01").text(), None);
        assert_eq!(captured(b"").text(), None);
    }

    #[test]
    fn output_that_escaping_would_blow_up_is_cut() {
        let text = captured(&vec![b'"'; KEEP]).text().unwrap();
        assert_eq!(text.len(), ESCAPED_LIMIT / 6);
        assert_eq!(captured(&vec![b'a'; KEEP]).text().unwrap().len(), KEEP);
    }
}
