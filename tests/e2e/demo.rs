//! The main job, end to end: the embedded stack is judged over real sockets, sound and with each of its faults.

use std::io::BufRead as _;

use crate::harness::{FILES, Project};
use gates::demo::Fault;

#[test]
fn a_sound_stack_passes_and_every_report_is_written() {
    let project = Project::demo(
        "profile = { users = 40, warm_up = \"2s\", hold = \"20s\", max_delay = \"1s\" }",
    );
    let ended = project.gates_alone(&["run", "demo"]).ended_with(0);
    assert!(ended.out.contains("PASS"), "{}", ended.out);
    let folder = project.run_folder().unwrap();
    for file in FILES {
        assert!(
            folder.join(file).metadata().unwrap().len() > 0,
            "{file} is empty"
        );
    }
    let run = project.run_json();
    let count = run["checks"].as_array().unwrap().len();
    assert_eq!(
        run["decision"]["conservation"]["by_outcome"]["pass"], count,
        "every check passed"
    );
    for step in run["load"]["steps"].as_array().unwrap() {
        assert!(
            !step["series"].as_array().unwrap().is_empty(),
            "{step} was never run under load"
        );
    }
    // The journal alone gives the same decision.
    let before = run["decision"].clone();
    project
        .gates(&["report", folder.to_str().unwrap()])
        .ended_with(0);
    assert_eq!(project.run_json()["decision"], before);
}

/// Runs with one fault and asserts that the check which is said to see it does, and that the run fails.
fn caught(fault: Fault, args: &[&str]) {
    let project =
        Project::demo("profile = { users = 40, warm_up = \"1s\", hold = \"5s\", grace = \"4s\" }");
    let mut all = vec!["run", "demo", "--fault", fault.name()];
    all.extend(args);
    let ended = project.gates(&all).ended_with(1);
    assert!(ended.out.contains("FAIL"), "{}", ended.out);
    assert!(
        ended.out.contains(fault.caught_by()),
        "{fault} is not named:\n{}",
        ended.out
    );
    assert_eq!(project.outcome(fault.caught_by()).0, "fail", "{fault}");
}

#[test]
fn faults_that_show_before_load() {
    for fault in Fault::ALL {
        if !fault.caught_by().starts_with("load/") {
            caught(*fault, &["--only", "preflight,smoke,agents"]);
        }
    }
}

#[test]
fn a_slow_endpoint_shows_only_under_load() {
    caught(Fault::SlowEndpoint, &[]);
}

#[test]
fn a_burst_of_errors_shows_only_under_load() {
    caught(Fault::ErrorBurst, &[]);
}

#[test]
fn connections_that_are_reset_show_under_load() {
    caught(Fault::Reset, &[]);
}

#[test]
fn an_agent_that_goes_down_under_load_is_placed_in_time() {
    let project = Project::demo("profile = { users = 20, warm_up = \"1s\", hold = \"6s\" }");
    project
        .gates(&["run", "demo", "--fault", "agent-down@5s"])
        .ended_with(1);
    assert_eq!(
        project.outcome("agents/content-creator").0,
        "pass",
        "it was up before"
    );
    let (outcome, seen) = project.outcome("load/during/content-creator");
    assert_eq!(outcome, "fail");
    assert!(
        seen.contains("into the run") && seen.contains("refused"),
        "{seen}"
    );
    assert_eq!(project.outcome("load/after/content-creator").0, "fail");
    let (outcome, seen) = project.outcome("agents/health");
    assert_eq!(outcome, "fail");
    assert!(seen.starts_with("3 of 4 agents healthy"), "{seen}");
}

#[test]
fn a_part_of_a_run_never_promotes() {
    let project = Project::demo("profile = { users = 40, warm_up = \"1s\", hold = \"5s\" }");
    let ended = project
        .gates(&["run", "demo", "--only", "smoke"])
        .ended_with(3);
    assert!(ended.out.contains("left out by --only"), "{}", ended.out);
    assert_eq!(project.outcome("smoke/health/home page").0, "pass");
}

