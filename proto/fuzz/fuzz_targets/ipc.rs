//! Whatever a local client writes: setup requests, messages of either layout in any order, and rings full of anything.
#![no_main]

use std::sync::atomic::{AtomicU32, Ordering};

use libfuzzer_sys::fuzz_target;
use picket_proto::ipc::message::Assembler;
use picket_proto::ipc::ring::{HEADER_LEN, Ring};
use picket_proto::ipc::setup::{REQUEST_LEN, Request};
use picket_proto::xml::Element;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 3 {
        0 => {
            if let Some(bytes) = data.first_chunk::<REQUEST_LEN>() {
                let _ = Request::parse(bytes);
            }
        }
        1 => messages(data),
        _ => ring(data),
    }
});

/// Each message is preceded by its length.
fn messages(mut data: &[u8]) {
    let mut assembler = Assembler::default();
    while let Some((length, rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (message, behind) = rest.split_at(length);
        if let Ok(Some(document)) = assembler.push(message)
            && let Ok(element) = Element::parse(&document.text)
        {
            // What is relayed is what is understood, and can be read again.
            assert_eq!(Element::parse(&element.to_string()).as_ref(), Ok(&element));
            // What is left unread inside loses nothing of what surrounds it.
            let around = Element::parse_around(&document.text, "a").expect("less is read of it");
            assert_eq!((around.name, around.attributes), (element.name, element.attributes));
        }
        data = behind;
    }
}

fn ring(data: &[u8]) {
    let words = |bytes: &[u8], count: usize| -> Vec<AtomicU32> {
        let mut chunks = bytes.chunks_exact(4);
        (0..count)
            .map(|_| chunks.next().map_or(0, |word| u32::from_ne_bytes(word.try_into().expect("four bytes"))))
            .map(AtomicU32::new)
            .collect()
    };
    let memory = words(data, 64);
    let header = words(&[], HEADER_LEN / 4);
    let Ok(ring) = Ring::create(&header, &memory, ["h", "d"]) else { return };
    for (at, word) in [(0, 0), (1, 1), (2052, 2)] {
        header[at].store(memory[word].load(Ordering::Relaxed), Ordering::Relaxed);
    }
    for _ in 0..4 {
        let _ = ring.read();
        let _ = ring.write(data.get(..20).unwrap_or_default());
    }
}
