//! The real stack (tests/stack): judged sound, then broken in real ways, each seen by the check that should see it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{Ended, FILES, Project, beside_others};

/// A started stack; dropping it stops it.
struct Stack {
    way: Way,
    folder: tempfile::TempDir,
}

/// How its parts run.
#[derive(Clone, Copy)]
enum Way {
    Processes,
    Compose,
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/stack")
        .join(name)
}

/// Not `eprintln!`: the test passes, and what that prints would be kept from its reader.
fn not_run(what: &str) {
    let loud = format!("\n*** NOT RUN: {what}\n");
    std::io::stderr().write_all(loud.as_bytes()).unwrap();
}

impl Stack {
    /// Starts its parts as processes; nothing if this machine was told to go without.
    fn of_processes() -> Option<Self> {
        if std::env::var_os("GATES_WITHOUT_STACK").is_some() {
            not_run("the tests against the real stack (GATES_WITHOUT_STACK is set)");
            return None;
        }
        assert!(
            file(".venv/installed.txt").exists(),
            "the real stack is not installed: run tests/stack/install, or set GATES_WITHOUT_STACK=1 to go without"
        );
        Some(Self::up(Way::Processes))
    }

    /// Starts its parts under Docker Compose; nothing where that was not installed.
    fn of_compose() -> Option<Self> {
        if !file(".run/compose-image.txt").exists() {
            not_run(
                "the test against the stack under Docker Compose (tests/stack/compose-install)",
            );
            return None;
        }
        Some(Self::up(Way::Compose))
    }

    fn up(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stack = Self { way, folder };
        stack.script("up", None);
        stack
    }

    fn command(&self, command: &str) -> Command {
        let mut program = match self.way {
            Way::Processes => {
                let mut program = Command::new(file("stack"));
                program.arg(command);
                program
            }
            Way::Compose => Command::new(file(&format!("compose-{command}"))),
        };
        program.arg(self.folder.path());
        program
    }

    fn script(&self, command: &str, fault: Option<&str>) {
        let output = self.command(command).args(fault).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "stack {command} {fault:?}: {err}");
    }

    fn env_file(&self) -> String {
        self.folder.path().join("stack.env").display().to_string()
    }

    fn variable(&self, name: &str) -> String {
        self.variable_in("stack.env", name)
    }

    fn variable_in(&self, file: &str, name: &str) -> String {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// The repository's own plan, with another load; of containers, resource use too.
    fn plan(&self, load: &str) -> Project {
        let resources = match self.way {
            Way::Processes => String::new(),
            Way::Compose => format!(
                "[environments.staging.resources]\ndocker = {{ socket = \"{}\", project = \"{}\" }}\n",
                docker_socket(),
                self.variable_in("compose.env", "COMPOSE_PROJECT_NAME")
            ),
        };
        plan_with(load, &resources)
    }

    /// Runs the stages before load on the stack with a fault, mends it, and returns what was seen.
    fn judged_with(&self, fault: &str) -> Judged {
        let project = plan("users = 10");
        self.script("break", Some(fault));
        let args = [
            "run",
            "staging",
            "--env-file",
            &self.env_file(),
            "--only",
            "preflight,smoke,agents",
        ];
        let ended = project.gates(&args);
        self.script("mend", Some(fault));
        Judged {
            fault: fault.to_owned(),
            ended,
            project,
        }
    }
}

/// Of the daemon that tests/stack/with-docker gives to its commands.
fn docker_socket() -> String {
    let set = |name| std::env::var(name).ok();
    let answers = |socket: &String| std::os::unix::net::UnixStream::connect(socket).is_ok();
    let usual = set("DOCKER_HOST").unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    let usual = usual.trim_start_matches("unix://").to_owned();
    let own = set("STACK_DOCKER").unwrap_or_else(|| "/var/tmp/gates-stack-docker".to_owned());
    [usual, format!("{own}/docker.sock")]
        .into_iter()
        .find(answers)
        .expect("a Docker daemon, since the stack is up")
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.command("down").status();
    }
}

struct Judged {
    fault: String,
    ended: Ended,
    project: Project,
}

