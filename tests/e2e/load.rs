//! `gates load` and the profiles, against a stack of which it is known what it can take.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::Project;

/// A stack that works at one request at a time, so long for each: it can take so many a second, and no more.
fn one_at_a_time(work: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let at_work = Arc::new(Mutex::new(()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let at_work = Arc::clone(&at_work);
            std::thread::spawn(move || answer(stream, &at_work, work));
        }
    });
    url
}

fn answer(mut stream: TcpStream, at_work: &Mutex<()>, work: Duration) {
    let mut request = [0; 4096];
    while matches!(stream.read(&mut request), Ok(1..)) {
        {
            let _turn = at_work.lock();
            std::thread::sleep(work);
        }
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .is_err()
        {
            return;
        }
    }
}

/// A project with one scenario of one request, and this target.
fn get(target: &str) -> Project {
    let project = Project::with("gates = 1\n");
    let text = format!(
        "gates: 1\nname: get\nsteps:\n  - name: get\n    http: GET ${{url}}/\n    expect: [status == 200]\n    target: {target}\n"
    );
    std::fs::write(project.path().join("get.yaml"), text).unwrap();
    project
}

#[test]
fn the_breakpoint_lies_where_the_queue_begins_to_grow() {
    // 10 ms each: 100 a second.
    let url = one_at_a_time(Duration::from_millis(10));
    let search = |rate: &str, at_least: &str| {
        let project = get("{p95: 250ms}");
        let args = [
            "load",
            "get.yaml",
            "--url",
            &url,
            "--profile",
            "breakpoint",
            "--rate",
            rate,
            "--at-least",
            at_least,
            "--for",
            "4s",
        ];
        (project.gates_alone(&args), project)
    };
    let (ended, project) = search("25/s", "25/s");
    ended.ended_with(0);
    let (outcome, seen) = project.outcome("load/breakpoint");
    assert_eq!(outcome, "pass", "{seen}");
    assert!(seen.contains("first to break is get/get/p95"), "{seen}");
    let attempts = project.run_json()["load"]["phases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["phase"]["figures"] == "judged")
        .map(|p| p["phase"]["to"].as_f64().unwrap())
        .collect::<Vec<_>>();
    assert!(attempts.len() >= 4, "doubled, then halved: {attempts:?}");
    assert!(attempts.iter().any(|rate| *rate > 100.0), "{attempts:?}");

    // More than it can take is asked for.
    let (ended, project) = search("50/s", "200/s");
    ended.ended_with(1);
    let (outcome, seen) = project.outcome("load/breakpoint");
    assert_eq!(outcome, "fail", "{seen}");
}

#[test]
fn a_load_beyond_doubt_is_ended_early() {
    let project = Project::demo(
        "profile = { users = 20, warm_up = \"1s\", hold = \"40s\", abort_when = { errors = \"2%\", after = \"2s\", over = \"5s\" } }",
    );
    project
        .gates(&["run", "demo", "--fault", "agent-down@6s"])
        .ended_with(1);
    let (outcome, seen) = project.outcome("load/abort");
    assert_eq!(outcome, "fail", "{seen}");
    assert!(
        seen.contains("ended early") && seen.contains("limit 2 %"),
        "{seen}"
    );
    let run = project.run_json();
    assert!(
        run["took_us"].as_u64().unwrap() < 35_000_000,
        "it was not ended early"
    );
}

#[test]
fn each_phase_is_judged_by_itself() {
    // 20 ms each, one at a time: two users wait 40 ms, twenty wait 400 ms.
    let url = one_at_a_time(Duration::from_millis(20));
    let project = get("{p50: 200ms}");
    let args = [
        "load",
        "get.yaml",
        "--url",
        &url,
        "--users",
        "2",
        "--profile",
        "spike",
        "--for",
        "16s",
    ];
    // Five times as many users in the spike: 10 × 20 ms.
    let ended = project.gates_alone(&args);
    assert_ne!(ended.code, Some(2), "{}", ended.err);
    let run = project.run_json();
    let names: Vec<_> = run["load"]["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["phase"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "warm-up",
            "normal",
            "to spike",
            "spike",
            "to recovery",
            "recovery"
        ]
    );
    let project = get("{p50: 120ms}");
    project.gates_alone(&args).ended_with(1);
    let (outcome, seen) = project.outcome("load/get/get/p50");
    assert_eq!(outcome, "fail", "{seen}");
    assert!(seen.contains("spike"), "the phase is named: {seen}");
}

#[test]
fn a_generator_out_of_breath_decides_nothing() {
    // More than the one core of a debug build can send.
    let url = one_at_a_time(Duration::ZERO);
    let project = get("{p95: 10s}");
    let ended = project.gates(&[
        "load",
        "get.yaml",
        "--url",
        &url,
        "--rate",
        "60000/s",
        "--max-users",
        "50",
        "--for",
        "4s",
    ]);
    ended.ended_with(3);
    let (outcome, seen) = project.outcome("load/generator");
    assert_eq!(outcome, "inconclusive", "{seen}");
}

#[test]
fn shards_add_up_to_one_load() {
    let url = one_at_a_time(Duration::from_millis(1));
    let project = get("{p95: 5s}");
    let args = |out: &'static str| {
        let args = [
            "load", "get.yaml", "--url", &url, "--users", "4", "--for", "3s", "--out", out,
        ];
        args.map(str::to_owned)
    };
    let mut folders = Vec::new();
    for out in ["one", "two"] {
        let args = args(out);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        project.gates(&args).ended_with(0);
        let run = std::fs::read_dir(project.path().join(out)).unwrap();
        folders.extend(run.flatten().map(|f| f.path()));
    }
    let n = |folder: &std::path::Path| {
        let text = std::fs::read_to_string(folder.join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_str(&text).unwrap();
        run["load"]["steps"][0]["total"]["statuses"][0][1]
            .as_u64()
            .unwrap()
    };
    let sum: u64 = folders.iter().map(|f| n(f)).sum();
    let folders: Vec<_> = folders.iter().map(|f| f.to_str().unwrap()).collect();
    let args = [&["merge", "--out", "merged"], &folders[..]].concat();
    let ended = project.gates(&args);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let merged = std::fs::read_dir(project.path().join("merged")).unwrap();
    let merged = merged.flatten().next().unwrap().path();
    let merged = if merged.is_dir() {
        merged
    } else {
        project.path().join("merged")
    };
    assert_eq!(n(&merged), sum);
}

#[test]
fn loads_that_are_none_are_refused() {
    let project = get("{p95: 1s}");
    for (args, said) in [
        (&["--rate", "0/s"][..], "is not a rate"),
        (&["--rate", "-5/s"], "is not a rate"),
        (&["--users", "0"], "not in 1..=100000"),
        (&["--users", "1", "--for", "0s"], "longer than nothing"),
        (&["--users", "1", "--for", "-5s"], "is not a duration"),
        (&["--users", "1", "--warm-up", "-1s"], "is not a duration"),
    ] {
        let args = [&["load", "get.yaml", "--url", "http://127.0.0.1:1"], args].concat();
        let ended = project.gates(&args).ended_with(2);
        assert!(ended.err.contains(said), "{args:?}: {}", ended.err);
    }
    assert!(project.run_folder().is_none(), "something was run");
}
