//! What may be declared, and what becomes of what was not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use headwater_core::{BadRecordPolicy, ErrorKind, Result};
use headwater_operators::process::{
    Cx, ListState, MapState, Process, ProcessOperator, Side, States, TimeDomain, ValueState,
};

use crate::harness::{Job, init};

type Declare = fn(&mut States<Declaring>);
type Run = fn(&mut Cx<'_, Declaring>) -> Result<()>;

/// Declares and runs what it is told.
#[derive(Clone, Copy)]
struct Declaring(Declare, Run);
impl Process for Declaring {
    type Key = u8;
    type In = ();
    type Out = ();
    type State = ();
    fn declare(&self, states: &mut States<Self>) {
        (self.0)(states);
    }
    fn process(&self, cx: &mut Cx<Self>, (): ()) -> Result<()> {
        (self.1)(cx)
    }
}

const TOTAL: ValueState<u64> = ValueState::new("total");
const ROWS: MapState<u8, u64> = MapState::new("rows");
const ASIDE: Side<u64> = Side::new("aside");
const BESIDE: Side<String> = Side::new("beside");

fn refused(declare: Declare, want: Expect) {
    let process = Declaring(declare, |_| Ok(()));
    let Err(e) = States::of(&process) else { panic!("declared") };
    assert_eq!(e.kind(), ErrorKind::Plan);
    want.assert_eq(&e.report());
    let built = ProcessOperator::new(&init(0, 1), Arc::new(process), BadRecordPolicy::Skip);
    assert_eq!(built.err().map(|e| e.kind()), Some(ErrorKind::Plan));
}

#[test]
fn contradictory_declarations_are_refused() {
    refused(
        |states| {
            states.value(&TOTAL);
            states.list(&ListState::<u8>::new("total"));
        },
        expect![[r#"
            two states are called "total"
              help: give each state a name of its own; checkpoints know it by that name"#]],
    );
    refused(
        |states| {
            states.map(&MapState::<u8, u8>::new("timers"));
        },
        expect![[r#"
            a state cannot be called "timers"
              help: that name is taken by what every process function has"#]],
    );
    refused(
        |states| {
            states.map(&MapState::<u8, u8>::new("a/ttl"));
        },
        expect![[r#"
            a state cannot be called "a/ttl"
              help: use a name that is not empty and holds no slash"#]],
    );
    refused(
        |states| states.value(&TOTAL).ttl(Duration::ZERO, TimeDomain::EventTime),
        expect![[r#"
            time to live of state "total" is 0ns
              help: give it one millisecond or more"#]],
    );
    refused(
        |states| {
            states.side(ASIDE);
            states.side(Side::<u8>::new("aside"));
        },
        expect![[r#"
            two side outputs are called "aside"
              help: give each side output a name of its own"#]],
    );
    refused(
        |states| states.side(Side::<u8>::new("late")),
        expect![[r#"
            a side output cannot be called "late"
              help: "out" and "late" are the names of the outputs every step has"#]],
    );
}

/// Under every policy the attempt fails, as each record would be refused.
fn fails(declare: Declare, run: Run, want: Expect) {
    for policy in [BadRecordPolicy::Skip, BadRecordPolicy::DeadLetter, BadRecordPolicy::Fail] {
        let process = Arc::new(Declaring(declare, run));
        let mut job = Job::new(1, move |i| ProcessOperator::new(i, Arc::clone(&process), policy));
        let e = job.send(0, 7u8, ()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Plan);
        want.assert_eq(&e.report());
    }
}

#[test]
fn what_was_not_declared_fails_the_attempt() {
    fails(
        |_| {},
        |cx| cx.value(&TOTAL).set(1),
        expect![[r#"
            key 7: value state "total" is used, but not declared
              help: add `states.value(&..)` with its constant to `Process::declare`"#]],
    );
    fails(
        |_| {},
        |cx| {
            // Swallowing the error does not help.
            cx.map(&ROWS).insert(1, 1).ok();
            Ok(())
        },
        expect![[r#"
            key 7: map state "rows" is used, but not declared
              help: add `states.map(&..)` with its constant to `Process::declare`"#]],
    );
    fails(
        |states| {
            states.value(&ValueState::<String>::new("total"));
        },
        |cx| cx.value(&TOTAL).get().map(drop),
        expect![[r#"
            key 7: value state "total" is declared with another kind or type than it is used with
              help: declare and use it by one and the same constant"#]],
    );
    fails(
        |states| states.side(ASIDE),
        |cx| {
            cx.emit_to(BESIDE, "x".into());
            Ok(())
        },
        expect![[r#"
            key 7: side output "beside" is not declared
              help: add `states.side(..)` to `Process::declare`; declared are: "aside""#]],
    );
    fails(
        |states| states.side(ASIDE),
        |cx| {
            cx.emit_to(Side::<u8>::new("aside"), 1);
            Ok(())
        },
        expect![[r#"key 7: side output "aside" carries u64, not u8"#]],
    );
}

#[test]
fn side_outputs_have_ports_in_order_of_declaration() {
    let declare: Declare = |states| {
        states.side(BESIDE);
        states.side(ASIDE);
    };
    let states = States::of(&Declaring(declare, |_| Ok(()))).unwrap();
    assert_eq!(states.sides().names().collect::<Vec<_>>(), ["beside", "aside"]);
    assert_eq!(states.sides().port(BESIDE).unwrap(), 2);
    // Another constant of the same name is the same output.
    assert_eq!(states.sides().port(Side::<u64>::new(String::from("aside").leak())).unwrap(), 3);
    assert!(states.sides().port(Side::<u64>::new("nowhere")).is_err());
}