impl Judged {
    /// Asserts that the run failed and that each of these checks did, and names it.
    #[track_caller]
    fn fails_by(&self, ids: &[&str]) -> &Self {
        assert_eq!(
            self.ended.code,
            Some(1),
            "{}:\n{}\n{}",
            self.fault,
            self.ended.out,
            self.ended.err
        );
        for id in ids {
            let (outcome, seen) = self.project.outcome(id);
            assert_eq!(outcome, "fail", "{}: {id}: {seen}", self.fault);
            assert!(
                self.ended.out.contains(id),
                "{}: {id} is not named:\n{}",
                self.fault,
                self.ended.out
            );
        }
        self
    }

    /// Asserts that these checks passed all the same: the fault is not blamed on everything.
    #[track_caller]
    fn but_not(&self, ids: &[&str]) {
        for id in ids {
            let (outcome, seen) = self.project.outcome(id);
            assert_eq!(outcome, "pass", "{}: {id}: {seen}", self.fault);
        }
    }
}

#[test]
fn the_real_stack_is_judged() {
    let Some(stack) = Stack::of_processes() else {
        return;
    };
    sound(&stack);
    broken(&stack);
    misrouted(&stack);
    broken_under_load(&stack);
    mended(&stack);
    tls(&stack);
}

#[test]
fn the_same_stack_under_docker_compose_is_judged() {
    let Some(stack) = Stack::of_compose() else {
        return;
    };
    sound(&stack);
    its_resource_use_is_shown(&stack);
    broken(&stack);
    broken_under_load(&stack).fails_by(&["load/restarts"]);
    mended(&stack);
}

/// The repository's own plan, with another load.
fn plan(load: &str) -> Project {
    plan_with(load, "")
}

fn plan_with(load: &str, more: &str) -> Project {
    let own = "users = 20\nwarm_up = \"5s\"\nhold = \"60s\"";
    let text = std::fs::read_to_string("gates.toml").unwrap();
    assert!(
        text.contains(own),
        "the load in gates.toml has changed: change it here too"
    );
    Project::with(&(text.replace(own, load) + more))
}

/// Everything passes, load included, and no secret reaches a report. The generator may be late, as it shares its
/// machine with the stack and with whatever builds beside.
fn sound(stack: &Stack) {
    let project = plan("users = 40\nwarm_up = \"3s\"\nhold = \"70s\"\nmax_delay = \"1s\"");
    let ended = project
        .gates_alone(&["run", "staging", "--env-file", &stack.env_file()])
        .ended_with(0);
    assert!(ended.out.contains("PASS"), "{}", ended.out);
    let folder = project.run_folder().unwrap();
    for name in ["LEARNER_PASSWORD", "DATABASE_URL", "REDIS_URL"] {
        let secret = stack.variable(name);
        for file in FILES {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            assert!(!text.contains(&secret), "{name} is in {file}");
        }
    }
}

/// One part after the other is broken, and the check that should see it does.
fn broken(stack: &Stack) {
    stack
        .judged_with("agent-down:content-creator")
        .fails_by(&["agents/content-creator", "smoke/health/agents health"])
        .but_not(&[
            "agents/course-planner",
            "agents/orchestrator",
            "agents/aggregate",
            "preflight/postgres",
        ]);
    stack
        .judged_with("redis-down")
        .fails_by(&[
            "preflight/redis",
            "preflight/backend",
            "smoke/health/backend health",
        ])
        .but_not(&[
            "preflight/postgres",
            "preflight/frontend",
            "agents/content-creator",
        ]);
    stack
        .judged_with("postgres-refuses")
        .fails_by(&[
            "preflight/postgres",
            "preflight/backend",
            "smoke/health/backend health",
        ])
        .but_not(&[
            "preflight/redis",
            "preflight/frontend",
            "agents/content-creator",
        ]);
}

/// What stands between the user and sound parts is wrong.
fn misrouted(stack: &Stack) {
    stack
        .judged_with("wrong-upstream")
        .fails_by(&["smoke/learn with tutor/ask tutor"])
        .but_not(&["smoke/browse courses/open lesson", "preflight/backend"]);
    stack
        .judged_with("frontend-down")
        .fails_by(&["preflight/frontend", "smoke/health/home page"])
        .but_not(&["preflight/backend", "smoke/do an exercise/submit answer"]);
}

