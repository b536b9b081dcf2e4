//! What can go wrong around a run: each time a clear message, the exit code of the table, and never a promotion.

use std::net::TcpListener;
use std::process::Command;

use crate::harness::{Ended, FILES, Project, beside_others};

const SHORT: &str = "profile = { users = 10, warm_up = \"200ms\", hold = \"30s\", grace = \"1s\" }";

fn deployed(url: &str) -> Project {
    Project::with(&format!(
        "gates = 1\nproject = {{ name = \"p\" }}\n[environments.staging]\nurl = \"{url}\"\nstages = [\"preflight\", \"smoke\"]\n\
         writes = true\nvariables = {{ learner_password = \"x\" }}\n"
    ))
}

#[test]
fn usage_and_plans_that_do_not_load_end_with_2() {
    let project = Project::demo(SHORT);
    let says = |args: &[&str], text: &str| {
        let ended = project.gates(args).ended_with(2);
        assert!(ended.err.contains(text), "{args:?}: {}", ended.err);
        assert!(project.run_folder().is_none(), "{args:?} made a run");
    };
    says(&["run", "stagign"], "did you mean `staging`?");
    says(
        &["run", "demo", "--config", "nowhere.toml"],
        "nowhere.toml does not exist",
    );
    says(
        &["run", "demo", "--fault", "agent-dwon"],
        "did you mean `agent-down`?",
    );
    says(
        &["run", "staging", "--fault", "agent-down"],
        "embedded stack",
    );
    says(&["run", "staging"], "LEARNER_PASSWORD is not set");
    says(&["run", "demo", "--only", "laod"], "possible values");
    says(
        &["run", "demo", "--env-file", "none.env"],
        "none.env can't be read",
    );
    says(
        &["run", "production", "--allow-protected", "staging"],
        "--allow-protected names `staging`",
    );
    std::fs::write(
        project.path().join("scenarios/broken.yaml"),
        "gates: 1\nname: b\nsteps:\n  - nmae: a\n",
    )
    .unwrap();
    says(&["run", "demo"], "scenarios/broken.yaml:4:5");
    says(&["lint", "scenarios/broken.yaml"], "did you mean `name`?");
}

#[test]
fn a_host_that_refuses_fails() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let project = deployed(&format!("http://{free}"));
    project.gates(&["run", "staging"]).ended_with(1);
    let (outcome, seen) = project.outcome("preflight/reachable");
    assert_eq!(outcome, "fail");
    assert!(seen.contains("refused"), "{seen}");
    assert_eq!(
        project.outcome("smoke/health/home page").0,
        "inconclusive",
        "what was not run is not green"
    );
    for file in FILES {
        assert!(project.run_folder().unwrap().join(file).exists(), "{file}");
    }
}

#[test]
fn a_host_without_an_address_is_inconclusive() {
    let project = deployed("http://no-such-host.invalid");
    project.gates(&["run", "staging"]).ended_with(3);
    let (outcome, seen) = project.outcome("preflight/reachable");
    assert_eq!(outcome, "error");
    assert!(seen.contains("can't be resolved"), "{seen}");
}

#[test]
fn a_host_that_accepts_and_never_answers_fails_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = deployed(&format!("http://{}", listener.local_addr().unwrap()));
    project.gates(&["run", "staging"]).ended_with(1);
    assert!(
        project
            .outcome("preflight/reachable")
            .1
            .contains("no answer within 10 s")
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_fails() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![key.cert.der().clone()],
        key.signing_key.serialize_der().try_into().unwrap(),
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = std::sync::Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = std::sync::Arc::clone(&config);
            std::thread::spawn(move || {
                use std::io::{Read as _, Write as _};
                let mut session = rustls::ServerConnection::new(config).unwrap();
                let mut stream = stream;
                let mut tls = rustls::Stream::new(&mut session, &mut stream);
                let mut request = [0; 1024];
                if tls.read(&mut request).is_ok() {
                    let _ = tls.write_all(
                        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                    );
                }
            });
        }
    });
    let project = deployed(&format!("https://localhost:{port}"));
    project.gates(&["run", "staging"]).ended_with(1);
    let (outcome, seen) = project.outcome("preflight/reachable");
    assert_eq!(outcome, "fail");
    assert!(seen.contains("certificate"), "{seen}");

    // The same one, vouched for by the environment's own file, is taken.
    std::fs::remove_dir_all(project.path().join("reports")).unwrap();
    std::fs::write(project.path().join("ca.pem"), key.cert.pem()).unwrap();
    let toml = project.path().join("gates.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(
        &toml,
        text.replace("stages =", "ca_file = \"ca.pem\"\nstages ="),
    )
    .unwrap();
    project.gates(&["run", "staging"]).ended_with(1);
    assert_eq!(project.outcome("preflight/reachable").0, "pass");
}

