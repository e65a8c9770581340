//! Request and reply are quicker than with the original; `bench-exchange` says by how much.

use picket_tests::exchange::checks;

#[test]
fn an_exchange_is_quicker_than_with_the_original() {
    let report = checks(12);
    assert!(report.holds(), "{:#?}", report.shortfalls());
}
