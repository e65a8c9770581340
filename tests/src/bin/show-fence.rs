//! Measures what is promised of picket-fence, one line a point: `show-fence [POINT...]`.

use std::process::ExitCode;

use picket_tests::fence::show::POINTS;
use picket_tests::show;

fn main() -> ExitCode {
    show::chosen(POINTS)
}
