//! The messages of `fence_virtd`. Integers are little-endian on every machine.
//!
//! A request has 176 bytes, signed with the digest of the key and itself with that field zero; over a serial line it has
//! 74 and no signature. An answer is a byte, or the list of domains: records of 130 bytes until an empty one.

use std::net::IpAddr;

use ring::digest;
use zeroize::Zeroizing;

use crate::core::plug::is_uuid;

/// What is asked of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Null = 0,
    Off = 1,
    On = 3,
    Status = 4,
    /// Whether the daemon has its hypervisor.
    Device = 5,
    /// All domains that we may see.
    Hosts = 6,
}

impl Ask {
    /// For messages.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Off => "off",
            Self::On => "on",
            Self::Status => "status",
            Self::Device => "device status",
            Self::Hosts => "host list",
        }
    }
}

/// A digest, for the signature of a request or for the proof that the other side knows the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    None,
    Sha1,
    Sha256,
    Sha512,
}

/// Length of a digest's field, and of a challenge.
pub(super) const DIGEST: usize = 64;

/// The key that both sides have. At most 4096 bytes count.
pub(super) struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Takes over what the file has.
    pub(super) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(4096);
        Self(Zeroizing::new(bytes))
    }
}

impl Hash {
    /// The words of the options, in the order of the numbers.
    pub(super) const WORDS: &'static [&'static str] = &["none", "sha1", "sha256", "sha512"];
    const ALL: [Self; 4] = [Self::None, Self::Sha1, Self::Sha256, Self::Sha512];

    /// The hash of this name.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().position(|known| *known == word).map(|at| Self::ALL[at])
    }

    /// The digest of the key followed by the message, with zeros up to the length of the field.
    pub(super) fn digest(self, key: &Key, message: &[u8]) -> [u8; DIGEST] {
        let mut field = [0; DIGEST];
        let algorithm = match self {
            Self::None => return field,
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        context.update(&key.0);
        context.update(message);
        let digest = context.finish();
        field[..digest.as_ref().len()].copy_from_slice(digest.as_ref());
        field
    }
}

/// Length of the field for a domain, with the zero at its end.
const DOMAIN: usize = 64;
/// Length of a request.
pub(super) const REQUEST: usize = 176;
/// Length of a request over a serial line.
pub(super) const SERIAL: usize = 74;
/// What every message over a serial line begins with.
pub(super) const MAGIC: [u8; 4] = [0x61, 0x62, 0x62, 0x61];

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) ask: Ask,
    /// Name or UUID; empty where it is about none.
    pub(super) domain: String,
    /// Where the daemon is to connect back to.
    pub(super) home: Option<(IpAddr, u16)>,
    /// The daemon carries out what has the same number once.
    pub(super) number: u32,
    pub(super) random: [u8; 6],
}

impl Request {
    /// Whether the domain's name is too long to be sent.
    pub(super) fn is_too_long(domain: &str) -> bool {
        domain.len() >= DOMAIN
    }

    fn domain(&self) -> [u8; DOMAIN] {
        let mut field = [0; DOMAIN];
        let length = self.domain.len().min(DOMAIN - 1);
        field[..length].copy_from_slice(&self.domain.as_bytes()[..length]);
        field
    }

    fn flags(&self) -> u8 {
        u8::from(is_uuid(&self.domain))
    }

    /// The message, signed.
    pub(super) fn bytes(&self, hash: Hash, key: &Key) -> [u8; REQUEST] {
        let mut address = [0; 28];
        let (length, port, family) = match self.home {
            // The numbers of Linux for families of addresses.
            Some((IpAddr::V4(ip), port)) => {
                address[..4].copy_from_slice(&ip.octets());
                (4, port, 2)
            }
            Some((IpAddr::V6(ip), port)) => {
                address[..16].copy_from_slice(&ip.octets());
                (16, port, 10)
            }
            None => (0, 0, 0_u32),
        };
        let mut message = Vec::with_capacity(REQUEST);
        message.extend([self.ask as u8, hash as u8, length, self.flags()]);
        message.extend(self.domain());
        message.extend(address);
        message.extend(port.to_le_bytes());
        message.extend(self.random);
        message.extend(self.number.to_le_bytes());
        message.extend(family.to_le_bytes());
        message.extend([0; DIGEST]);
        let signature = hash.digest(key, &message);
        message[REQUEST - DIGEST..].copy_from_slice(&signature);
        message.try_into().expect("the fields have this length together")
    }

