//! Measures what is promised of picket-fence, one line a point: `show-fence [POINT...]`.

use std::process::ExitCode;

use picket_tests::fence::show::POINTS;
use picket_tests::show;

fn main() -> ExitCode {
    let wanted: Vec<u8> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    let points = POINTS.into_iter().filter(|point| wanted.is_empty() || wanted.contains(&point.number));
    show::points(&points.collect::<Vec<_>>())
}