/// An agent dies under load and is mended before it ends: only the probes during load can tell.
fn broken_under_load(stack: &Stack) -> Judged {
    let fault = "agent-down:course-planner";
    // Docker takes its time.
    let hold = match stack.way {
        Way::Processes => 15,
        Way::Compose => 30,
    };
    let project = stack.plan(&format!("users = 10\nwarm_up = \"1s\"\nhold = \"{hold}s\""));
    let share = beside_others();
    let env_file = stack.env_file();
    let only = ["--only", "preflight,agents,load"];
    let args = [&["run", "staging", "--env-file", &env_file][..], &only].concat();
    let run = project.start_and_wait_for(&args, "\"is\":\"window\"");
    stack.script("break", Some(fault));
    std::thread::sleep(Duration::from_secs(3));
    stack.script("mend", Some(fault));
    let ended = Ended::of(run.wait_with_output().unwrap());
    drop(share);
    let judged = Judged {
        fault: format!("{fault} under load"),
        ended,
        project,
    };
    judged
        .fails_by(&["load/during/course-planner", "agents/health"])
        .but_not(&[
            "agents/course-planner",
            "load/after/course-planner",
            "load/during/content-creator",
            "load/during/orchestrator",
        ]);
    judged
}

/// CPU and memory of every service over a short load, with limits, in the report too; nothing was started anew.
fn its_resource_use_is_shown(stack: &Stack) {
    let project = stack.plan("users = 10\nwarm_up = \"1s\"\nhold = \"6s\"");
    let env_file = stack.env_file();
    let ended = project.gates(&["run", "staging", "--env-file", &env_file, "--only", "load"]);
    for id in ["load/resources", "load/restarts"] {
        let (outcome, seen) = project.outcome(id);
        assert_eq!(outcome, "pass", "{id}: {seen}\n{}", ended.out);
    }
    let run = project.run_json();
    let services = run["load"]["resources"]["services"].as_array().unwrap();
    let mut names: Vec<_> = services
        .iter()
        .map(|s| s["service"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "backend",
            "content-creator",
            "course-planner",
            "frontend",
            "nginx",
            "orchestrator",
            "postgres",
            "quality-assurance",
            "redis",
        ]
    );
    for service in services {
        let series = service["series"].as_array().unwrap();
        assert!(series.len() >= 4, "{service}");
        let most = |key: &str| series.iter().filter_map(|p| p[key].as_u64()).max();
        assert!(most("cpu_permille").is_some_and(|p| p > 0), "{service}");
        assert!(
            most("memory_bytes").is_some_and(|b| b > 1 << 20),
            "{service}"
        );
        assert!(
            service["cpu_limit_permille"].as_u64() >= Some(500),
            "{service}"
        );
        assert!(
            service["memory_limit_bytes"].as_u64() >= Some(64 << 20),
            "{service}"
        );
    }
    let report = project.run_folder().unwrap().join("report.html");
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("CPU and memory of postgres over time"));
}

/// What was broken and mended is sound again.
fn mended(stack: &Stack) {
    let project = plan("users = 10");
    let only = ["--only", "preflight,smoke,agents"];
    let env_file = stack.env_file();
    let args = [&["run", "staging", "--env-file", &env_file][..], &only].concat();
    let ended = project.gates(&args).ended_with(3);
    assert!(ended.out.contains("0 fail"), "{}", ended.out);
}

/// nginx with a certificate of the stack's own authority, and with one that has expired.
fn tls(stack: &Stack) {
    let judge = |url: &str, ca: bool| {
        let project = plan("users = 10");
        let mut command = project.command(&[
            "run",
            "staging",
            "--env-file",
            &stack.env_file(),
            "--only",
            "preflight",
        ]);
        command.env("STAGING_URL", stack.variable(url));
        if !ca {
            command.env("STAGING_CA_FILE", "/dev/null");
        }
        let ended = Ended::of(command.output().unwrap());
        (ended, project)
    };
    let (ended, project) = judge("STAGING_TLS_URL", true);
    assert_eq!(
        project.outcome("preflight/reachable").0,
        "pass",
        "{}",
        ended.out
    );
    let (ended, project) = judge("STAGING_EXPIRED_TLS_URL", true);
    let ended = ended.ended_with(1);
    assert!(
        project.outcome("preflight/reachable").1.contains("xpired"),
        "{}",
        ended.out
    );
    let (ended, _) = judge("STAGING_TLS_URL", false);
    assert!(ended.ended_with(4).err.contains("holds no certificate"));
}
