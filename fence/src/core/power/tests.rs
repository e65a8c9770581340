use std::time::Duration;

use proptest::prelude::*;

use super::*;

const POLL: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        total: Duration::from_secs(90),
        off: Some(Duration::from_secs(20)),
        on: Some(Duration::from_secs(20)),
        on_after_off: Duration::from_secs(20),
        rounds: 2,
        wait: Duration::ZERO,
        poll: POLL,
        confirm: Duration::from_millis(250),
        unclear: Duration::from_secs(5),
        silence: Duration::from_secs(10),
    }
}

/// How a simulated machine behaves.
#[derive(Debug, Clone)]
struct Nature {
    on: bool,
    /// Time from a request to its effect; `None` is never.
    latency: Option<u64>,
    /// Readings which say the opposite; never two in a row.
    lies: Vec<usize>,
    /// Readings which say neither.
    unclear: Vec<usize>,
    /// Calls of any kind which fail.
    faults: Vec<(usize, u8)>,
    /// Times (ms) at which somebody else turns the machine.
    flips: Vec<u64>,
    settle: u64,
}

struct World {
    nature: Nature,
    on: bool,
    pending: Option<(u64, bool)>,
    now: u64,
    readings: usize,
    calls: usize,
    flipped: usize,
    /// Truth at each reading, since the last request.
    truths: Vec<bool>,
    cycles: usize,
    ever_off: bool,
}

impl World {
    fn new(nature: Nature) -> Self {
        let on = nature.on;
        Self {
            nature,
            on,
            pending: None,
            now: 0,
            readings: 0,
            calls: 0,
            flipped: 0,
            truths: Vec::new(),
            cycles: 0,
            ever_off: !on,
        }
    }

    fn pass(&mut self, time: u64) {
        self.now += time;
        if let Some((_, on)) = self.pending.filter(|(due, _)| *due <= self.now) {
            self.on = on;
            self.pending = None;
        }
        while self.nature.flips.get(self.flipped).is_some_and(|&at| at <= self.now) {
            self.on = !self.on;
            self.flipped += 1;
        }
        self.ever_off |= !self.on;
    }

    fn fault(&mut self) -> Option<Fault> {
        let call = self.calls;
        self.calls += 1;
        let (_, kind) = *self.nature.faults.iter().find(|(at, _)| *at == call)?;
        let (call, answer) = (String::from("CALL sim"), String::from("injected"));
        Some(match kind {
            0 => Fault::Unreachable { call, answer },
            1 => Fault::Server { call, status: 503, answer },
            2 => Fault::Conflict { call, answer },
            3 => Fault::Denied { call, answer },
            4 => Fault::Malformed { call, answer },
            5 => Fault::Lost { call, answer },
            _ => Fault::Forbidden { call, answer },
        })
    }

    fn read(&mut self) -> Result<Reading, Fault> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let reading = self.readings;
        self.readings += 1;
        self.truths.push(self.on);
        if self.nature.unclear.contains(&reading) {
            return Ok(Reading::unknown("changing"));
        }
        let lie = self.nature.lies.contains(&reading);
        let settle = Duration::from_millis(self.nature.settle);
        Ok(if self.on == lie { Reading::off("stopped") } else { Reading::on("running") }.settle(settle))
    }

    fn send(&mut self, command: Command) -> Result<(), Fault> {
        let fault = self.fault();
        // A lost connection leaves open whether the request was carried out: here it was.
        if fault.as_ref().is_some_and(|fault| !matches!(fault, Fault::Lost { .. })) {
            return Err(fault.expect("just seen"));
        }
        self.truths.clear();
        if command == Command::Cycle {
            self.cycles += 1;
            self.ever_off = true;
        } else if let Some(latency) = self.nature.latency {
            self.pending = Some((self.now + latency, command == Command::On));
            self.pass(0);
        }
        fault.map_or(Ok(()), Err)
    }
}

/// Runs to the end; each call takes 10 ms.
fn run(goal: Goal, nature: Nature, limits: Limits) -> (End, World) {
    let mut world = World::new(nature);
    let mut machine = Machine::new(goal, &["vm1".to_owned()], limits, false);
    for _ in 0..100_000 {
        let now = Duration::from_millis(world.now);
        match machine.step(now) {
            Step::Open => {
                let fault = world.fault();
                world.pass(10);
                let now = Duration::from_millis(world.now);
                machine.opened(now, fault.map_or(Ok(()), |fault| Err((Some(0), fault))));
            }
            Step::Read(at) => {
                let reading = world.read();
                world.pass(10);
                machine.read(Duration::from_millis(world.now), at, reading);
            }
            Step::Send(command, at) => {
                let result = world.send(command);
                world.pass(10);
                machine.sent(Duration::from_millis(world.now), at, result);
            }
            Step::Sleep(time) => {
                assert!(time > Duration::ZERO, "the machine would spin at {now:?}");
                world.pass(u64::try_from(time.as_millis()).unwrap().max(1));
            }
            Step::Done(end) => return (end, world),
        }
    }
    panic!("no end");
}

