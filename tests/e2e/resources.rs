//! Resource use from servers that this test plays, beside the embedded stack.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::harness::Project;

/// A Prometheus that answers each query by its name.
fn prometheus() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let n = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..n]).into_owned();
            let vector = |result: &str| {
                format!(
                    r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#
                )
            };
            let body = match head.split_whitespace().nth(1) {
                Some("/base/api/v1/query?query=sum%28pool%29") => {
                    vector(r#"{"metric":{},"value":[1795488321.5,"42"]}"#)
                }
                Some("/base/api/v1/query?query=nan") => {
                    vector(r#"{"metric":{},"value":[1795488321.5,"NaN"]}"#)
                }
                _ => vector(""),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn run(resources: &str) -> Project {
    let text = std::fs::read_to_string("gates.toml").unwrap();
    let own = "profile = { users = 40, warm_up = \"2s\", hold = \"20s\" }";
    let short =
        "profile = { users = 10, warm_up = \"500ms\", hold = \"3s\", probe_every = \"500ms\" }";
    assert!(text.contains(own));
    let text = text.replace(own, short);
    let project = Project::with(&format!(
        "{text}\n[environments.demo.resources]\n{resources}"
    ));
    project
        .gates(&["run", "demo", "--only", "load"])
        .ended_with(3);
    project
}

fn report(project: &Project) -> String {
    let file = project.run_folder().unwrap().join("report.html");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn figures_of_prometheus_are_shown_and_what_is_no_figure_is_told() {
    let port = prometheus();
    let url = format!("http://127.0.0.1:{port}/base");
    let with = |queries: &str| {
        run(&format!(
            "prometheus = {{ url = \"{url}\", queries = {{ {queries} }} }}\n"
        ))
    };
    let sound = with("\"pool in use\" = \"sum(pool)\"");
    let (outcome, seen) = sound.outcome("load/resources");
    assert_eq!(outcome, "pass", "{seen}");
    let run = sound.run_json();
    let series = &run["load"]["resources"]["metrics"][0]["series"];
    assert!(series.as_array().unwrap().len() >= 4, "{series}");
    assert_eq!(series[0][1], 42.0);
    assert!(report(&sound).contains("pool in use over time"));

    let open = with("pool = \"sum(pool)\", none = \"absent\", \"not one\" = \"nan\"");
    let (outcome, seen) = open.outcome("load/resources");
    assert_eq!(outcome, "inconclusive", "{seen}");
    assert!(
        seen.contains("`none` of Prometheus: the query has no result"),
        "{seen}"
    );
    assert!(
        seen.contains("`not one` of Prometheus: the query's result is NaN"),
        "{seen}"
    );
    assert!(!seen.contains("`pool`"), "{seen}");
    assert!(report(&open).contains("Parts of the resource use are not shown"));
}

#[test]
fn without_an_engine_nothing_is_green() {
    let project = run("docker = { socket = \"/nowhere/docker.sock\", project = \"shop\" }\n");
    for id in ["load/resources", "load/restarts"] {
        let (outcome, seen) = project.outcome(id);
        assert_eq!(outcome, "inconclusive", "{id}: {seen}");
        assert!(
            seen.contains("there is no Docker engine at /nowhere/docker.sock"),
            "{seen}"
        );
    }
    assert!(report(&project).contains("Resource use is not shown"));
    let gate = |id: &str| {
        let run = project.run_json();
        let checks = run["checks"].as_array().unwrap();
        let check = checks.iter().find(|c| c["declared"]["id"] == id).unwrap();
        check["declared"]["gate"].as_str().unwrap().to_owned()
    };
    assert_eq!(gate("load/resources"), "advisory");
    assert_eq!(gate("load/restarts"), "mandatory");
}