    /// The message for a serial line.
    pub(super) fn serial(&self) -> [u8; SERIAL] {
        let mut message = Vec::with_capacity(SERIAL);
        message.extend(MAGIC);
        message.extend([self.ask as u8, self.flags()]);
        message.extend(self.domain());
        message.extend(self.number.to_le_bytes());
        message.try_into().expect("the fields have this length together")
    }
}

/// Length of a record of the list.
pub(super) const RECORD: usize = 130;
/// The answer after which the list follows.
pub(super) const LIST: u8 = 253;

/// A domain of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Its name, as far as it has room.
    pub(super) name: String,
    /// The name fills its field, and so may be the beginning of a longer one.
    pub(super) is_cut: bool,
    /// In lower case.
    pub(super) uuid: String,
    /// libvirt's number of its state.
    pub(super) state: u8,
}

/// Reads a record; `None` is the end of the list.
///
/// # Errors
/// It is no domain.
pub(super) fn host(record: &[u8; RECORD]) -> Result<Option<Host>, &'static str> {
    // The daemon leaves whatever was in its memory in the last byte of a field, and in the padding.
    let text = |from: usize| {
        let field = &record[from..from + DOMAIN - 1];
        let length = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        (&field[..length], length == field.len())
    };
    let ((name, is_cut), (uuid, _)) = (text(0), text(DOMAIN));
    if record[0] == 0 && record[DOMAIN] == 0 {
        return Ok(None);
    }
    let uuid = std::str::from_utf8(uuid).ok().filter(|uuid| is_uuid(uuid)).ok_or("a domain has no UUID")?;
    let name = match (std::str::from_utf8(name), is_cut) {
        (Ok(name), _) => name.to_owned(),
        (Err(_), true) => String::from_utf8_lossy(name).into_owned(),
        (Err(_), false) => return Err("the name of a domain is not UTF-8"),
    };
    Ok(Some(Host { name, is_cut, uuid: uuid.to_ascii_lowercase(), state: record[2 * DOMAIN] }))
}

#[cfg(test)]
pub(super) mod read {
    //! The daemon's side of it.

    use super::{Ask, DIGEST, DOMAIN, Hash, Key, RECORD, REQUEST, Request};

    /// Reads a request whose signature is right.
    pub(crate) fn request(message: &[u8; REQUEST], key: &Key) -> Option<(Request, Hash)> {
        let mut bare = *message;
        bare[REQUEST - DIGEST..].fill(0);
        let hash = *Hash::ALL.get(usize::from(message[1]))?;
        if hash.digest(key, &bare) != message[REQUEST - DIGEST..] {
            return None;
        }
        let all = [Ask::Null, Ask::Off, Ask::On, Ask::Status, Ask::Device, Ask::Hosts];
        let ask = all.into_iter().find(|ask| *ask as u8 == message[0])?;
        let field = &message[4..4 + DOMAIN];
        let domain = field.split(|byte| *byte == 0).next()?;
        let (address, rest) = message[4 + DOMAIN..].split_at(28);
        let port = u16::from_le_bytes(rest[..2].try_into().ok()?);
        let home = match (message[2], u32::from_le_bytes(rest[12..16].try_into().ok()?)) {
            (0, 0) => None,
            (4, 2) => Some((<[u8; 4]>::try_from(&address[..4]).ok()?.into(), port)),
            (16, 10) => Some((<[u8; 16]>::try_from(&address[..16]).ok()?.into(), port)),
            _ => return None,
        };
        let request = Request {
            ask,
            domain: std::str::from_utf8(domain).ok()?.to_owned(),
            home,
            number: u32::from_le_bytes(rest[8..12].try_into().ok()?),
            random: rest[2..8].try_into().ok()?,
        };
        (request.flags() == message[3]).then_some((request, hash))
    }

    /// A record as the daemon writes it, with rubbish where it leaves some.
    pub(crate) fn record(name: &str, uuid: &str, state: u8) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let name = &name.as_bytes()[..name.len().min(DOMAIN - 1)];
        record[..name.len()].copy_from_slice(name);
        record[DOMAIN..DOMAIN + uuid.len()].copy_from_slice(uuid.as_bytes());
        (record[DOMAIN - 1], record[2 * DOMAIN - 1], record[RECORD - 1]) = (b'?', 0xff, 0x7f);
        record[2 * DOMAIN] = state;
        record
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "6695eb01-f6a4-8304-79aa-97f2502e193f";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_request_has_the_bytes_that_the_daemon_reads() {
        let home = Some(("10.0.0.7".parse().unwrap(), 0x1234));
        let request =
            Request { ask: Ask::Off, domain: "vm1".into(), home, number: 0x0403_0201, random: [9; 6] };
        let bytes = request.bytes(Hash::None, &Key::new(vec![]));
        assert_eq!(hex(&bytes[..8]), "01000400766d3100");
        assert_eq!(hex(&bytes[68..74]), "0a0000070000");
        assert_eq!(hex(&bytes[96..112]), "34120909090909090102030402000000");
        assert_eq!(hex(&bytes[112..]), "0".repeat(128));
        let serial = Request { domain: UUID.into(), ..request }.serial();
        assert_eq!(hex(&serial[..8]), "6162626101013636");
        assert_eq!(hex(&serial[70..]), "01020304");
    }

