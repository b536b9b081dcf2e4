//! `junit.xml`: one suite per stage, one case per check, names that stay the same from run to run.

use junit_report::{
    Duration, OffsetDateTime, ReportBuilder, TestCase, TestCaseBuilder, TestSuite, TestSuiteBuilder,
};
use quick_xml::events::Event;
use quick_xml::{Reader, Writer};

use super::{Reporter, words};
use crate::decision::{Check, Evaluation, Outcome};
use crate::event::{Gate, Stage};

pub(super) struct JUnit;

type Problem = Box<dyn std::error::Error + Send + Sync>;

impl Reporter for JUnit {
    fn file(&self) -> &'static str {
        "junit.xml"
    }

    fn render(&self, evaluation: &Evaluation) -> Result<Vec<u8>, Problem> {
        let started = started(evaluation);
        let mut suites: Vec<TestSuite> = Stage::ALL
            .into_iter()
            .filter(|stage| words::of_stage(evaluation, *stage).next().is_some())
            .map(|stage| {
                let mut suite = TestSuiteBuilder::new(&format!("gates.{stage}"));
                suite.set_timestamp(started);
                suite.add_testcases(words::of_stage(evaluation, stage).map(case));
                suite.build()
            })
            .collect();
        suites.push(decision(evaluation, started));
        let report = ReportBuilder::new().add_testsuites(suites.clone()).build();
        let mut bytes = Vec::new();
        report.write_xml(&mut bytes)?;
        complete(&bytes, &suites)
    }
}

fn started(evaluation: &Evaluation) -> OffsetDateTime {
    let seconds = evaluation
        .run
        .started_at
        .parse::<jiff::Timestamp>()
        .map_or(0, jiff::Timestamp::as_second);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The decision as a case of its own, so that a reader of JUnit alone is never greener than the exit code.
fn decision(evaluation: &Evaluation, started: OffsetDateTime) -> TestSuite {
    let verdict = evaluation.decision.verdict;
    let reasons = evaluation.decision.reasons.join("\n");
    let headline = words::headline(evaluation);
    let mut case = if verdict.promotes() {
        TestCaseBuilder::success("decision", Duration::ZERO)
    } else {
        TestCaseBuilder::failure(
            "decision",
            Duration::ZERO,
            verdict.name(),
            &plain(&headline),
        )
    };
    if verdict.promotes() {
        case.set_system_out(&plain(&format!("{verdict}: {headline}\n{reasons}")));
    } else {
        case.set_trace(&plain(&format!("{headline}\n{reasons}")));
    }
    case.set_classname("gates.decision");
    let mut suite = TestSuiteBuilder::new("gates.decision");
    suite.set_timestamp(started);
    suite.add_testcase(case.build());
    suite.build()
}

/// Every outcome has exactly one element: a question without an answer is an error, never a skip, so that it is not read as green.
fn case(check: &Check) -> TestCase {
    let declared = &check.declared;
    let time =
        Duration::milliseconds(i64::try_from(check.took_us.unwrap_or(0) / 1000).unwrap_or(0));
    let name = &plain(&declared.title);
    let message = &plain(check.seen.as_str());
    let kind = check.outcome.name();
    let mut case = match (check.outcome, declared.gate) {
        (Outcome::Pass | Outcome::Warn, _) => TestCaseBuilder::success(name, time),
        (Outcome::NotApplicable, _) => TestCaseBuilder::skipped_with_cause(name, kind, message),
        (outcome, Gate::Advisory) => {
            TestCaseBuilder::skipped_with_cause(name, &format!("advisory-{outcome}"), message)
        }
        (Outcome::Fail, Gate::Mandatory) => TestCaseBuilder::failure(name, time, kind, message),
        (Outcome::Error | Outcome::Inconclusive | Outcome::Held, Gate::Mandatory) => {
            TestCaseBuilder::error(name, time, kind, message)
        }
    };
    case.set_classname(&plain(&format!(
        "gates.{}.{}",
        declared.stage, declared.group
    )));
    let text = explanation(check);
    match check.outcome {
        Outcome::Pass | Outcome::Warn => case.set_system_out(&text),
        _ => case.set_trace(&text),
    };
    case.build()
}

fn explanation(check: &Check) -> String {
    let mut text = format!(
        "check: {}\nexpected: {}\nseen: {}\n",
        check.declared.id, check.expected, check.seen
    );
    if let Some(request) = &check.request {
        text.push_str(&format!("sent: {request}\n"));
    }
    for detail in &check.details {
        let place = detail
            .source
            .as_ref()
            .map_or_else(String::new, |s| format!(" ({s})"));
        text.push_str(&format!(
            "  expected {}{place}\n  seen {}\n",
            detail.expected, detail.seen
        ));
    }
    if let Some(source) = &check.declared.source {
        text.push_str(&format!("asked at: {source}\n"));
    }
    if check.outcome != Outcome::Pass {
        text.push_str(&format!("to do: {}\n", check.declared.remedy));
    }
    plain(&text)
}

/// Text that every reader of JUnit takes: no control characters, no end of a CDATA section.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| *c == '\n' || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')))
        .collect::<String>()
        .replace("]]>", "]] >")
}

/// Adds what `junit-report` does not write: the number of skipped cases of each suite, which some readers take their totals from.
fn complete(xml: &[u8], suites: &[TestSuite]) -> Result<Vec<u8>, Problem> {
    let mut reader = Reader::from_reader(xml);
    let mut writer = Writer::new(Vec::new());
    let mut skipped = suites.iter().map(TestSuite::skipped);
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(writer.into_inner()),
            Event::Start(element) if element.name().as_ref() == b"testsuite" => {
                let mut element = element.into_owned();
                element
                    .push_attribute(("skipped", skipped.next().unwrap_or(0).to_string().as_str()));
                writer.write_event(Event::Start(element))?;
            }
            event => writer.write_event(event)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_readers_choke_on_is_changed() {
        assert_eq!(plain("a]]>b\u{1b}[31m\u{0}c\nd"), "a]] >b[31mc\nd");
    }
}
