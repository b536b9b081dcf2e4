//! `run.json`: everything that was judged, for programs.

use super::Reporter;
use crate::decision::Evaluation;

pub(super) struct RunJson;

impl Reporter for RunJson {
    fn file(&self) -> &'static str {
        "run.json"
    }

    fn render(
        &self,
        evaluation: &Evaluation,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut bytes = serde_json::to_vec_pretty(evaluation)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