#[test]
fn journeys_that_arrive_by_the_clock_are_judged_too() {
    let project = Project::demo(
        "profile = { rate = \"150/s\", warm_up = \"1s\", hold = \"25s\", max_delay = \"1s\" }",
    );
    project.gates_alone(&["run", "demo"]).ended_with(0);
    let run = project.run_json();
    let phases = run["load"]["phases"].as_array().unwrap();
    let [held] = &phases
        .iter()
        .filter(|p| p["phase"]["figures"] == "judged")
        .collect::<Vec<_>>()[..]
    else {
        panic!("one phase is judged: {phases:?}");
    };
    assert_eq!(held["arrived"], 3750, "offered as planned, to the journey");
    assert_eq!(held["dropped"], 0);
}

#[test]
fn a_rate_that_could_not_be_offered_decides_nothing() {
    // The tutor's streams take a quarter of a second each: two users can't take so many journeys.
    let project = Project::demo(
        "profile = { rate = \"100/s\", spacing = \"poisson\", max_users = 2, warm_up = \"0s\", hold = \"4s\" }",
    );
    let ended = project.gates(&["run", "demo"]).ended_with(3);
    assert!(
        ended.out.contains("journeys could not begin") && ended.out.contains("raise `max_users`"),
        "{}",
        ended.out
    );
}

#[test]
fn the_engine_alone_needs_no_project() {
    let password = "learner_password=learn-with-gates";
    let project = Project::demo("profile = { users = 1 }");
    let mut served = project
        .command(&["demo", "--port", "0"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(served.stdout.take().unwrap());
    while !line.contains("http://") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the demo ended");
    }
    let url = &line[line.find("http://").unwrap()..];
    let url = url.split_whitespace().next().unwrap().to_owned();
    std::fs::remove_file(project.path().join("gates.toml")).unwrap();
    let load = [
        "load",
        "scenarios/health.yaml",
        "--var",
        password,
        "--for",
        "4s",
    ];
    let args = |more: &[&str]| {
        [&load[..], more]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let run = |more: &[&str]| {
        let args = args(more);
        project.gates(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let ended = run(&["--rate", "100/s", "--url", &url]).ended_with(0);
    assert!(ended.out.contains("health / home page"), "{}", ended.out);
    assert!(ended.out.contains("400  100/s"), "{}", ended.out);
    // With nobody there, it is no success, though nothing was demanded.
    served.kill().unwrap();
    served.wait().unwrap();
    let ended = run(&["--users", "2", "--url", &url]).ended_with(1);
    assert!(ended.out.contains("no connection"), "{}", ended.out);
    let ended = run(&["--users", "2"]).ended_with(2);
    assert!(ended.err.contains("--url"), "{}", ended.err);
}

#[test]
fn too_short_a_load_is_inconclusive() {
    let project = Project::demo("profile = { users = 8, warm_up = \"100ms\", hold = \"1s\" }");
    let ended = project.gates(&["run", "demo"]).ended_with(3);
    assert!(
        ended.out.contains("at least 299 samples are needed"),
        "{}",
        ended.out
    );
}

#[test]
fn secrets_reach_no_output() {
    let canary = "canary-9f8e7d6c-password";
    let project = Project::demo(
        "profile = { users = 12, warm_up = \"200ms\", hold = \"2s\", grace = \"1s\" }",
    );
    // A fault, so that requests with tokens in their address are told in full.
    let output = project
        .command(&["run", "demo", "--fault", "websocket-closes"])
        .env("LEARNER_PASSWORD", canary)
        .output()
        .unwrap();
    let ended = crate::harness::Ended::of(output).ended_with(1);
    let folder = project.run_folder().unwrap();
    let mut texts = vec![
        ("standard output", ended.out),
        ("standard error", ended.err),
    ];
    texts.extend(FILES.map(|file| (file, std::fs::read_to_string(folder.join(file)).unwrap())));
    let token = regex::Regex::new("(^|[^0-9a-f])[0-9a-f]{32}([^0-9a-f]|$)").unwrap();
    for (name, text) in &texts {
        assert!(!text.contains(canary), "the password is in {name}");
        assert!(
            !token.is_match(text),
            "a token is in {name}: {:?}",
            token.find(text)
        );
    }
    assert!(
        texts
            .iter()
            .any(|(_, text)| text.contains("/api/agents/ws/‹redacted›")),
        "the request is told, without its token"
    );
}
