//! Runs the real program in a folder of its own and reads what it left behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs share the machine, but for those that are to pass a load: these need it for themselves.
static MACHINE: RwLock<()> = RwLock::new(());

/// Holds a share of the machine.
pub(crate) fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A project folder with the repository's scenarios and a gates.toml.
pub(crate) struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// The repository's own plan, with the embedded stack's load changed to `profile`.
    pub(crate) fn demo(profile: &str) -> Self {
        let own = "profile = { users = 40, warm_up = \"2s\", hold = \"20s\" }";
        let text = std::fs::read_to_string("gates.toml").unwrap();
        assert!(
            text.contains(own),
            "the demo's profile has changed: change it here too"
        );
        Self::with(&text.replace(own, profile))
    }

    /// The repository's scenarios under another gates.toml.
    pub(crate) fn with(gates_toml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("gates.toml"), gates_toml).unwrap();
        copy(Path::new("scenarios"), &dir.path().join("scenarios"));
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The program, to be run in this folder without any variables of this machine.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gates"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn gates(&self, args: &[&str]) -> Ended {
        let _share = beside_others();
        Ended::of(self.command(args).output().unwrap())
    }

    /// Runs the program to its end, with no other run at the same time: a load that is to pass needs the whole machine.
    pub(crate) fn gates_alone(&self, args: &[&str]) -> Ended {
        let _machine = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        Ended::of(self.command(args).output().unwrap())
    }

    /// Starts the program and waits until it has told of `event`.
    pub(crate) fn start_and_wait_for(&self, args: &[&str], event: &str) -> Child {
        let mut child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let journal = self
                .run_folder()
                .map(|f| f.join("events.jsonl"))
                .and_then(|f| std::fs::read_to_string(f).ok());
            if journal.is_some_and(|j| j.contains(event)) {
                return child;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("the run never told of {event}");
    }

    /// The folder of the only run.
    pub(crate) fn run_folder(&self) -> Option<PathBuf> {
        let mut folders: Vec<_> = std::fs::read_dir(self.dir.path().join("reports"))
            .ok()?
            .flatten()
            .collect();
        folders.sort_by_key(std::fs::DirEntry::file_name);
        folders.pop().map(|f| f.path())
    }

    /// The only run, as programs read it.
    pub(crate) fn run_json(&self) -> Value {
        let file = self.run_folder().expect("a run's folder").join("run.json");
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
    }

    /// The outcome of one check of the only run, and what was seen.
    pub(crate) fn outcome(&self, id: &str) -> (String, String) {
        let run = self.run_json();
        let checks = run["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|c| c["declared"]["id"] == id)
            .unwrap_or_else(|| panic!("no check `{id}`"));
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        (text(&check["outcome"]), text(&check["seen"]))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(|_| ()).unwrap();
        }
    }
}

/// What a run of the program left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit code, and shows all that was said if it is another.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- out\n{}\n--- err\n{}",
            self.out,
            self.err
        );
        self
    }
}

/// Every file that a run writes.
pub(crate) const FILES: [&str; 5] = [
    "events.jsonl",
    "run.json",
    "report.html",
    "junit.xml",
    "summary.md",
];
