//! Where a plan comes from: the commit of the work tree, read from git's own files.

use std::path::Path;
use std::process::Command;

/// The commit that is checked out here; nothing outside of a work tree or without git.
pub(super) fn commit() -> Option<String> {
    if !Path::new(".git").exists() {
        return std::env::var("GITHUB_SHA")
            .or_else(|_| std::env::var("CI_COMMIT_SHA"))
            .ok();
    }
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let commit = text.trim();
    (output.status.success() && commit.len() >= 40).then(|| commit.to_owned())
}
