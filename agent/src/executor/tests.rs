use proptest::prelude::*;

use super::*;

const RSC: &str = "r1";

/// An executor with a clock of its own.
struct World {
    executor: Executor,
    now: Now,
    calls: i64,
}

impl World {
    fn new() -> Self {
        let mut world =
            Self { executor: Executor::default(), now: Now { mono: Duration::ZERO, wall: 1000 }, calls: 0 };
        world.register(RSC, "Dummy");
        world
    }

    fn register(&mut self, id: &str, agent: &str) {
        self.executor.register(definition(id, agent), CallOptions(3), self.now);
    }

    fn exec(&mut self, action: &str, interval: u64) -> i64 {
        self.exec_with(
            ExecRequest { action: action.to_owned(), interval, ..request() },
            CallOptions::CHANGES_ONLY,
        )
    }

    fn exec_with(&mut self, request: ExecRequest, options: CallOptions) -> i64 {
        self.calls += 1;
        self.executor.exec(request, options, ClientId(1), self.calls, self.now).0
    }

    fn cancel(&mut self, action: &str, interval: u64) -> Rc {
        let cancel = CancelRequest { rsc_id: RSC.to_owned(), action: action.to_owned(), interval };
        self.executor.cancel(&cancel, self.now)
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono += Duration::from_millis(ms);
        self.now.wall += i64::try_from(ms / 1000).unwrap();
        self.executor.elapse(self.now);
    }

    /// The run started last, in the effects not yet taken.
    fn run(&mut self) -> RunId {
        self.effects().runs.pop().expect("something was started")
    }

    fn finish(&mut self, run: RunId, rc: OcfRc) {
        self.executor.finished(run, Outcome::new(rc, ExecStatus::Done), self.now);
    }

    fn effects(&mut self) -> Seen {
        let mut seen = Seen::default();
        for effect in self.executor.take_effects() {
            match effect {
                Effect::Kill { run, scope } => seen.kills.push((run, scope)),
                Effect::Notify { report, .. } => seen.reports.push(*report),
                Effect::Run { run, request, .. } => {
                    seen.runs.push(run);
                    seen.actions.push(request.action);
                }
                Effect::Stuck { action, .. } => seen.stuck.push(action),
            }
        }
        seen
    }
}

#[derive(Default)]
struct Seen {
    runs: Vec<RunId>,
    actions: Vec<String>,
    kills: Vec<(RunId, KillScope)>,
    reports: Vec<ExecReport>,
    stuck: Vec<String>,
}

fn definition(id: &str, agent: &str) -> Definition {
    Definition {
        id: id.to_owned(),
        class: "ocf".to_owned(),
        provider: Some("pacemaker".to_owned()),
        agent: agent.to_owned(),
    }
}

fn request() -> ExecRequest {
    ExecRequest { rsc_id: RSC.to_owned(), action: "start".to_owned(), ..ExecRequest::default() }
}

#[test]
fn a_resource_runs_its_operations_one_after_the_other() {
    let mut world = World::new();
    let (start, monitor) = (world.exec("start", 0), world.exec("monitor", 0));
    let seen = world.effects();
    assert_eq!(seen.actions, ["start"]);
    world.pass(70);
    world.finish(seen.runs[0], OcfRc::Ok);
    let seen = world.effects();
    assert_eq!((seen.reports[0].call_id, seen.reports[0].times.exec), (start, 70));
    assert_eq!(seen.actions, ["monitor"]);
    world.finish(seen.runs[0], OcfRc::NotRunning);
    let report = world.effects().reports.remove(0);
    assert_eq!((report.call_id, report.outcome.rc, report.times.queue), (monitor, OcfRc::NotRunning, 70));
}

#[test]
fn resources_do_not_wait_for_each_other() {
    let mut world = World::new();
    world.register("r2", "Dummy");
    world.exec("start", 0);
    world.exec_with(ExecRequest { rsc_id: "r2".to_owned(), ..request() }, CallOptions(0));
    assert_eq!(world.effects().runs.len(), 2);
}

