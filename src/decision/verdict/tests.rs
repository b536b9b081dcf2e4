//! The table of outcomes, row by row, and the laws that hold for any list of checks.

use proptest::prelude::*;

use super::*;
use crate::event::{DeclaredCheck, Moment, Redacted, Stage, Subject};

fn check(n: usize, gate: Gate, outcome: Outcome) -> Check {
    Check {
        declared: DeclaredCheck {
            id: format!("smoke/s/{n}"),
            stage: Stage::Smoke,
            title: "t".into(),
            group: "g".into(),
            gate,
            subject: Subject::Probe {
                probe: "p".into(),
                moment: Moment::Before,
            },
            source: None,
            remedy: String::new(),
        },
        outcome,
        expected: String::new(),
        request: None,
        seen: Redacted::default(),
        details: Vec::new(),
        measured: None,
        took_us: None,
    }
}

fn verdict(list: &[(Gate, Outcome)]) -> Verdict {
    let checks: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(n, (g, o))| check(n, *g, *o))
        .collect();
    decide(&checks, checks.len(), &[]).verdict
}

#[test]
fn the_table_row_by_row() {
    use Gate::{Advisory, Mandatory};
    use Outcome::{Error, Fail, Held, Inconclusive, NotApplicable, Pass, Warn};
    let rows: &[(&[(Gate, Outcome)], Verdict)] = &[
        (&[], Verdict::Inconclusive),
        (&[(Mandatory, NotApplicable)], Verdict::Inconclusive),
        (&[(Advisory, Pass)], Verdict::Inconclusive),
        (&[(Mandatory, Pass)], Verdict::Pass),
        (
            &[(Mandatory, Pass), (Mandatory, NotApplicable)],
            Verdict::Pass,
        ),
        (&[(Mandatory, Pass), (Mandatory, Warn)], Verdict::Concerns),
        (&[(Mandatory, Pass), (Advisory, Warn)], Verdict::Concerns),
        (&[(Mandatory, Pass), (Advisory, Fail)], Verdict::Concerns),
        (&[(Mandatory, Pass), (Advisory, Error)], Verdict::Concerns),
        (&[(Mandatory, Warn), (Mandatory, Held)], Verdict::Held),
        (
            &[(Mandatory, Held), (Mandatory, Inconclusive)],
            Verdict::Inconclusive,
        ),
        (
            &[(Mandatory, Inconclusive), (Mandatory, Error)],
            Verdict::Inconclusive,
        ),
        (
            &[(Mandatory, Pass), (Mandatory, Error)],
            Verdict::Inconclusive,
        ),
        (&[(Mandatory, Error), (Mandatory, Fail)], Verdict::Fail),
    ];
    for (list, expected) in rows {
        assert_eq!(verdict(list), *expected, "{list:?}");
    }
}

#[test]
fn a_check_that_vanished_is_noticed() {
    let checks = [check(0, Gate::Mandatory, Outcome::Pass)];
    let decision = decide(&checks, 2, &[]);
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(
        decision.reasons[0].contains("2 declared = 1 pass"),
        "{:?}",
        decision.reasons
    );
}

#[test]
fn a_disturbance_allows_no_promotion() {
    let checks = [check(0, Gate::Mandatory, Outcome::Pass)];
    let interrupted = ["interrupted by SIGINT".to_owned()];
    assert_eq!(
        decide(&checks, 1, &interrupted).verdict,
        Verdict::Inconclusive
    );
    let failed = [check(0, Gate::Mandatory, Outcome::Fail)];
    let decision = decide(&failed, 1, &interrupted);
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert_eq!(
        decision.reasons.len(),
        2,
        "what was seen before the interrupt stays: {:?}",
        decision.reasons
    );
}

/// How far a verdict is from a promotion; "never improves" means it never gets smaller.
fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Concerns => 1,
        Verdict::Waived => 2,
        Verdict::Held => 3,
        Verdict::Inconclusive => 4,
        Verdict::Fail => 5,
    }
}

fn any_checks() -> impl Strategy<Value = Vec<(Gate, Outcome)>> {
    let gate = prop_oneof![Just(Gate::Mandatory), Just(Gate::Advisory)];
    prop::collection::vec((gate, prop::sample::select(Outcome::ALL.to_vec())), 0..12)
}

proptest! {
    #[test]
    fn conservation_holds(list in any_checks()) {
        let checks: Vec<_> = list.iter().enumerate().map(|(n, (g, o))| check(n, *g, *o)).collect();
        prop_assert!(decide(&checks, checks.len(), &[]).conservation.holds());
    }

    #[test]
    fn order_does_not_matter(list in any_checks()) {
        let mut reversed = list.clone();
        reversed.reverse();
        prop_assert_eq!(verdict(&list), verdict(&reversed));
    }

    #[test]
    fn a_failing_mandatory_check_always_fails(mut list in any_checks()) {
        list.push((Gate::Mandatory, Outcome::Fail));
        prop_assert_eq!(verdict(&list), Verdict::Fail);
    }

    #[test]
    fn a_check_without_an_answer_never_improves(list in any_checks(), at in 0usize..12) {
        prop_assume!(!list.is_empty());
        let at = at % list.len();
        // Removing the data of a check leaves it inconclusive; a failure that was seen stays seen.
        prop_assume!(list[at].1 != Outcome::Fail && list[at].1 != Outcome::NotApplicable);
        let mut without = list.clone();
        without[at].1 = Outcome::Inconclusive;
        prop_assert!(badness(verdict(&without)) >= badness(verdict(&list)));
    }
}
