//! Looks at an engine that this test plays: sound, slow, refusing, talking nonsense.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use super::*;
use crate::event::Record;
use crate::plan::DockerEngine;

/// What the engine does when it is asked.
#[derive(Clone)]
enum Reply {
    Says(u16, String),
    Raw(Vec<u8>),
    Closes,
    Hangs,
}

fn ok(body: impl Into<String>) -> Reply {
    Reply::Says(200, body.into())
}

/// One container, as the engine has it.
#[derive(Clone)]
struct Fake {
    id: String,
    service: &'static str,
    started: &'static str,
    status: &'static str,
    restarts: u32,
    cpu_ns: u64,
    second: u32,
}

impl Fake {
    fn new(id: &str, service: &'static str) -> Self {
        Self {
            id: id.repeat(64),
            service,
            started: "2026-11-24T02:44:17.868146985Z",
            status: "running",
            restarts: 0,
            cpu_ns: 1_000_000_000,
            second: 10,
        }
    }

    fn listed(&self) -> String {
        format!(
            r#"{{"Id":"{}","Labels":{{"com.docker.compose.project":"p","com.docker.compose.service":"{}","com.docker.compose.container-number":"1","com.docker.compose.oneoff":"False"}}}}"#,
            self.id, self.service
        )
    }

    fn answer(&self, path: &str) -> Reply {
        if path.ends_with("/json") {
            return ok(format!(
                r#"{{"State":{{"Status":"{}","OOMKilled":false,"ExitCode":137,"StartedAt":"{}"}},"RestartCount":{},"HostConfig":{{"Memory":268435456,"NanoCpus":500000000}},"Config":{{"Env":["PASSWORD=never-told"]}}}}"#,
                self.status, self.started, self.restarts
            ));
        }
        if self.status != "running" {
            return ok(r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{},"memory_stats":{}}"#);
        }
        ok(format!(
            r#"{{"read":"2026-11-24T02:45:{:02}Z","cpu_stats":{{"cpu_usage":{{"total_usage":{}}}}},"memory_stats":{{"usage":3000000,"stats":{{"inactive_file":1000000}}}}}}"#,
            self.second, self.cpu_ns
        ))
    }
}

type Script = Arc<Mutex<Box<dyn Fn(&str) -> Reply + Send>>>;

/// An engine on a socket of its own.
struct Engine {
    folder: tempfile::TempDir,
    script: Script,
}