#[test]
fn an_unknown_resource_is_refused() {
    let mut world = World::new();
    let rc = world.exec_with(ExecRequest { rsc_id: "none".to_owned(), ..request() }, CallOptions(0));
    assert_eq!(Rc(rc), Rc::NO_RESOURCE);
    assert_eq!(world.executor.recurring(Some("none")), Err(Rc::NO_RESOURCE));
}

#[test]
fn a_recurring_monitor_reports_changes_only_and_zeros_on_re_runs() {
    let mut world = World::new();
    world.exec("monitor", 10_000);
    let run = world.run();
    world.finish(run, OcfRc::Ok);
    let first = world.effects().reports.remove(0);
    assert_eq!((first.times.run, first.times.rc_change), (1000, 0));
    for _ in 0..3 {
        world.pass(10_000);
        let run = world.run();
        world.finish(run, OcfRc::Ok);
        assert!(world.effects().reports.is_empty(), "nothing changed");
    }
    world.pass(10_000);
    let run = world.run();
    world.finish(run, OcfRc::NotRunning);
    let change = world.effects().reports.remove(0);
    assert_eq!((change.times.run, change.times.exec, change.times.rc_change), (0, 0, 1040));
    assert_eq!(change.outcome.rc, OcfRc::NotRunning);
}

#[test]
fn the_interval_counts_from_the_end_of_the_last_run() {
    let mut world = World::new();
    world.exec("monitor", 1000);
    let run = world.run();
    world.pass(300);
    world.finish(run, OcfRc::Ok);
    world.effects();
    assert_eq!(world.executor.next_wake(), Some(Duration::from_millis(1300)));
    world.pass(999);
    assert!(world.effects().runs.is_empty());
    world.pass(1);
    assert_eq!(world.effects().runs.len(), 1);
}

#[test]
fn a_duplicate_takes_over_the_waiting_operation_and_runs_at_once() {
    let mut world = World::new();
    world.exec("monitor", 10_000);
    let run = world.run();
    world.finish(run, OcfRc::Ok);
    world.effects();
    world.pass(10);
    let duplicate = ExecRequest {
        action: "Monitor".to_owned(),
        interval: 10_000,
        user_data: Some("new".to_owned()),
        ..request()
    };
    let call = world.exec_with(duplicate, CallOptions::CHANGES_ONLY);
    let run = world.run();
    world.finish(run, OcfRc::Ok);
    let report = world.effects().reports.remove(0);
    assert_eq!((report.call_id, report.request.user_data.as_deref()), (call, Some("new")));
    assert_eq!(report.times.run, 0);
    assert_eq!(world.cancel("monitor", 10_000), Rc::OK);
    assert_eq!(world.cancel("monitor", 10_000), Rc::NOT_SUPPORTED);
}

#[test]
fn cancelling_in_every_state() {
    let mut world = World::new();
    assert_eq!(world.cancel("monitor", 1000), Rc::NOT_SUPPORTED, "absent");
    world.exec("start", 0);
    let start = world.run();
    assert_eq!(world.cancel("start", 0), Rc::NOT_SUPPORTED, "a running one-shot goes on");
    world.exec("monitor", 1000);
    assert_eq!(world.cancel("monitor", 1000), Rc::OK, "pending");
    let report = world.effects().reports.remove(0);
    assert_eq!((report.outcome.status, report.times.run), (ExecStatus::Cancelled, 0));
    world.finish(start, OcfRc::Ok);
    world.exec("monitor", 1000);
    let monitor = world.run();
    world.finish(monitor, OcfRc::NotRunning);
    assert_eq!(world.cancel("monitor", 999), Rc::NOT_SUPPORTED, "another interval");
    assert_eq!(world.cancel("monitor", 1000), Rc::OK, "waiting");
    let reports = world.effects().reports;
    assert_eq!(reports.last().unwrap().outcome.rc, OcfRc::NotRunning, "rc of the last run");
    world.exec("monitor", 1000);
    let monitor = world.run();
    world.pass(20);
    assert_eq!(world.cancel("monitor", 1000), Rc::OK, "running");
    let seen = world.effects();
    assert_eq!(seen.kills, [(monitor, KillScope::Group)]);
    assert_eq!((seen.reports[0].outcome.rc, seen.reports[0].times.exec), (OcfRc::Ok, 20));
    world.finish(monitor, OcfRc::Error);
    assert!(world.effects().reports.is_empty(), "nothing after the cancellation");
}

