//! GNU-style command lines (fence-contract, 5.2).

use super::Values;
use crate::core::option::Opt;
use crate::core::usage::Usage;

/// Reads the arguments after the program's name.
///
/// # Errors
/// An option is unknown or ambiguous, lacks its value, or does not accept the one it has.
pub fn parse(table: &[Opt], args: &[String]) -> Result<Values, Usage> {
    let mut values = Values::default();
    let mut rest = args.iter();
    let mut operands = Vec::new();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            operands.extend(rest.by_ref().cloned());
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let opt = find(table, name)?;
            let value = match value {
                Some(value) => value,
                None if opt.bare.is_some() => opt.bare.unwrap_or_default(),
                None if opt.takes_value() => rest.next().ok_or_else(|| Usage::NoValue(arg.clone()))?,
                None => "",
            };
            values.set(opt, opt.key, value)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            cluster(table, letters, &mut rest, &mut values)?;
        } else {
            operands.push(arg.clone());
        }
    }
    if !operands.is_empty() {
        values.warnings.push("Parse error: Unused arguments on command line".to_owned());
    }
    Ok(values)
}

/// `-vvz`, `-ovalue`, `-o value`.
fn cluster<'a>(
    table: &[Opt],
    letters: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    values: &mut Values,
) -> Result<(), Usage> {
    for (at, letter) in letters.char_indices() {
        let name = || format!("-{letter}");
        let is = |opt: &&Opt| opt.short == Some(letter) || opt.also == Some(letter);
        let opt = table.iter().find(is).ok_or_else(|| Usage::UnknownOption(name()))?;
        if !opt.takes_value() {
            values.set(opt, opt.key, "")?;
            continue;
        }
        let attached = &letters[at + letter.len_utf8()..];
        let value = match (attached, opt.bare) {
            ("", Some(bare)) => bare,
            ("", None) => rest.next().ok_or_else(|| Usage::NoValue(name()))?,
            (attached, _) => attached,
        };
        return values.set(opt, opt.key, value);
    }
    Ok(())
}

/// The option of this name, or the only one whose name begins so.
fn find<'t>(table: &'t [Opt], name: &str) -> Result<&'t Opt, Usage> {
    let is = |opt: &&Opt| opt.long == Some(name) || opt.key == name || opt.old == Some(name);
    if let Some(opt) = table.iter().find(is) {
        return Ok(opt);
    }
    let longs = table.iter().filter_map(|opt| opt.long.map(|long| (long, opt)));
    let begun: Vec<(&str, &Opt)> = longs.filter(|(long, _)| long.starts_with(name)).collect();
    match begun.as_slice() {
        [(_, opt)] => Ok(opt),
        [] => Err(Usage::UnknownOption(format!("--{name}"))),
        // "--pass" is as good as "--password", although "--password-script" begins so too.
        several => {
            let (shortest, opt) =
                several.iter().min_by_key(|(long, _)| long.len()).expect("there are several");
            if several.iter().all(|(long, _)| long.starts_with(shortest)) {
                return Ok(opt);
            }
            let names: Vec<String> = several.iter().map(|(long, _)| format!("--{long}")).collect();
            Err(Usage::AmbiguousOption(name.to_owned(), names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::standard::{
        ACTION, ALWAYS, DEBUG, HTTP, IP, LOGIN, PLUG, PLUGS, SSL, USERNAME, VERBOSE,
    };

    fn read(args: &[&str]) -> Result<Values, Usage> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        parse(&[ALWAYS, LOGIN, HTTP, PLUGS].concat(), &args)
    }

    #[test]
    fn all_forms_of_an_option_mean_the_same() {
        for args in [&["-o", "off"][..], &["-ooff"], &["--action=off"], &["--action", "off"], &["--act=off"]]
        {
            assert_eq!(read(args).unwrap().text(&ACTION), Some("off"), "{args:?}");
        }
        let values = read(&["-vvz", "--ip=h", "extra", "-nvm=1"]).unwrap();
        assert_eq!((values.times(&VERBOSE), values.flag(&SSL)), (2, true));
        assert_eq!((values.text(&IP), values.text(&PLUG)), (Some("h"), Some("vm=1")));
        assert_eq!(values.warnings.len(), 1);
    }

    #[test]
    fn beginnings_must_be_unambiguous() {
        assert_eq!(read(&["--user=x"]).unwrap().text(&USERNAME), Some("x"));
        assert!(matches!(read(&["--power=1"]), Err(Usage::AmbiguousOption(..))));
        assert!(matches!(read(&["--nonsense"]), Err(Usage::UnknownOption(_))));
        assert!(matches!(read(&["-o"]), Err(Usage::NoValue(_))));
        assert!(read(&["--pass=x"]).is_ok());
    }

    #[test]
    fn flags_may_carry_a_word() {
        assert!(!read(&["--ssl=false"]).unwrap().flag(&SSL));
    }

    #[test]
    fn options_of_getopt_have_letters_alone_and_their_key_all_the_same() {
        let table = [PLUG.only('n').also('H'), DEBUG.only('d'), IP.only('S').bare("2")];
        let read = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            parse(&table, &args)
        };
        let values = read(&["-H", "vm1", "-dd", "-S"]).unwrap();
        assert_eq!((values.text(&PLUG), values.level(&DEBUG)), (Some("vm1"), 2));
        assert_eq!(values.text(&IP), Some("2"), "what may be left out is not taken from the next word");
        let values = read(&["-S3", "-n", "vm2", "--ip", "-d"]).unwrap();
        assert_eq!((values.text(&PLUG), values.text(&IP)), (Some("vm2"), Some("2")));
        assert_eq!(read(&["--plug=vm3", "--ip=4"]).unwrap().text(&PLUG), Some("vm3"));
        assert!(matches!(read(&["--pl=vm3"]), Err(Usage::UnknownOption(_))), "no long option begins so");
    }
}