impl Engine {
    fn start(script: impl Fn(&str) -> Reply + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script: Script = Arc::new(Mutex::new(Box::new(script)));
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let answers = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default();
                    let reply = answers.lock().unwrap()(path);
                    match reply {
                        Reply::Says(status, body) => {
                            let head = format!(
                                "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n",
                                body.len()
                            );
                            stream.write_all(head.as_bytes()).await?;
                            stream.write_all(body.as_bytes()).await?;
                        }
                        Reply::Raw(bytes) => stream.write_all(&bytes).await?,
                        Reply::Closes => {}
                        Reply::Hangs => std::future::pending().await,
                    }
                    stream.shutdown().await
                });
            }
        });
        Self { folder, script }
    }

    /// One that has these containers.
    fn of(containers: Vec<Fake>) -> Self {
        let engine = Self::start(|_| Reply::Closes);
        engine.has(containers);
        engine
    }

    fn has(&self, containers: Vec<Fake>) {
        self.does(move |path| {
            if path == "/version" {
                return ok(r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12"}"#);
            }
            let path = path.strip_prefix("/v1.41/containers/").unwrap();
            if path.starts_with("json?all=1&filters=%7B%22label%22") {
                let all: Vec<_> = containers.iter().map(Fake::listed).collect();
                return ok(format!("[{}]", all.join(",")));
            }
            let (id, what) = path.split_once('/').unwrap();
            let found = containers.iter().find(|c| c.id == id);
            found.map_or(
                Reply::Says(404, r#"{"message":"No such container"}"#.to_owned()),
                |c| c.answer(&format!("/{what}")),
            )
        });
    }

    fn does(&self, script: impl Fn(&str) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }
}

fn docker(socket: &Path) -> Docker {
    let engine = DockerEngine {
        socket: socket.to_owned(),
        project: "p".to_owned(),
    };
    Docker::new(engine, Redactor::default())
}

/// Hears what is told.
struct Ear {
    teller: Teller,
    redactor: Redactor,
    heard: Receiver<Record>,
}

impl Ear {
    fn new() -> Self {
        let (sender, heard) = channel();
        Self {
            teller: Teller::new(sender),
            redactor: Redactor::default(),
            heard,
        }
    }

    fn gaps(&self) -> Gaps<'_> {
        Gaps {
            teller: &self.teller,
            redactor: &self.redactor,
            told: BTreeMap::new(),
        }
    }

    fn events(&self) -> Vec<Event> {
        self.heard.try_iter().map(|record| record.event).collect()
    }

    /// Why the only thing that was told can't be read.
    fn why(&self) -> String {
        match self.events().as_slice() {
            [Event::ResourcesUnavailable(missing)] => missing.why.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

/// Each event in a few words.
fn short(events: &[Event]) -> Vec<String> {
    let each = events.iter().map(|event| match event {
        Event::Container(seen) => format!("{} {} {}", seen.service, seen.moment, seen.state.status),
        Event::Resource(used) => format!(
            "{} cpu {:?} of {:?} memory {:?} of {:?}",
            used.service,
            used.cpu_permille,
            used.cpu_limit_permille,
            used.memory_bytes,
            used.memory_limit_bytes
        ),
        Event::ResourcesUnavailable(missing) => missing.why.to_string(),
        other => panic!("{other:?}"),
    });
    each.collect()
}

#[tokio::test]
async fn containers_are_told_at_the_beginning_when_they_change_and_at_the_end() {
    let (web, cache) = (Fake::new("a", "web"), Fake::new("b", "cache"));
    let engine = Engine::of(vec![web.clone(), cache.clone()]);
    let (mut docker, ear) = (docker(&engine.socket()), Ear::new());
    let mut gaps = ear.gaps();
    look(&mut docker, Moment::Before, &mut gaps).await;
    let first = ear.events();
    let none = "cpu None of Some(500) memory Some(2000000) of Some(268435456)";
    assert_eq!(
        short(&first),
        [
            "web before load running".to_owned(),
            "cache before load running".to_owned(),
            format!("web {none}"),
            format!("cache {none}"),
        ]
    );
    assert!(!format!("{first:?}").contains("never-told"));

    // A second later one has used 300 ms of CPU, and the other was killed.
    let later = Fake {
        cpu_ns: 1_300_000_000,
        second: 11,
        ..web.clone()
    };
    let killed = Fake {
        status: "exited",
        ..cache.clone()
    };
    engine.has(vec![later.clone(), killed.clone()]);
    look(&mut docker, Moment::During, &mut gaps).await;
    let events = ear.events();
    assert_eq!(
        short(&events),
        [
            "cache during load exited",
            "web cpu Some(300) of Some(500) memory Some(2000000) of Some(268435456)",
        ]
    );
    let Event::Container(seen) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(seen.state.exit_code, Some(137));

    // One was started anew, and counts from zero; the other is gone.
    let anew = Fake {
        started: "2026-11-24T03:00:00Z",
        restarts: 1,
        cpu_ns: 2_000_000_000,
        second: 12,
        ..web
    };
    engine.has(vec![anew]);
    look(&mut docker, Moment::During, &mut gaps).await;
    assert_eq!(
        short(&ear.events()),
        [
            "web during load running".to_owned(),
            "cache during load removed".to_owned(),
            format!("web {none}"),
        ]
    );
    look(&mut docker, Moment::After, &mut gaps).await;
    assert_eq!(short(&ear.events()), ["web after load running"]);
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let ear = Ear::new();
    let nowhere = folder.path().join("nowhere.sock");
    look(&mut docker(&nowhere), Moment::Before, &mut ear.gaps()).await;
    assert!(ear.why().contains("there is no Docker engine at"));

    let refusing = folder.path().join("refusing.sock");
    drop(UnixListener::bind(&refusing).unwrap());
    look(&mut docker(&refusing), Moment::Before, &mut ear.gaps()).await;
    assert!(ear.why().contains("start the Docker engine"));
}

#[tokio::test]
async fn an_engine_that_talks_nonsense_is_told() {
    let engine = Engine::start(|_| Reply::Closes);
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned();
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}",
        " ".repeat(9_000_000)
    );
    let cases: [(Reply, &str); 9] = [
        (Reply::Closes, "gave no answer"),
        (
            Reply::Raw(b"\x15\x03\x01\x00\x02".to_vec()),
            "gave no answer",
        ),
        (Reply::Raw(head.into()), "gave no answer"),
        (Reply::Raw(endless.into()), "gave no answer"),
        (
            Reply::Says(500, r#"{"message":"disk full"}"#.to_owned()),
            "answers 500 to /version: disk full",
        ),
        (
            Reply::Says(403, "go away".to_owned()),
            "answers 403 to /version: go away",
        ),
        (ok("<html>"), "is it a Docker engine?"),
        (ok(r#"{"ApiVersion":7}"#), "is it a Docker engine?"),
        (ok(r#"{"ApiVersion":"1.40"}"#), "speaks version `1.40`"),
    ];
    for (reply, why) in cases {
        engine.does(move |_| reply.clone());
        let ear = Ear::new();
        look(
            &mut docker(&engine.socket()),
            Moment::Before,
            &mut ear.gaps(),
        )
        .await;
        let told = ear.why();
        assert!(told.contains(why), "expected {why}, told {told}");
        assert!(told.len() < 1000, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_is_not_waited_for() {
    let engine = Engine::start(|_| Reply::Hangs);
    let ear = Ear::new();
    let begin = tokio::time::Instant::now();
    look(
        &mut docker(&engine.socket()),
        Moment::Before,
        &mut ear.gaps(),
    )
    .await;
    assert!(ear.why().contains("did not answer within 5 s"));
    assert_eq!(begin.elapsed().as_secs(), TIMEOUT.as_secs());
}

#[tokio::test]
async fn a_project_without_containers_is_told_with_those_there_are() {
    let engine = Engine::start(|path| match path {
        "/version" => ok(r#"{"ApiVersion":"1.52"}"#),
        path if path.contains("%3Dp") => ok("[]"),
        _ => ok(r#"[{"Id":"a","Labels":{"com.docker.compose.project":"shop"}}]"#),
    });
    let ear = Ear::new();
    look(
        &mut docker(&engine.socket()),
        Moment::Before,
        &mut ear.gaps(),
    )
    .await;
    assert_eq!(
        ear.why(),
        "no container belongs to the Compose project `p`; known projects: shop"
    );
}

#[tokio::test]
async fn one_container_that_can_not_be_read_does_not_hide_the_others() {
    let containers = vec![Fake::new("a", "web"), Fake::new("b", "cache")];
    let engine = Engine::of(containers.clone());
    let sound = Engine::of(containers);
    let answers = Arc::clone(&sound.script);
    engine.does(move |path| {
        if path.contains(&"b".repeat(64)) && path.contains("/stats") {
            return ok("{\"read\":");
        }
        answers.lock().unwrap()(path)
    });
    let (mut docker, ear) = (docker(&engine.socket()), Ear::new());
    let mut gaps = ear.gaps();
    look(&mut docker, Moment::Before, &mut gaps).await;
    let told = short(&ear.events());
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].starts_with("web cpu"), "{told:?}");
    assert!(
        told[2].starts_with("cache could not be looked at"),
        "{told:?}"
    );
    // The same again is not told again.
    look(&mut docker, Moment::During, &mut gaps).await;
    assert_eq!(short(&ear.events()).len(), 1);
}

#[test]
fn what_is_missing_is_told_once_until_it_is_back() {
    let ear = Ear::new();
    let mut gaps = ear.gaps();
    let problem = |text: &str| Unread(text.to_owned());
    for found in [Some("a"), Some("a"), Some("b"), None, Some("b")] {
        gaps.found(&ResourceSource::Docker, found.map(problem).as_ref());
    }
    let told = short(&ear.events());
    assert_eq!(told, ["a", "b", "b"]);
}