#[test]
fn the_case_of_an_action_counts_only_for_cancelling() {
    let mut world = World::new();
    world.exec("monitor", 1000);
    let run = world.run();
    world.finish(run, OcfRc::Ok);
    assert_eq!(world.cancel("Monitor", 1000), Rc::NOT_SUPPORTED);
    world.exec("MONITOR", 1000);
    let run = world.run();
    world.finish(run, OcfRc::Ok);
    world.effects();
    world.exec("STOP", 0);
    let reports = world.effects().reports;
    assert_eq!(reports.len(), 1, "merged with the first");
    assert_eq!(reports[0].outcome.status, ExecStatus::Cancelled);
}

#[test]
fn a_stop_cancels_recurring_operations_and_waits_for_the_killed_one() {
    let mut world = World::new();
    world.exec("monitor", 1000);
    let monitor = world.run();
    world.exec("status", 2000);
    world.exec("stop", 0);
    let seen = world.effects();
    assert_eq!(seen.reports.len(), 2);
    assert!(seen.reports.iter().all(|report| report.outcome.status == ExecStatus::Cancelled));
    assert!(seen.runs.is_empty());
    world.finish(monitor, OcfRc::Error);
    assert_eq!(world.effects().actions, ["stop"]);
}

#[test]
fn a_start_delay_holds_up_the_whole_queue() {
    let mut world = World::new();
    world.exec_with(ExecRequest { start_delay: 6000, ..request() }, CallOptions(0));
    world.exec("monitor", 0);
    world.pass(5999);
    assert!(world.effects().runs.is_empty());
    world.pass(1);
    assert_eq!(world.effects().actions, ["start"]);
    assert_eq!(world.executor.running(), 1);
}

#[test]
fn a_timeout_kills_the_group_and_is_reported_when_the_child_is_gone() {
    let mut world = World::new();
    world.exec_with(ExecRequest { timeout: 1500, ..request() }, CallOptions(0));
    let run = world.run();
    world.pass(1500);
    let seen = world.effects();
    assert_eq!(seen.kills, [(run, KillScope::Group)]);
    assert!(seen.reports.is_empty());
    world.pass(5000);
    assert_eq!(world.effects().stuck, ["start"]);
    let output = Some("half".to_owned());
    world.executor.finished(
        run,
        Outcome { output, ..Outcome::new(OcfRc::Error, ExecStatus::Error) },
        world.now,
    );
    let report = world.effects().reports.remove(0);
    assert_eq!((report.outcome.rc, report.outcome.status), (OcfRc::Error, ExecStatus::TimedOut));
    assert_eq!(report.outcome.exit_reason.as_deref(), Some("Resource agent did not complete within 1.500s"));
    assert_eq!(report.outcome.output.as_deref(), Some("half"));
}

#[test]
fn on_fail_block_spares_the_process_group() {
    let mut world = World::new();
    let params = [("CRM_meta_on_fail", "block")].into_iter().collect();
    world.exec_with(ExecRequest { timeout: 1000, params, ..request() }, CallOptions(0));
    let run = world.run();
    world.pass(1000);
    assert_eq!(world.effects().kills, [(run, KillScope::Child)]);
}

#[test]
fn unregistering_lets_the_running_operation_finish_as_deleted() {
    let mut world = World::new();
    let call = world.exec("start", 0);
    let run = world.run();
    world.exec("monitor", 1000);
    assert_eq!(world.executor.unregister(RSC, world.now), Rc::IN_PROGRESS);
    let seen = world.effects();
    assert_eq!(seen.reports[0].outcome.status, ExecStatus::Cancelled);
    assert!(seen.reports[0].rsc_deleted);
    world.register(RSC, "Other");
    world.exec("monitor", 0);
    assert!(world.effects().runs.is_empty(), "the predecessor's operation still runs");
    world.finish(run, OcfRc::Ok);
    let seen = world.effects();
    let old = (seen.reports[0].call_id, seen.reports[0].rsc_deleted);
    assert_eq!(old, (call, false), "the id is registered again: the cluster must not forget it");
    assert_eq!(seen.actions, ["monitor"]);
    assert_eq!(world.executor.unregister(RSC, world.now), Rc::IN_PROGRESS);
    world.finish(seen.runs[0], OcfRc::Ok);
    assert!(world.effects().reports[0].rsc_deleted);
    assert_eq!(world.executor.unregister("none", world.now), Rc::OK);
}

