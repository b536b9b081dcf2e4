//! A run's own folder: `reports/<run id>/`, named so that a listing is in order of time.

use std::path::{Path, PathBuf};

use super::JournalError;

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    id: String,
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new folder for a run in an environment.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(reports: &Path, environment: &str) -> Result<Self, JournalError> {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        // Two runs may begin in the same second.
        let mut nonce = uuid::Uuid::new_v4().simple().to_string();
        nonce.truncate(6);
        let name: String = environment
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let id = format!("{time}-{name}-{nonce}");
        let path = reports.join(&id);
        std::fs::create_dir_all(&path).map_err(|error| {
            JournalError::new("can't make the folder of the run", &path, &error)
        })?;
        Ok(Self { id, path })
    }

    /// The folder of a run that has been.
    #[must_use]
    pub fn existing(path: &Path) -> Self {
        let id = path
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        Self {
            id,
            path: path.to_owned(),
        }
    }

    /// The run's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
