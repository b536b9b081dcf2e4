//! The journal: every event, one line of JSON each, written as it happens, so that whatever ends a run, what there was can be read.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::RunFolder;
use crate::decision::{Evaluation, Evaluator};
use crate::event::{DeclaredCheck, Event, Record, Redactor, SCHEMA};
use crate::stop::{Signal, Stop};

/// Name of the journal in a run's folder.
const JOURNAL: &str = "events.jsonl";

/// A journal or its folder can't be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {problem}\n  help: {help}", path.display())]
pub struct JournalError {
    doing: &'static str,
    path: PathBuf,
    problem: String,
    help: &'static str,
}

impl JournalError {
    pub(super) fn new(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "choose a folder that may be written with --reports DIR"
            }
            io::ErrorKind::StorageFull => {
                "make room on the disk, or choose another folder with --reports DIR"
            }
            io::ErrorKind::NotFound => "check the path",
            _ => "choose another folder with --reports DIR",
        };
        Self {
            doing,
            path: path.to_owned(),
            problem: error.to_string(),
            help,
        }
    }

    fn unreadable(path: &Path, problem: String) -> Self {
        Self {
            doing: "can't read the run",
            path: path.to_owned(),
            problem,
            help: "name the folder of a run that `gates run` made",
        }
    }
}

/// Writes events on a thread of its own: a slow disk must not delay requests.
#[derive(Debug)]
pub struct Journal {
    sender: Sender<Record>,
    writer: JoinHandle<Evaluator>,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal of a run. If it can't be written any more, the run is told to stop.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn start(
        folder: &RunFolder,
        listener: Box<dyn FnMut(&Record) + Send>,
        stop: Stop,
    ) -> Result<Self, JournalError> {
        let path = folder.file(JOURNAL);
        let refuse = |error: &io::Error| JournalError::new("can't write the journal", &path, error);
        let file = File::create_new(&path).map_err(|e| refuse(&e))?;
        let (sender, receiver) = channel();
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(&receiver, file, listener, &stop))
            .map_err(|e| refuse(&e))?;
        Ok(Self {
            sender,
            writer,
            path,
        })
    }

    /// Where events go.
    #[must_use]
    pub fn sender(&self) -> Sender<Record> {
        self.sender.clone()
    }

    /// Waits for the last event and judges them all.
    ///
    /// # Errors
    /// When not even the first event came through.
    pub fn finish(self) -> Result<Evaluation, JournalError> {
        drop(self.sender);
        self.writer
            .join()
            .ok()
            .and_then(Evaluator::finish)
            .ok_or_else(|| {
                JournalError::unreadable(
                    &self.path,
                    "the journal broke off before its first line".to_owned(),
                )
            })
    }
}

fn write(
    receiver: &Receiver<Record>,
    mut file: File,
    mut listener: Box<dyn FnMut(&Record) + Send>,
    stop: &Stop,
) -> Evaluator {
    let mut evaluator = Evaluator::default();
    let mut lost = false;
    for record in receiver {
        if !lost && let Err(error) = append(&mut file, &record) {
            lost = true;
            stop.request(Signal::JournalLost);
            let event = Event::HarnessFailed {
                doing: "writing the journal".to_owned(),
                problem: Redactor::default().text(&error.to_string()),
            };
            let failure = Record {
                at_us: record.at_us,
                event,
            };
            evaluator.absorb(&failure);
            listener(&failure);
        }
        evaluator.absorb(&record);
        listener(&record);
        if record.event == Event::RunEnded {
            break;
        }
    }
    evaluator
}

/// One line, in one write: a reader never sees half of one unless the disk was full.
fn append(file: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// Reads a journal, also one that was cut off, and judges it.
///
/// # Errors
/// When it can't be read, is of another version, or does not hold its first line.
pub fn read_journal(folder: &RunFolder) -> Result<Evaluation, JournalError> {
    let path = folder.file(JOURNAL);
    read(&path)?.0.finish().ok_or_else(|| silent(&path))
}

/// Reads the journals of one load that several processes offered at the same time, and judges them once.
///
/// # Errors
/// When one can't be read, or was to check something else than the first.
pub fn read_shards(folders: &[RunFolder]) -> Result<Evaluation, JournalError> {
    let mut whole: Option<(Evaluator, Vec<DeclaredCheck>)> = None;
    let mut first = PathBuf::new();
    for folder in folders {
        let path = folder.file(JOURNAL);
        let (shard, checks) = read(&path)?;
        match &mut whole {
            None => {
                first.clone_from(&path);
                whole = Some((shard, checks));
            }
            Some((_, wanted)) if *wanted != checks => {
                let problem = format!(
                    "it was to check something else than {}: only shards of one load can be merged",
                    first.display()
                );
                return Err(JournalError::unreadable(&path, problem));
            }
            Some((evaluator, _)) => evaluator.absorb_shard(shard),
        }
    }
    let merged = whole.and_then(|(evaluator, _)| evaluator.finish());
    merged.ok_or_else(|| silent(&first))
}

fn silent(path: &Path) -> JournalError {
    JournalError::unreadable(path, "it does not say what was to be checked".to_owned())
}

/// All that a journal tells, up to where it was cut off, and what was to be checked.
fn read(path: &Path) -> Result<(Evaluator, Vec<DeclaredCheck>), JournalError> {
    let file = File::open(path).map_err(|e| JournalError::unreadable(path, e.to_string()))?;
    let mut evaluator = Evaluator::default();
    let mut checks = Vec::new();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for n in 1_u64.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        read.map_err(|e| JournalError::unreadable(path, e.to_string()))?;
        if n > 1 && line.last() != Some(&b'\n') {
            // The end, or a line that was cut off. Without `run-ended`, the run is inconclusive anyway.
            break;
        }
        let record = serde_json::from_slice::<Record>(&line).map_err(|error| {
            JournalError::unreadable(path, format!("line {n} is not an event: {error}"))
        })?;
        if let Event::RunStarted(started) = &record.event {
            if started.schema != SCHEMA {
                let problem = format!(
                    "it is of version {}, and this program reads version {SCHEMA}",
                    started.schema
                );
                return Err(JournalError::unreadable(path, problem));
            }
            checks.clone_from(&started.checks);
        }
        evaluator.absorb(&record);
    }
    Ok((evaluator, checks))
}