#[test]
fn registering_again_replaces_only_a_different_definition() {
    let mut world = World::new();
    world.exec("monitor", 1000);
    let run = world.run();
    world.finish(run, OcfRc::Ok);
    world.effects();
    world.register(RSC, "Dummy");
    assert!(world.effects().reports.is_empty());
    world.exec_with(ExecRequest { start_delay: 9000, ..request() }, CallOptions::CHANGES_ONLY);
    world.register(RSC, "Other");
    let reports = world.effects().reports;
    let told: Vec<_> = reports.iter().map(|r| (r.request.action.as_str(), r.outcome.status)).collect();
    assert_eq!(told, [("start", ExecStatus::Cancelled), ("monitor", ExecStatus::Cancelled)]);
    assert!(!reports.iter().any(|report| report.rsc_deleted));
    assert_eq!(world.executor.definition(RSC).unwrap().agent, "Other");
    assert!(world.executor.recurring(Some(RSC)).unwrap()[0].ops.is_empty());
}

#[test]
fn the_last_clients_leaving_drops_recurring_operations_silently() {
    let mut world = World::new();
    world.executor.register(definition("kept", "Dummy"), CallOptions(0), world.now);
    world.exec("monitor", 1000);
    let run = world.run();
    world.exec_with(
        ExecRequest { rsc_id: "kept".to_owned(), action: "monitor".to_owned(), interval: 1000, ..request() },
        CallOptions::CHANGES_ONLY,
    );
    world.effects();
    world.executor.last_client_left(world.now);
    let seen = world.effects();
    assert_eq!(seen.kills, [(run, KillScope::Group)]);
    assert!(seen.reports.is_empty());
    assert!(world.executor.recurring(Some(RSC)).unwrap()[0].ops.is_empty());
    assert_eq!(world.executor.recurring(Some("kept")).unwrap()[0].ops.len(), 1);
}

/// What a client, or the world, may do next.
#[derive(Clone, Debug)]
enum Step {
    Exec { rsc: u8, action: u8, interval: u8, timeout: u8 },
    Cancel { rsc: u8, action: u8, interval: u8 },
    Finish { which: u8, rc: u8 },
    Pass { ms: u16 },
    Unregister { rsc: u8 },
    Register { rsc: u8, agent: u8 },
    LastClientLeft,
}

const ACTIONS: [&str; 3] = ["start", "stop", "monitor"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_u8, 0..3_u8, 0..3_u8, 0..3_u8)
            .prop_map(|(rsc, action, interval, timeout)| Step::Exec { rsc, action, interval, timeout }),
        2 => (0..2_u8, 0..3_u8, 0..3_u8).prop_map(|(rsc, action, interval)| Step::Cancel { rsc, action, interval }),
        6 => (any::<u8>(), 0..3_u8).prop_map(|(which, rc)| Step::Finish { which, rc }),
        4 => (0..3000_u16).prop_map(|ms| Step::Pass { ms }),
        1 => (0..2_u8).prop_map(|rsc| Step::Unregister { rsc }),
        2 => (0..2_u8, 0..2_u8).prop_map(|(rsc, agent)| Step::Register { rsc, agent }),
        1 => Just(Step::LastClientLeft),
    ]
}