fn honest(on: bool, latency: u64) -> Nature {
    Nature {
        on,
        latency: Some(latency),
        lies: vec![],
        unclear: vec![],
        faults: vec![],
        flips: vec![],
        settle: 0,
    }
}

fn nature() -> impl Strategy<Value = Nature> {
    (
        any::<bool>(),
        prop_oneof![1 => Just(None), 4 => (0u64..25_000).prop_map(Some)],
        prop::collection::vec(0usize..8, 0..2),
        prop::collection::vec(0usize..40, 0..4),
        prop::collection::vec((0usize..30, 0u8..7), 0..6),
        prop::collection::vec(0u64..60_000, 0..3),
        prop_oneof![3 => Just(0u64), 1 => 0u64..5_000],
    )
        .prop_map(|(on, latency, lies, unclear, faults, mut flips, settle)| {
            flips.sort_unstable();
            Nature { on, latency, lies, unclear, faults, flips, settle }
        })
}

/// Of the last two readings, at least one was true: two in a row never lie.
fn was_true(world: &World, on: bool) -> bool {
    world.truths.iter().rev().take(2).any(|&truth| truth == on)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn success_is_only_reported_for_what_was_true(nature in nature(), goal in 0u8..4) {
        let goal = [Goal::On, Goal::Off, Goal::Reboot, Goal::Status][usize::from(goal)];
        let (end, world) = run(goal, nature, limits());
        match end {
            End::Reached { power, .. } | End::Status(power @ Power::Off) => {
                prop_assert!(was_true(&world, power == Power::On));
                prop_assert!(world.truths.len() >= 2, "one reading is no proof");
            }
            End::Rebooted { on } => {
                prop_assert!(world.ever_off);
                prop_assert!(on.is_some() || was_true(&world, true));
            }
            End::Status(_) | End::Failed(_) => {}
        }
        prop_assert_eq!(world.cycles, 0);
    }

    #[test]
    fn every_run_ends_before_its_deadline(nature in nature(), goal in 0u8..5, total in 1u64..60) {
        let goal = [Goal::On, Goal::Off, Goal::Reboot, Goal::Cycle, Goal::Status][usize::from(goal)];
        let limits = Limits { total: Duration::from_secs(total), off: None, on: None, ..limits() };
        let (_, world) = run(goal, nature, limits);
        prop_assert!(world.now <= total * 1000 + 10, "ended at {} ms", world.now);
    }

    #[test]
    fn a_reset_is_sent_once_at_most(nature in nature()) {
        let (_, world) = run(Goal::Cycle, nature, limits());
        prop_assert!(world.cycles <= 1);
    }

    #[test]
    fn an_honest_machine_in_time_is_switched(on: bool, latency in 0u64..19_000, goal in 0u8..3) {
        let goal = [Goal::On, Goal::Off, Goal::Reboot][usize::from(goal)];
        let (end, world) = run(goal, honest(on, latency), limits());
        let good = matches!(end, End::Reached { .. } | End::Rebooted { on: None });
        prop_assert!(good, "{end:?}");
        prop_assert_eq!(world.on, goal != Goal::Off);
    }
}

#[test]
fn already_off_takes_two_readings_and_no_request() {
    let (end, world) = run(Goal::Off, honest(false, 0), limits());
    assert_eq!(end, End::Reached { power: Power::Off, already: true });
    assert_eq!((world.readings, world.calls), (2, 3));
}

#[test]
fn a_fault_between_two_readings_breaks_the_proof() {
    // 0 open, 1 read off, 2 unreadable, 3 and 4 read off
    let (end, world) = run(Goal::Status, Nature { faults: vec![(2, 4)], ..honest(false, 0) }, limits());
    assert_eq!(end, End::Status(Power::Off));
    assert_eq!(world.readings, 3);
}