    #[test]
    fn a_digest_is_of_the_key_and_then_the_message() {
        // printf keymessage | sha1sum, sha256sum
        let key = Key::new(b"key".to_vec());
        let digest = |hash: Hash| hex(&hash.digest(&key, b"message"));
        assert_eq!(
            digest(Hash::Sha1),
            "7d89ca5f9535d3bd925ca99f484ae4413a14fe2d".to_owned() + &"0".repeat(88)
        );
        assert_eq!(
            digest(Hash::Sha256),
            "8ebbc3081b0700d1c226cafda9032a6a11224ed7367c5d59425e548ac4e70c0e".to_owned() + &"0".repeat(64)
        );
        assert_eq!(digest(Hash::None), "0".repeat(128));
        assert_eq!(Hash::parse("sha512"), Some(Hash::Sha512));
        assert_eq!(Hash::parse("md5"), None);
    }

    #[test]
    fn of_a_long_key_the_beginning_counts() {
        let digest = |length| Hash::Sha256.digest(&Key::new(vec![7; length]), b"m");
        assert_eq!(digest(4096), digest(5000));
        assert_ne!(digest(4095), digest(4096));
    }

    #[test]
    fn a_name_that_fills_its_field_may_be_longer() {
        let name = "x".repeat(63);
        let found = host(&read::record(&name, UUID, 1)).unwrap().unwrap();
        assert!(found.is_cut && found.name == name);
        assert!(!host(&read::record(&name[1..], UUID, 1)).unwrap().unwrap().is_cut);
        // A letter of two bytes, cut in the middle.
        assert!(host(&read::record(&format!("{}é", &name[1..]), UUID, 1)).unwrap().unwrap().is_cut);
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        assert_eq!(host(&[0; RECORD]), Ok(None));
        assert!(host(&[b'x'; RECORD]).is_err());
        assert!(host(&read::record("vm1", "", 1)).is_err());
        let mut record = read::record("vm1", UUID, 1);
        record[1] = 0xff;
        assert!(host(&record).is_err());
    }

    fn any_home() -> impl Strategy<Value = Option<(IpAddr, u16)>> {
        let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
        let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
        proptest::option::of((prop_oneof![v4, v6], any::<u16>()))
    }

    fn any_request() -> impl Strategy<Value = Request> {
        let asks = [Ask::Null, Ask::Off, Ask::On, Ask::Status, Ask::Device, Ask::Hosts];
        let domain = prop_oneof!["[^\\x00]{0,15}", Just(UUID.to_owned()), "[a-z]{63}"];
        (proptest::sample::select(asks.to_vec()), domain, any_home(), any::<u32>(), any::<[u8; 6]>())
            .prop_map(|(ask, domain, home, number, random)| Request { ask, domain, home, number, random })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_with_the_same_key_only(
            request in any_request(), key in any::<Vec<u8>>(), at in 1..4_usize, bit in 0..REQUEST * 8,
        ) {
            let (hash, key) = (Hash::ALL[at], Key::new(key));
            let mut message = request.bytes(hash, &key);
            prop_assert_eq!(read::request(&message, &key), Some((request, hash)));
            let other = Key::new([&key.0[..], b"!"].concat());
            prop_assert_eq!(read::request(&message, &other), None);
            message[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(read::request(&message, &key), None);
        }

        #[test]
        fn no_record_makes_the_reader_panic(record in proptest::collection::vec(any::<u8>(), RECORD)) {
            let record: [u8; RECORD] = record.try_into().unwrap();
            if let Ok(Some(host)) = host(&record) {
                prop_assert!(is_uuid(&host.uuid));
            }
        }

        #[test]
        fn a_domain_is_read_as_it_was_written(name in "[^\\x00]{0,15}", state in any::<u8>()) {
            let found = host(&read::record(&name, &UUID.to_uppercase(), state)).unwrap().unwrap();
            prop_assert_eq!(found, Host { name, is_cut: false, uuid: UUID.to_owned(), state });
        }
    }
}