proptest! {
    /// Whatever happens: one run at a time a resource, every accepted one-shot operation reported exactly once,
    /// nothing reported after its cancellation, and a wake-up planned whenever something waits.
    #[test]
    fn no_operation_is_lost_doubled_or_overtaken(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        let mut running: Vec<(RunId, String)> = Vec::new();
        let mut open: BTreeMap<i64, (String, u64)> = BTreeMap::new();
        let mut started: BTreeMap<String, i64> = BTreeMap::new();
        for step in steps {
            let rsc = |rsc: u8| format!("r{}", rsc + 1);
            match step {
                Step::Exec { rsc: id, action, interval, timeout } => {
                    let request = ExecRequest {
                        rsc_id: rsc(id),
                        action: ACTIONS[action as usize].to_owned(),
                        interval: u64::from(interval) * 1000,
                        timeout: u64::from(timeout) * 1000,
                        ..ExecRequest::default()
                    };
                    let (id, interval) = (request.rsc_id.clone(), request.interval);
                    let user_data = Some((world.calls + 1).to_string());
                    let call = world.exec_with(ExecRequest { user_data, ..request }, CallOptions(0));
                    if call > 0 && interval == 0 {
                        open.insert(call, (id, interval));
                    }
                }
                Step::Cancel { rsc: id, action, interval } => {
                    let (action, interval) = (ACTIONS[action as usize].to_owned(), u64::from(interval) * 1000);
                    let _ = world.executor.cancel(&CancelRequest { rsc_id: rsc(id), action, interval }, world.now);
                }
                Step::Finish { which, rc } if !running.is_empty() => {
                    let (run, _) = running.remove(which as usize % running.len());
                    world.finish(run, [OcfRc::Ok, OcfRc::NotRunning, OcfRc::Error][rc as usize]);
                }
                Step::Finish { .. } => {}
                Step::Pass { ms } => world.pass(ms.into()),
                Step::Unregister { rsc: id } => { let _ = world.executor.unregister(&rsc(id), world.now); }
                Step::Register { rsc: id, agent } => world.register(&rsc(id), &format!("Agent{agent}")),
                Step::LastClientLeft => world.executor.last_client_left(world.now),
            }
            for effect in world.executor.take_effects() {
                match effect {
                    Effect::Run { run, request, .. } => {
                        prop_assert!(running.iter().all(|(_, id)| *id != request.rsc_id), "two runs of {}", request.rsc_id);
                        if request.interval == 0 {
                            let call: i64 = request.user_data.as_deref().unwrap().parse().unwrap();
                            let last = started.insert(request.rsc_id.clone(), call).unwrap_or(0);
                            prop_assert!(call > last, "{call} was overtaken by {last}");
                        }
                        running.push((run, request.rsc_id.clone()));
                    }
                    Effect::Notify { report, .. } if report.request.interval == 0 => {
                        prop_assert!(open.remove(&report.call_id).is_some(), "{} reported twice", report.call_id);
                    }
                    Effect::Kill { run, .. } => prop_assert!(running.iter().any(|(known, _)| *known == run)),
                    Effect::Notify { .. } | Effect::Stuck { .. } => {}
                }
            }
        }
        // Let everything end: each open operation must be reported.
        for _ in 0..1000 {
            let Some((run, _)) = running.pop() else { break };
            world.finish(run, OcfRc::Ok);
            for effect in world.executor.take_effects() {
                match effect {
                    Effect::Run { run, request, .. } => running.push((run, request.rsc_id.clone())),
                    Effect::Notify { report, .. } => { open.remove(&report.call_id); }
                    Effect::Kill { .. } | Effect::Stuck { .. } => {}
                }
            }
            if running.is_empty() {
                world.pass(1);
            }
        }
        prop_assert!(open.is_empty(), "never reported: {open:?}");
    }
}

#[test]
fn times_are_readable() {
    let read =
        [(1, "1ms"), (999, "999ms"), (1000, "1s"), (1500, "1.500s"), (61_500, "1m1.500s"), (90_000, "1m30s")];
    for (ms, text) in read {
        assert_eq!(readable(ms), text);
    }
    assert_eq!((readable(120_000), readable(90_061_000)), ("2m".to_owned(), "1d1h1m1s".to_owned()));
}

#[test]
fn a_run_that_goes_on_is_told_as_it_stands_once_and_then_with_its_result() {
    let mut world = World::new();
    world.exec("monitor", 1000);
    let run = world.run();
    let pending = Outcome::new(OcfRc::Unknown, ExecStatus::Pending);
    for told in [1, 0] {
        world.executor.interim(run, &pending, world.now);
        let seen = world.effects();
        assert_eq!((seen.reports.len(), seen.runs.len()), (told, 0));
    }
    world.finish(run, OcfRc::Ok);
    assert_eq!(world.effects().reports.len(), 1);
    world.executor.interim(run, &pending, world.now);
    assert_eq!(world.effects().reports.len(), 0, "the run has ended");
}