#[test]
fn a_folder_that_cannot_be_written_ends_with_4_before_anything_is_sent() {
    let project = Project::demo(SHORT);
    let ended = project
        .gates(&["run", "demo", "--reports", "gates.toml/reports"])
        .ended_with(4);
    assert!(
        ended.err.contains("can't make the folder of the run")
            && ended.err.contains("--reports DIR"),
        "{}",
        ended.err
    );
    assert!(
        !ended.err.contains("preflight"),
        "something was sent: {}",
        ended.err
    );
}

#[test]
fn a_disk_that_fills_up_ends_with_4() {
    let project = Project::demo(SHORT);
    let gates = env!("CARGO_BIN_EXE_gates");
    // No file may grow beyond 64 KB; without the signal that would end the program, writing fails as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 64; exec {gates} run demo");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(project.path())
        .output()
        .unwrap();
    let ended = Ended::of(output).ended_with(4);
    assert!(
        ended.out.contains("INCONCLUSIVE") && ended.out.contains("writing the journal"),
        "{}{}",
        ended.out,
        ended.err
    );
}

#[cfg(unix)]
fn signal(name: &str, child: &std::process::Child) {
    assert!(
        Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_run_that_is_stopped_writes_its_reports() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let project = Project::demo(SHORT);
        let _share = beside_others();
        let child = project.start_and_wait_for(&["run", "demo"], "\"is\":\"window\"");
        signal(name, &child);
        let ended = Ended::of(child.wait_with_output().unwrap()).ended_with(code);
        assert!(
            ended.out.contains("INCONCLUSIVE") && ended.out.contains("interrupted by SIG"),
            "{}",
            ended.out
        );
        for file in FILES {
            assert!(
                project.run_folder().unwrap().join(file).exists(),
                "{name}: {file}"
            );
        }
        assert_eq!(project.run_json()["decision"]["verdict"], "INCONCLUSIVE");
    }
}

#[test]
fn a_run_that_is_killed_can_still_be_reported() {
    let project = Project::demo(SHORT);
    {
        let _share = beside_others();
        let mut child = project.start_and_wait_for(&["run", "demo"], "\"is\":\"window\"");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let folder = project.run_folder().unwrap();
    assert!(
        !folder.join("report.html").exists(),
        "it had no time to write one"
    );
    let ended = project
        .gates(&["report", folder.to_str().unwrap()])
        .ended_with(3);
    assert!(ended.out.contains("cut off"), "{}", ended.out);
    assert_eq!(
        project.outcome("smoke/health/home page").0,
        "pass",
        "what was seen before is kept"
    );
    assert!(folder.join("report.html").exists());

    // A line that was written by half is where it ends, and no reason to give up.
    let journal = folder.join("events.jsonl");
    let text = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &text[..text.len() - 20]).unwrap();
    project
        .gates(&["report", folder.to_str().unwrap()])
        .ended_with(3);

    // A line in the middle that says nothing is damage: what it told is missing, and no figure is to be made without it.
    let whole = String::from_utf8(text).unwrap();
    let (first, rest) = whole.split_once('\n').unwrap();
    std::fs::write(&journal, format!("{first}\n{{}}\n{rest}")).unwrap();
    let ended = project
        .gates(&["report", folder.to_str().unwrap()])
        .ended_with(4);
    assert!(
        ended.err.contains("line 2 is not an event"),
        "{}",
        ended.err
    );

    std::fs::write(&journal, "not a journal\n").unwrap();
    let ended = project
        .gates(&["report", folder.to_str().unwrap()])
        .ended_with(4);
    assert!(
        ended.err.contains("line 1 is not an event"),
        "{}",
        ended.err
    );
}

#[test]
fn a_report_that_cannot_be_written_takes_a_promotion_back() {
    let project = Project::demo(
        "profile = { users = 40, warm_up = \"2s\", hold = \"20s\", max_delay = \"1s\" }",
    );
    project.gates_alone(&["run", "demo"]).ended_with(0);
    let folder = project.run_folder().unwrap();
    std::fs::remove_file(folder.join("junit.xml")).unwrap();
    std::fs::create_dir(folder.join("junit.xml")).unwrap();
    std::fs::remove_file(folder.join("report.html")).unwrap();
    let ended = project
        .gates(&["report", folder.to_str().unwrap()])
        .ended_with(4);
    assert!(
        ended.err.contains("can't write") && ended.err.contains("junit.xml"),
        "{}",
        ended.err
    );
    assert!(
        folder.join("report.html").exists(),
        "one reporter that fails does not stop the others"
    );
}

#[test]
fn more_users_than_open_files_are_refused_before_the_load() {
    let project = Project::demo("profile = { users = 2000, warm_up = \"1s\", hold = \"5s\" }");
    let script = format!(
        "ulimit -n 1024; exec {} run demo --only load",
        env!("CARGO_BIN_EXE_gates")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(project.path())
        .output()
        .unwrap();
    let ended = Ended::of(output).ended_with(4);
    assert!(ended.out.contains("ulimit -n"), "{}", ended.out);
}