#[test]
fn calls_that_hang_are_counted_from_their_start() {
    // Under the fencer: 10 s a call, 45 s of silence allowed, and 60 s until the fencer kills us.
    let limits = Limits { silence: Duration::from_secs(45), off: None, ..limits() };
    let mut machine = Machine::new(Goal::Off, &["vm1".to_owned()], limits, false);
    let mut now = Duration::ZERO;
    loop {
        match machine.step(now) {
            Step::Open => {
                now += Duration::from_secs(10);
                let fault = Fault::TimedOut { call: "login".into(), limit: Duration::from_secs(10) };
                machine.opened(now, Err((None, fault)));
            }
            Step::Sleep(time) => now += time,
            Step::Done(End::Failed(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!((45..57).contains(&now.as_secs()), "{now:?}");
}

#[test]
fn a_state_that_lies_once_gets_the_request() {
    let (end, world) = run(Goal::Off, Nature { lies: vec![0], ..honest(true, 0) }, limits());
    assert_eq!(end, End::Reached { power: Power::Off, already: false });
    assert!(!world.on);
}

#[test]
fn an_unclear_state_gets_the_off_request() {
    let unclear = (0..10).collect();
    let (end, world) = run(Goal::Off, Nature { unclear, ..honest(true, 2000) }, limits());
    assert_eq!(end, End::Reached { power: Power::Off, already: false });
    assert!(!world.on);
}

#[test]
fn a_machine_that_never_changes_is_a_failure_in_time() {
    let (end, world) = run(Goal::Off, Nature { latency: None, ..honest(true, 0) }, limits());
    let End::Failed(failure) = end else { panic!("{end:?}") };
    assert_eq!(failure.row().number, 7);
    assert!((20_000..21_500).contains(&world.now), "{}", world.now);
}

#[test]
fn an_expired_session_is_renewed_once() {
    let faults = vec![(2, 3)];
    let (end, _) = run(Goal::Off, Nature { faults, ..honest(true, 0) }, limits());
    assert_eq!(end, End::Reached { power: Power::Off, already: false });
    let (end, _) = run(Goal::Off, Nature { faults: vec![(0, 3)], ..honest(true, 0) }, limits());
    assert!(matches!(end, End::Failed(_)), "a wrong password is not tried again: {end:?}");
}

#[test]
fn an_old_answer_must_be_seen_again_after_its_time() {
    let (end, world) = run(Goal::Off, Nature { settle: 31_000, ..honest(false, 0) }, limits());
    assert_eq!(end, End::Reached { power: Power::Off, already: true });
    assert!(world.now >= 31_000, "{}", world.now);
}

#[test]
fn a_silent_device_is_given_up_while_nothing_was_accepted() {
    let faults = (0..1000).map(|at| (at, 0)).collect();
    let (end, world) = run(Goal::Off, Nature { faults, ..honest(true, 0) }, limits());
    assert!(matches!(end, End::Failed(Failure::Device { .. })), "{end:?}");
    assert!((10_000..12_000).contains(&world.now), "{}", world.now);
}

#[test]
fn reboot_succeeds_once_off_is_proven_even_if_on_is_refused() {
    // 0 open, 1 read on, 2 off, 3 and 4 read off, 5 on
    let faults = vec![(5, 6)];
    let (end, world) = run(Goal::Reboot, Nature { faults, ..honest(true, 0) }, limits());
    let End::Rebooted { on: Some(failure) } = end else { panic!("{end:?}") };
    assert_eq!(failure.row().number, 11);
    assert!(!world.on);
}

#[test]
fn every_machine_of_several_must_be_off_before_any_is_turned_on() {
    let plugs = ["a".to_owned(), "b".to_owned()];
    let mut machine = Machine::new(Goal::Reboot, &plugs, limits(), false);
    let mut on = [true, true];
    let mut now = Duration::ZERO;
    let mut order = Vec::new();
    loop {
        now += Duration::from_millis(10);
        match machine.step(now) {
            Step::Open => machine.opened(now, Ok(())),
            Step::Read(at) => {
                machine.read(now, at, Ok(if on[at] { Reading::on("on") } else { Reading::off("off") }));
            }
            Step::Send(command, at) => {
                on[at] = command == Command::On;
                order.push((command, at));
                machine.sent(now, at, Ok(()));
            }
            Step::Sleep(time) => now += time,
            Step::Done(end) => {
                assert_eq!(end, End::Rebooted { on: None });
                break;
            }
        }
    }
    assert_eq!(order, [(Command::Off, 0), (Command::Off, 1), (Command::On, 0), (Command::On, 1)]);
}

#[test]
fn status_of_several_is_that_of_any_which_is_not_off() {
    for (states, expected) in [([true, false], Power::On), ([false, false], Power::Off)] {
        let mut machine = Machine::new(Goal::Status, &["a".into(), "b".into()], limits(), false);
        let mut now = Duration::ZERO;
        let end = loop {
            now += Duration::from_millis(10);
            match machine.step(now) {
                Step::Open => machine.opened(now, Ok(())),
                Step::Read(at) => {
                    machine.read(
                        now,
                        at,
                        Ok(if states[at] { Reading::on("on") } else { Reading::off("off") }),
                    );
                }
                Step::Sleep(time) => now += time,
                Step::Send(..) => panic!("status sends nothing"),
                Step::Done(end) => break end,
            }
        };
        assert_eq!(end, End::Status(expected));
    }
}
