//! Clients that cannot or will not speak the protocol: see `picket_tests::bad_input`.

#![allow(clippy::print_stdout, reason = "the figures, for who runs it with --nocapture")]

use picket_tests::bad_input;

macro_rules! cases {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let check = bad_input::run($name);
                println!("{check}");
                assert!(check.holds, "{check}");
            }
        )*

        #[test]
        fn every_case_has_its_test() {
            assert_eq!(bad_input::names().collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

cases! {
    wrong_key: "a wrong key is refused",
    no_key: "without a key nobody gets in, and with it again without a restart",
    empty_key: "an empty key is none",
    unreadable_key: "an unreadable key is named",
    http_request: "a web browser is sent away",
    garbage: "garbage before TLS is sent away",
    huge_header: "a header that announces 4 GiB ends its connection",
    bad_magic: "a header of something else ends its connection",
    bzip2_bomb: "a bzip2 bomb ends its connection",
    truncated_message: "a message that breaks off is a lost connection",
    endless_message: "a message that never ends holds up nobody",
    not_xml: "text that is not XML is answered",
    deep_xml: "XML without end is answered",
    unknown_operation: "an unknown operation is answered",
    large_messages: "messages of 19 MiB leave nothing behind",
    half_open_handshakes: "200 half-open handshakes hold up nobody",
    never_reads: "a client that never reads is cut off",
}
