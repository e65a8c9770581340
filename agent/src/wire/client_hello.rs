//! The pre-shared key offer in a ClientHello, read before the TLS library sees it.
//!
//! A library knows one key for the identity `lrmd`, and says only that a binder is wrong. Checking the binder here
//! (RFC 8446, sections 4.2.11.2 and 7.1) tells which of several keys a client has, so that a rotated key can stay
//! valid for a while, and lets a refusal say what is wrong.

use ring::{digest, hmac};

/// Handshake type of a ClientHello.
const CLIENT_HELLO: u8 = 1;
/// Extension type `pre_shared_key`; the last one in a ClientHello.
const PRE_SHARED_KEY: u16 = 41;

/// What a client offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offer {
    /// Identities with their binders.
    identities: Vec<(Vec<u8>, Vec<u8>)>,
    /// Hash of the ClientHello up to the binders.
    transcript: Vec<u8>,
}

impl Offer {
    /// Reads a TLS record that holds a whole ClientHello. `None` where it is something else, is cut over several
    /// records, or offers no pre-shared key.
    #[must_use]
    pub fn parse(record: &[u8]) -> Option<Self> {
        let mut reader = Reader(record);
        reader.take(3)?;
        let message = reader.vector(2)?;
        let mut reader = Reader(message);
        if reader.take(1)? != [CLIENT_HELLO] {
            return None;
        }
        let mut body = Reader(reader.vector(3)?);
        // Version and random, then session id, cipher suites, compression methods.
        body.take(34)?;
        body.vector(1)?;
        body.vector(2)?;
        body.vector(1)?;
        let mut extensions = Reader(body.vector(2)?);
        loop {
            let kind = extensions.take(2)?;
            let content = extensions.vector(2)?;
            if kind == PRE_SHARED_KEY.to_be_bytes() {
                return extensions.0.is_empty().then(|| Self::from_extension(message, content))?;
            }
        }
    }

    /// `content` is the tail of `message`, and the binders are the tail of `content`.
    fn from_extension(message: &[u8], content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let mut offered = Reader(reader.vector(2)?);
        let truncated = message.len().checked_sub(reader.0.len())?;
        let mut binders = Reader(reader.vector(2)?);
        let mut identities = Vec::new();
        while !offered.0.is_empty() {
            let identity = offered.vector(2)?;
            // The obfuscated ticket age, without meaning for an external key.
            offered.take(4)?;
            identities.push((identity.to_vec(), binders.vector(1)?.to_vec()));
        }
        let transcript = digest::digest(&digest::SHA256, &message[..truncated]).as_ref().to_vec();
        Some(Self { identities, transcript })
    }

    /// The identities, printable.
    #[must_use]
    pub fn identities(&self) -> String {
        let names: Vec<_> = self.identities.iter().map(|(name, _)| name.escape_ascii().to_string()).collect();
        names.join(", ")
    }

    /// Whether the identity is among those offered.
    #[must_use]
    pub fn names(&self, identity: &str) -> bool {
        self.identities.iter().any(|(name, _)| name == identity.as_bytes())
    }

    /// Whether the client proved that it has `secret` under that identity.
    #[must_use]
    pub fn proves(&self, identity: &str, secret: &[u8]) -> bool {
        let key = binder_key(secret);
        let mut named = self.identities.iter().filter(|(name, _)| name == identity.as_bytes());
        named.any(|(_, binder)| hmac::verify(&key, &self.transcript, binder).is_ok())
    }
}

/// The key that an external SHA-256 key's binders are made with.
fn binder_key(secret: &[u8]) -> hmac::Key {
    let nothing = digest::digest(&digest::SHA256, b"");
    let early = hmac_sha256(&[0; 32], secret);
    let binder_key = expand_label(early.as_ref(), b"ext binder", nothing.as_ref());
    let finished = expand_label(binder_key.as_ref(), b"finished", b"");
    hmac::Key::new(hmac::HMAC_SHA256, finished.as_ref())
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

/// HKDF-Expand-Label for one block of 32 bytes.
fn expand_label(secret: &[u8], label: &[u8], context: &[u8]) -> hmac::Tag {
    let length = |bytes: usize| u8::try_from(bytes).expect("labels and hashes are short");
    let mut info = vec![0, 32, length(label.len() + 6)];
    info.extend(b"tls13 ");
    info.extend(label);
    info.push(length(context.len()));
    info.extend(context);
    info.push(1);
    hmac_sha256(secret, &info)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A vector behind a length of `width` bytes.
    fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.take(width)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vector(width: usize, content: &[u8]) -> Vec<u8> {
        let length = content.len().to_be_bytes();
        [&length[length.len() - width..], content].concat()
    }

    /// A ClientHello record with one identity and the right binder for `secret`.
    fn hello(identity: &[u8], secret: &[u8]) -> Vec<u8> {
        let identities = vector(2, &[vector(2, identity), vec![0; 4]].concat());
        let binders_length = 2 + 33;
        let head = [vec![3, 3], vec![9; 32], vector(1, &[7; 32]), vector(2, &[0x13, 0x03]), vector(1, &[0])]
            .concat();
        let other = [vec![0, 43], vector(2, &[2, 3, 4])].concat();
        let content_length = identities.len() + binders_length;
        let mut body = head;
        body.extend(vector(2, &vec![0; other.len() + 4 + content_length])[..2].iter());
        body.extend(&other);
        body.extend([0, 41]);
        body.extend(&vector(2, &vec![0; content_length])[..2]);
        body.extend(&identities);
        let mut message = vec![CLIENT_HELLO];
        message.extend(&vector(3, &vec![0; body.len() + binders_length])[..3]);
        message.extend(body);
        let transcript = digest::digest(&digest::SHA256, &message);
        message.extend(vector(2, &vector(1, hmac::sign(&binder_key(secret), transcript.as_ref()).as_ref())));
        [vec![0x16, 3, 1], vector(2, &message)].concat()
    }

    #[test]
    fn a_binder_proves_one_key_under_one_identity() {
        let offer = Offer::parse(&hello(b"lrmd", &[5; 4096])).unwrap();
        assert!(offer.proves("lrmd", &[5; 4096]));
        assert!(!offer.proves("lrmd", &[6; 4096]));
        assert!(!offer.proves("other", &[5; 4096]));
        assert_eq!((offer.names("lrmd"), offer.identities().as_str()), (true, "lrmd"));
    }

    #[test]
    fn hellos_without_an_offer_and_cut_ones_are_passed_over() {
        let record = hello(b"lrmd", b"key");
        for end in 0..record.len() {
            assert_eq!(Offer::parse(&record[..end]), None, "cut at {end}");
        }
        assert_eq!(Offer::parse(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_records_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), flip in 0..200_usize) {
            let _ = Offer::parse(&bytes);
            let mut record = hello(b"lrmd", b"key");
            let at = flip % record.len();
            record[at] ^= bytes.first().copied().unwrap_or(1);
            let _ = Offer::parse(&record);
        }
    }
}
